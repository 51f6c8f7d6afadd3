"""Kill a run in each of its stages in turn, continue each time, and compare with an undisturbed run.

    python bench/flows/kill_matrix.py                          every victim and stage (about half an hour)
    python bench/flows/kill_matrix.py --victims flow disk --stages curate train --undisturbed /tmp/undisturbed

A column is one run that is struck in every stage, one after the other, and continued each time:

flow      SIGKILL to the flow's process        } started by `reasoner-zero run`,
child     SIGKILL to the process that samples, } continued by the same command
          or to a rank of the training         }
server    SIGKILL to the temporary server      }
term      SIGTERM to the flow's process        }
disk      no free byte from the middle of the  }
          stage on (on a separate tmpfs)       }
d-flow    SIGKILL to the flow's process        } started by a worker from a deployment,
d-cancel  prefect flow-run cancel              } continued by prefect flow-run retry
d-worker  SIGKILL to the worker                ) continued, after down and up, by
d-server  SIGKILL to the server                ) prefect flow-run retry

A cell is `same` when the stage's artifact has the same bytes as the undisturbed run's, nothing was left
running, and no incomplete artifact had a final name. The last row compares summary.json and looks for
leftovers.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.flows import small_chain as chain
from pipelines.artifacts.artifact import check
from rewards.contracts.files import read_json

STAGES = ("curate", "rewards", "base", "overlap", "sample-base", "evaluate-base", "train", "report")
WITH_CHILD = ("base", "sample-base", "train")
PLAIN = ("flow", "child", "server", "term", "disk")
DEPLOYED = ("d-flow", "d-cancel", "d-worker", "d-server")
DISK_BYTES = 192 * 2**20
console = Console()


class Missed(RuntimeError):
    """The stage ended before it could be struck."""


@dataclass(slots=True)
class Place:
    """A stage of the run: where its artifact will be, and its expected content."""

    stage: str
    folder: Path
    content: str

    @property
    def partial(self) -> Path:
        return self.folder.with_suffix(".partial")


@dataclass(slots=True)
class Column:
    """One run that is struck repeatedly."""

    victim: str
    runs: Path
    config: Path
    expected: dict
    cells: dict[str, str] = field(default_factory=dict)
    api: str = ""
    run_id: str = ""
    command: subprocess.Popen | None = None

    @property
    def folder(self) -> Path:
        return self.runs / chain.NAME

    def place(self, stage: str) -> Place:
        known = self.expected["fingerprints"].get(stage, {"fingerprint": "", "content": ""})
        kind = stage.partition("-")[0]
        return Place(stage, self.runs / "artifacts" / kind / known["fingerprint"], known["content"])

    # Start, continue and wait, with the command or through a deployment.

    def go(self) -> psutil.Process:
        """Start or continue the run; returns the flow's process."""
        if not self.api:
            self.command = chain.start(self.config, self.runs)
            return psutil.Process(self.command.pid)
        if self.run_id and self.final_state() != "COMPLETED":
            chain.prefect(self.api, self.runs, "flow-run", "retry", self.run_id)
        else:
            parameters = {"config": str(self.config), "runs": str(self.runs)}
            self.run_id = chain.create_run(self.api, "reasoner-zero/demo", parameters)
        return chain.wait_for(self._flow_process, "the worker starts the flow", pause_s=0.02)

    def final_state(self) -> str:
        """Wait until the server knows how the last run ended."""

        def final() -> str:
            state = chain.state_of(self.api, self.run_id)
            return state if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else ""

        return chain.wait_for(final, f"{self.victim}: the server knows that the run has ended", limit_s=180)

    def _flow_process(self) -> psutil.Process | None:
        for process in chain.processes_of(self.runs):
            try:
                if process.environ().get("PREFECT__FLOW_RUN_ID") == self.run_id and not is_child(process):
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def ended(self, flow: psutil.Process) -> None:
        """Wait until the flow's process and everything that belongs to it have ended."""
        if self.command is not None:
            self.command.wait(timeout=chain.LONG_S)
        else:
            psutil.wait_procs([flow], timeout=chain.LONG_S)
        kept = set(self.services())
        left = lambda: not [p for p in chain.processes_of(self.runs) if p not in kept]  # noqa: E731
        chain.wait_for(left, f"{self.victim}: nothing is left running", limit_s=120)

    def services(self) -> list[psutil.Process]:
        """Server and worker of a deployment, which keep running."""
        path = self.runs / ".prefect" / "services.json"
        stored = read_json(path) if self.api and path.exists() else {}
        found = [
            psutil.Process(stored[n][0])
            for n in ("server", "worker")
            if n in stored and psutil.pid_exists(stored[n][0])
        ]
        below = [child for process in found for child in process.children(recursive=True)]
        # Their logs are written by processes of their own, which end with the last writer.
        logs = [p for p in chain.processes_of(self.runs) if found and is_log(p)]
        return found + below + logs


