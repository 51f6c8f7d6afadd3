"""Kill every part of a training in each of its phases, and change every field that a run may change.

python bench/survive.py kills --hosts 1 2       supervisor, launcher, rank, connection, machine
python bench/survive.py ranks                   2 -> 1 -> 2 ranks by themselves, when a machine goes and comes
python bench/survive.py fields                  each operational field changed in mid-run, and others

A tiny model: six steps, a checkpoint every second one. The kill is in the fourth step, while the ranks stand
still in the middle of sampling, updating, saving or exporting. Then: nothing that is not finished is reported
done, no process is left, the run continues from its newest checkpoint (by itself, unless the supervisor was
killed), and its metrics, rollouts and exports have the bytes of an undisturbed run. Two hosts are network
namespaces with an ssh server each (needs root, iproute2 and openssh-server).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from bench.parts.two_hosts import HOSTS, Ssh, kill_all, on, processes_on, set_link, two_hosts
from bench.resume import fingerprint
from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from rewards.contracts.files import write_json
from training.recorder import read_lines
from training.saving.segments import describe_segments, read_segments

ROOT = Path(__file__).resolve().parent.parent
PHASES = ("rollout", "update", "save", "export")
KILL_STEP, N_STEPS = 4, 6
DEADLINE_S, GONE_S = 240.0, 60.0
SMALL = {
    "training.n_steps": N_STEPS,
    "training.save_every": 2,
    "training.eval_every": 0,
    "training.keep_best": 5,
    "curation.sources.0.generator.n_problems": 200,
    "training.model.warmup.phases": [{"n_steps": 60, "careful": 0.3, "quick": 0.7}],
    "training.rollout.prompts_per_step": 4,
    "training.rollout.samples_per_prompt": 4,
    "training.ppo.critic_minibatches": 2,
    "training.deepspeed.zero_stage": 2,
}


def parent(config: str, runs: str) -> None:
    """The supervisor's process: train as `reasoner-zero train` does, with short pauses before restarts."""
    import logging

    from pipelines.jobs import hosts, job, supervise
    from pipelines.stages.chain import Chain

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    supervise.FIRST_PAUSE_S, supervise.READY_S = 0.5, 30.0
    hosts.FORWARDED = (*hosts.FORWARDED, "SURVIVE_")
    if "SURVIVE_AT" in os.environ:
        job.WORKER = ("-m", "bench.parts.survive_rank")
    Chain(Workspace.open(load_config(Path(config)), Path(runs))).trained  # noqa: B018