def is_child(process: psutil.Process) -> bool:
    return "pipelines.jobs.worker" in " ".join(process.cmdline())


def is_log(process: psutil.Process) -> bool:
    try:
        return "pipelines.orchestration.rotating_log" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def reach(column: Column, stage: str, flow: psutil.Process) -> None:
    """Wait until `stage` is in the middle of its work; a short stage is paused there (SIGSTOP)."""
    place, log = column.place(stage), column.folder / "logs" / f"{stage}.log"
    said = log.stat().st_size if log.exists() else 0
    final = column.folder / "evaluate-final"

    def is_there() -> bool:
        if not flow.is_running() or flow.status() == psutil.STATUS_ZOMBIE:
            raise chain.NotReached(f"{stage}: the run ended before it")
        if stage == "report":
            # Every run links this again, as its last action before the report.
            return final.is_symlink() and final.lstat().st_mtime > flow.create_time()
        if place.folder.exists():
            raise Missed(stage)
        if not place.partial.exists():
            return False
        if stage == "train":
            metrics = place.partial / "metrics.jsonl"
            return metrics.exists() and len(metrics.read_text().splitlines()) >= 3
        return stage not in WITH_CHILD or (log.exists() and "@progress" in log.read_text()[said:])

    chain.wait_for(is_there, stage, pause_s=0.05 if stage in WITH_CHILD else 0.0005)
    if stage == "report":
        time.sleep(0.3)
    if stage not in WITH_CHILD:
        flow.suspend()
    if (column.folder / "summary.json").exists() if stage == "report" else place.folder.exists():
        flow.resume()
        raise Missed(stage)


def strike(column: Column, stage: str, flow: psutil.Process) -> None:
    """Strike the run as the column says, and wait until it has ended."""
    victim = column.victim
    if victim in ("flow", "d-flow"):
        flow.kill()
    elif victim == "term":
        flow.terminate()
    elif victim == "child":
        family = flow.children(recursive=True)
        workers = [process for process in family if is_child(process)]
        workers[-1].kill()
    elif victim == "server":
        next(p for p in flow.children() if "uvicorn" in " ".join(p.cmdline())).kill()
    elif victim == "disk":
        fill(column.runs)
    elif victim == "d-cancel":
        # The command and the worker take seconds; a tiny stage would end before.
        held = [flow, *(process for process in flow.children(recursive=True) if is_child(process))]
        for process in held:
            process.suspend()
        chain.prefect(column.api, column.runs, "flow-run", "cancel", column.run_id)
        chain.wait_for(lambda: awaits_sigterm(flow), "the worker ends the flow")
        for process in held:
            process.resume()
    else:
        stored = read_json(column.runs / ".prefect" / "services.json")
        os.kill(stored[victim.removeprefix("d-")][0], signal.SIGKILL)
    if flow.is_running():
        flow.resume()
    if victim in ("d-worker", "d-server"):
        restart_services(column)
    column.ended(flow)
    if victim == "d-cancel":
        # A worker of Prefect 3.7.7 cancels a run only once; after a retry, only a new worker would do it.
        column.final_state()
        restart_services(column)
    (column.runs / "ballast").unlink(missing_ok=True)


def awaits_sigterm(process: psutil.Process) -> bool:
    """Was SIGTERM sent to the suspended process? True also when it is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except FileNotFoundError:
        return True
    (pending,) = (line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:"))
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


def fill(runs: Path) -> None:
    """Fill the disk of `runs` to the last byte."""
    with (runs / "ballast").open("wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def restart_services(column: Column) -> None:
    """Do what an operator does: stop everything and start it again."""
    port = int(column.api.split(":")[2].split("/")[0])
    chain.take_down(column.runs)
    chain.bring_up(column.runs, port)


def strike_in(column: Column, stage: str) -> str:
    """Run up to `stage` and strike there; returns what was wrong, or how the run ended."""
    for _attempt in range(4):
        flow = column.go()
        try:
            reach(column, stage, flow)
        except Missed:
            # The stage ended too soon: end the run, remove the result, try again.
            flow.kill()
            column.ended(flow)
            shutil.rmtree(column.place(stage).folder, ignore_errors=True)
            (column.folder / "summary.json").unlink(missing_ok=True)
            continue
        strike(column, stage, flow)
        break
    else:
        return "never hit"
    finals = [path for path in (column.runs / "artifacts").glob("*/*") if path.is_dir() and not path.suffix]
    if half := [path.name for path in finals if check(path)]:
        return f"incomplete: {', '.join(half)}"
    if stage == "report" and (column.folder / "summary.json").exists():
        return "not disturbed"
    if (
        stage != "report"
        and column.place(stage).folder.exists()
        and column.victim not in ("d-worker", "server")
    ):
        return "not disturbed"
    return "same" if column.command is None else f"same (exit {column.command.returncode})"


def run_column(column: Column, stages: list[str]) -> None:
    """Strike in every stage, let the run end, compare; fills column.cells."""
    for stage in stages:
        started = time.monotonic()
        try:
            column.cells[stage] = strike_in(column, stage)
        except (chain.NotReached, psutil.NoSuchProcess, IndexError) as error:
            column.cells[stage] = f"{type(error).__name__}: {error}"
        console.print(
            f"{column.victim:<9}{stage:<14}{column.cells[stage]}  {time.monotonic() - started:.0f} s"
        )
    column.ended(column.go())
    for stage in stages:
        place = column.place(stage)
        if place.content and read_json(place.folder / "manifest.json")["content"] != place.content:
            column.cells[stage] = "other bytes"
    rests = [
        path.name
        for path in (column.runs / "artifacts").rglob("*")
        if path.suffix in (".partial",) or ".damaged" in path.name
    ]
    same = read_json(column.folder / "summary.json") == column.expected
    column.cells["in the end"] = f"leftovers: {rests}" if rests else "same" if same else "other summary"


@contextmanager
def disk_of(runs: Path, is_small: bool) -> Iterator[None]:
    """Put `runs` on a small separate disk (a tmpfs; needs the right to mount)."""
    runs.mkdir(parents=True)
    if is_small:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(runs)], check=True)
    try:
        yield
    finally:
        if is_small:
            subprocess.run(["umount", "--lazy", str(runs)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--victims", nargs="+", choices=PLAIN + DEPLOYED, default=PLAIN + DEPLOYED)
    parser.add_argument(
        "--undisturbed", type=Path, metavar="DIR", help="folder to keep or reuse the undisturbed run in"
    )
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-matrix-"))
    # The small disk is below the limit of training's guardrail, which would stop training before it is full.
    changes = {"training.deepspeed.n_ranks": 2, "training.rails.disk": {"action": "warn", "limit": 0}}
    changes["training.restarts"] = 0  # The flow has to notice; bench/survive.py shows the restarts.
    config = chain.write_config(folder, **changes)
    started, columns = time.monotonic(), []
    try:
        whole = (arguments.undisturbed or folder / "whole").resolve()
        chain.finish(chain.start(config, whole), whole)
        expected = read_json(whole / chain.NAME / "summary.json")
        console.print(f"undisturbed run: {time.monotonic() - started:.0f} s")
        for victim in arguments.victims:
            column = Column(victim, folder / victim, config, expected)
            columns.append(column)
            stages = [s for s in arguments.stages if victim != "child" or s in WITH_CHILD]
            with disk_of(column.runs, victim == "disk"):
                seed(column, whole, stages)
                run_with_services(column, stages)
            shutil.rmtree(column.runs, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(show(columns, [*arguments.stages, "in the end"], time.monotonic() - started))


def seed(column: Column, whole: Path, stages: list[str]) -> None:
    """Copy all artifacts but those of the struck stages; later stages are reused if they are the same."""
    shutil.copytree(whole / "artifacts", column.runs / "artifacts")
    for stage in stages:
        if column.place(stage).content:
            shutil.rmtree(column.place(stage).folder)


def run_with_services(column: Column, stages: list[str]) -> None:
    if column.victim in PLAIN:
        return run_column(column, stages)
    with chain.services(column.runs) as column.api:
        run_column(column, stages)


def show(columns: list[Column], rows: list[str], seconds: float) -> int:
    """Print the matrix; 1 when a cell is not `same`."""
    table = Table(
        title=f"Struck in each stage and continued ({seconds / 60:.0f} minutes)", title_justify="left"
    )
    for name in ("stage", *(column.victim for column in columns)):
        table.add_column(name)
    for row in rows:
        table.add_row(row, *(column.cells.get(row, "-") for column in columns))
    console.print(table)
    return int(any(not cell.startswith("same") for column in columns for cell in column.cells.values()))


if __name__ == "__main__":
    main()