class Case:
    """One training in a folder of its own, whose data and base model exist already."""

    def __init__(self, template: Path, folder: Path, overrides: dict, host: str | None = None) -> None:
        self.runs, self.host, self.notes = folder / "runs", host, folder / "notes"
        shutil.copytree(template, self.runs, symlinks=True)
        self.notes.mkdir()
        self.configure(overrides)

    def configure(self, overrides: dict) -> None:
        self.overrides = overrides
        config = load_config(ROOT / "configs" / "demo.toml", SMALL | overrides)
        write_json(self.runs / "config.json", config.model_dump(mode="json"))

    def start(self, phase: str = "") -> subprocess.Popen:
        command = [sys.executable, str(ROOT / "bench/survive.py"), "--parent", str(self.runs / "config.json")]
        command.append(str(self.runs))
        place = f"{phase}:{KILL_STEP}:{self.notes}"
        environment = os.environ | {"SURVIVE_AT": place, "OMP_NUM_THREADS": "1"}
        log = (self.runs / "parent.log").open("a")
        where = on(self.host, *command) if self.host else command
        return subprocess.Popen(
            where, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )

    def finish(self, process: subprocess.Popen | None = None, deadline_s: float = DEADLINE_S) -> int:
        process = process or self.start()
        try:
            return process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise RuntimeError(f"not finished after {deadline_s:.0f} s:\n{self.tail()}") from None

    def tail(self) -> str:
        return (self.runs / "parent.log").read_text()[-3000:]

    @property
    def folder(self) -> Path:
        return (self.runs / "demo" / "train").resolve()

    @property
    def is_reported_done(self) -> bool:
        return (self.folder / "manifest.json").exists()

    def wait_for_ranks(self, n: int, process: subprocess.Popen) -> list[tuple[int, int]]:
        """Process ids of the stopped ranks and of their launchers."""
        ends = time.monotonic() + DEADLINE_S
        while time.monotonic() < ends and process.poll() is None:
            found = [path.read_text().split() for path in sorted(self.notes.glob("rank-*"))]
            if len(found) >= n and all(len(words) == 2 for words in found):
                return [(int(own), int(launcher)) for own, launcher in found]
            time.sleep(0.05)
        raise RuntimeError(f"the ranks did not come to the place:\n{self.tail()}")

    def left(self) -> list[int]:
        """Processes that belong to this case, by its folder in their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if str(self.runs).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
        return found

    def wait_until_gone(self, but: set[int] = frozenset()) -> float:
        """Seconds until no process of the case is left; RuntimeError when some stay."""
        started = time.monotonic()
        while left := set(self.left()) - but:
            if time.monotonic() - started > GONE_S:
                raise RuntimeError(f"still there after {GONE_S:.0f} s: {left}")
            time.sleep(0.05)
        return time.monotonic() - started


def connections(process: subprocess.Popen) -> list[int]:
    """The ssh clients below a supervisor."""
    shown = subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True).stdout
    rows = [line.split() for line in shown.splitlines()[1:]]
    return [int(pid) for pid, above, name in rows if name == "ssh" and int(above) == process.pid]


def kill(victim: str, case: Case, process: subprocess.Popen, ranks: list[tuple[int, int]], ssh) -> None:
    if victim == "machine":
        set_link("rz-b", "down")  # No farewell reaches the others.
        kill_all("rz-b")
        return
    pid = {
        "supervisor": lambda: process.pid,
        "launcher": lambda: ranks[-1][1],
        "rank": lambda: ranks[-1][0],
        "connection": lambda: connections(process)[-1],
    }[victim]()
    os.kill(pid, signal.SIGKILL)


def kill_one(case: Case, victim: str, phase: str, n_ranks: int, ssh: Ssh | None, expected: str) -> list[str]:
    """One row: what was killed where, how long the rest took to end, how it went on, whether bytes agree."""
    process = case.start(phase)
    ranks = case.wait_for_ranks(1 if phase == "export" else n_ranks, process)
    group = {pid for pair in ranks for pid in pair}
    started = time.monotonic()
    kill(victim, case, process, ranks, ssh)
    while any(Path(f"/proc/{pid}").exists() and not is_dead(pid) for pid in group):
        if time.monotonic() - started > GONE_S:
            raise RuntimeError(f"{victim}, {phase}: ranks still there after {GONE_S:.0f} s\n{case.tail()}")
        time.sleep(0.05)
    ended_s = time.monotonic() - started
    (case.notes / "go").touch()
    wrong = "reported done" if case.is_reported_done else ""
    if victim == "machine":
        set_link("rz-b", "up")
        assert ssh is not None
        ssh.serve("rz-b")
    if victim == "supervisor":
        process.wait()
        case.wait_until_gone()
        wrong = wrong or ("reported done" if case.is_reported_done else "")
        status, how = case.finish(), "same command"
    else:
        status, how = case.finish(process), "by itself"
    left = case.left()
    wrong = wrong or ("left processes" if left else "") or ("" if status == 0 else f"status {status}")
    same = fingerprint(case.folder) == expected
    resumed = [
        line for line in (case.runs / "demo/logs/train.log").read_text().splitlines() if "resumed" in line
    ]
    return [
        str(n_ranks), victim, phase, f"{ended_s:.1f}", how, resumed[-1].split()[-1] if resumed else "step=0",
        "yes" if same else "[red]NO", f"[red]{wrong}" if wrong else "right",
    ]  # fmt: skip


def is_dead(pid: int) -> bool:
    """Gone, or only its exit status is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def make_template(folder: Path, more: dict | None = None) -> Path:
    """Corpus, rewards and base model, made once."""
    from pipelines.stages.chain import Chain

    config = load_config(ROOT / "configs" / "demo.toml", SMALL | (more or {}))
    assert Chain(Workspace.open(config, folder / "template")).base.folder.exists()
    return folder / "template"


def on_two(ssh: Ssh, folder: Path, **more) -> dict:
    hostfile = folder / "hosts"
    hostfile.write_text("".join(f"{address} slots=1\n" for address in HOSTS.values()))
    return {
        "training.deepspeed.n_ranks": 2,
        "training.deepspeed.hostfile": str(hostfile),
        "training.deepspeed.remote_shell": ssh.shell,
        **more,
    }


def kills(folder: Path, template: Path, hosts: list[int], victims: list[str], phases: list[str]) -> bool:
    columns = ("ranks", "killed", "in", "ended after s", "went on", "from", "bytes equal", "verdict")
    table = Table(*columns, title="Killed", title_justify="left")
    is_right = True
    for n_hosts in hosts:
        with two_hosts(folder / "ssh") if n_hosts == 2 else nullcontext() as ssh:
            overrides = {"training.deepspeed.n_ranks": 2} if ssh is None else on_two(ssh, folder)
            host = None if ssh is None else "rz-a"
            whole = Case(template, folder / f"whole-{n_hosts}", overrides, host)
            if whole.finish():
                raise RuntimeError(whole.tail())
            expected = fingerprint(whole.folder)
            for victim in victims:
                if n_hosts == 1 and victim in ("connection", "machine"):
                    continue
                for phase in phases:
                    case = Case(template, folder / f"{n_hosts}-{victim}-{phase}", overrides, host)
                    try:
                        row = kill_one(case, victim, phase, 2, ssh, expected)
                    except RuntimeError as error:
                        row = ["2", victim, phase, "", "", "", "", f"[red]{str(error)[:300]}"]
                    row[0] = f"2 on {n_hosts} host{'s' * (n_hosts > 1)}"
                    is_right &= row[-1] == "right" and row[-2] == "yes"
                    table.add_row(*row)
                    Console(stderr=True).print(*row)
            if n_hosts == 2:
                Console().print(f"processes left on the hosts beside sshd: {len(processes_on('rz-b')) - 1}")
    Console(width=140).print(table)
    return is_right


def ranks(folder: Path, template: Path) -> bool:
    """A machine goes in the fourth step and comes back in the sixth; nobody intervenes."""
    with two_hosts(folder / "ssh") as ssh:
        more = {"training.deepspeed.min_ranks": 1, "training.n_steps": 40, "training.save_every": 2}
        case = Case(template, folder / "ranks", on_two(ssh, folder, **more), "rz-a")
        process = case.start("rollout")
        case.wait_for_ranks(2, process)
        set_link("rz-b", "down")
        kill_all("rz-b")
        (case.notes / "go").touch()
        wait_for_step(case, process, KILL_STEP + 6)
        set_link("rz-b", "up")
        ssh.serve("rz-b")
        alone = [int(note.read_text().split()[0]) for note in case.notes.glob("rank-*")]
        running = [pid for pid in case.left() if pid not in alone]
        workers = [pid for pid in running if b"survive_rank" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        status = case.finish(process)
        for line in describe_segments(read_segments(case.folder)):
            Console(width=160).print(line)
        steps = [line["step"] for line in read_lines(case.folder / "metrics.jsonl")]
        n_ranks = [segment["n_ranks"] for segment in read_segments(case.folder)]
    Console().print(f"status {status}, steps {steps[0]} to {steps[-1]}, ranks {n_ranks}")
    return status == 0 and steps == [*range(1, 41)] and n_ranks == [2, 1, 2]


def wait_for_step(case: Case, process: subprocess.Popen, step: int) -> None:
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends and process.poll() is None:
        lines = read_lines(case.folder / "metrics.jsonl")
        if lines and lines[-1]["step"] >= step:
            return
        time.sleep(0.1)
    raise RuntimeError(f"step {step} did not come:\n{case.tail()}")


FIELDS = {
    "ppo.micro_batch_tokens": 256,
    "ppo.logprob_chunk_tokens": 64,
    "ppo.early_values": 2,
    "rollout.kv_cache_gib": 0.125,
    "rollout.gpu_memory_utilization": 0.5,
    "rollout.probe_responses": 2,
    "deepspeed.gradient_checkpointing": True,
    "deepspeed.offload_optimizer": True,
    "deepspeed.zero_stage": 3,
    "deepspeed.n_ranks": 2,
    "deepspeed.timeout_hours": 1.0,
    "save_every": 3,
    "keep_checkpoints": 1,
    "keep_best": 2,
    "keep_state_days": 1.0,
    "restarts": 0,
}
ASKED = {
    "seed": 1,
    "actor.lr": 1e-3,
    "n_steps": 8,
    "rails.truncated": {"action": "warn", "limit": 0.9},
    "rollout.temperature": 0.9,
}


def fields(folder: Path, template: Path) -> bool:
    """Each field changed after the fourth step of a killed run."""
    table = Table("field", "kind", "continues", "steps equal to the byte", title="Changed in mid-run")
    whole = Case(template, folder / "whole", {})
    killed = Case(template, folder / "killed", {"training.restarts": 0})
    if whole.finish():
        raise RuntimeError(whole.tail())
    process = killed.start("update")
    (pid, _), *_ = killed.wait_for_ranks(1, process)
    os.kill(pid, signal.SIGKILL)
    killed.finish(process)
    shutil.rmtree(killed.notes)
    expected = (whole.folder / "metrics.jsonl").read_bytes()
    from rewards.contracts.settings import Kind, fields_by_kind

    kinds = {key: kind for key, kind, _ in fields_by_kind(load_config(ROOT / "configs/demo.toml").training)}
    is_right = True
    for key, value in {**FIELDS, **ASKED}.items():
        case = Case(killed.runs, folder / key, {f"training.{key}": value})
        status = case.finish()
        records = read_lines(case.folder / "metrics.jsonl")
        if key in ASKED:
            asked = "--resume" in case.tail() and f"training.{key}" in case.tail()
            is_right &= bool(status) and asked
            table.add_row(
                key, kinds.get(key, Kind.RESULT), "asked" if status and asked else "[red]SILENT", ""
            )
            continue
        log = (case.runs / "demo/logs/train.log").read_text()
        continued = status == 0 and "resumed step=2" in log and len(records) == N_STEPS
        same = (case.folder / "metrics.jsonl").read_bytes() == expected
        is_right &= continued and (same or kinds[key] is Kind.PLACEMENT or "probe" in key)
        table.add_row(key, kinds[key], "yes" if continued else "[red]NO", "yes" if same else "no")
        Console(stderr=True).print(key, continued, same)
    Console(width=120).print(table)
    return is_right


def main() -> None:
    if sys.argv[1:2] == ["--parent"]:
        return parent(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=["kills", "ranks", "fields"])
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 2])
    victims = ("supervisor", "launcher", "rank", "connection", "machine")
    parser.add_argument("--victims", nargs="+", choices=victims, default=victims)
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES)
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        template = make_template(folder)
        if arguments.part == "kills":
            is_right = kills(folder, template, arguments.hosts, arguments.victims, arguments.phases)
        else:
            is_right = {"ranks": ranks, "fields": fields}[arguments.part](folder, template)
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
