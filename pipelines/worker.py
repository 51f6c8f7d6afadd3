"""The child process of the heavy stages: python -m pipelines.worker JOB.json [N_RANKS [HOSTFILE]]

A job names a stage, the run's config and the folders of its inputs and output. Torch, vLLM and DeepSpeed are
imported here and never in the parent. Should the parent be killed, the kernel kills this process too.
"""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.config import RunConfig
from pipelines.process import run_child
from pipelines.progress import report
from rewards.files import read_json, write_json

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does; paths are absolute."""

    stage: str
    config: dict[str, Any]
    out: str
    model: str = ""
    """Model folder (train, sample) or empty."""
    rows: str = ""
    """Parquet with the problems (base) or compiled prompts (train)."""
    plans: str = ""
    """Folder with one parquet of prompts a benchmark (sample)."""
    part: int = 0
    """Which of several engines this is (sample)."""
    tensorboard: str = ""
    critic: str = ""
    """Folder of the trained critic to go on with (train)."""


def run_job(
    job: Job,
    log: Path,
    on_line: Callable[[str], None],
    n_ranks: int = 1,
    stop: threading.Event | None = None,
) -> None:
    """Run `job` in a child process; its output goes to `log` and `on_line`.

    Several ranks run on this machine (torchrun) or, where the configuration names a hostfile, on its hosts
    (deepspeed over ssh). Raises what `pipelines.process.run_child` raises, TimeoutError past the run's
    `deadline_hours`.
    """
    job_file = Path(job.out) / f"job-{job.part}.json"
    write_json(job_file, asdict(job))
    command = [sys.executable, "-m", "pipelines.worker", str(job_file)]
    hostfile = job.config["training"]["deepspeed"]["hostfile"] if n_ranks > 1 else None
    if n_ranks > 1:
        command.append(str(n_ranks))
    if hostfile:
        command.append(str(Path(hostfile).resolve()))
    environment = {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(n_threads(job.config, n_ranks))),
        "TOKENIZERS_PARALLELISM": "false",
        **({} if hostfile else {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo")}),
        **cache_folders(Path(job.out)),
    }
    hours = job.config["deadline_hours"]
    deadline_s = None if hours is None else hours * 3600
    try:
        run_child(
            command, log=log, on_line=on_line, environment=environment, deadline_s=deadline_s, stop=stop
        )
    finally:
        job_file.unlink(missing_ok=True)


def n_threads(config: dict[str, Any], n_ranks: int) -> int:
    """Threads of one rank: a tiny model is faster on one, and gives the same numbers on every machine."""
    if config["training"]["model"]["scratch"] is not None:
        return 1
    return max(1, min(8, len(os.sched_getaffinity(0))) // n_ranks)


def cache_folders(out: Path) -> dict[str, str]:
    """Compiled kernels and temporary files go beside the artefacts: /tmp may be small, full or another
    disk."""
    root = out.parents[2] / ".cache"
    folders = {
        "TMPDIR": root / "tmp",
        "TORCHINDUCTOR_CACHE_DIR": root / "inductor",
        "VLLM_CACHE_ROOT": root / "vllm",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {name: str(folder) for name, folder in folders.items()}


def main(arguments: list[str]) -> None:
    die_with_parent()
    if arguments[1:]:
        return launch_ranks(*arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    job = Job(**read_json(Path(arguments[0])))
    config = RunConfig.model_validate(job.config)
    WORKERS[job.stage](job, config)


def launch_ranks(job_file: str, n_ranks: str, hostfile: str = "") -> None:
    """Run the launcher in this process, which dies with its parent; one of its own would train on alone.

    What it starts on other hosts ends when its connection or the process group breaks.
    """
    if hostfile:
        from deepspeed.launcher.runner import main as deepspeed

        return deepspeed(host_arguments(job_file, int(n_ranks), hostfile))
    from torch.distributed.run import main as torchrun

    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", f"--nproc-per-node={n_ranks}"]
    torchrun([*rendezvous, "-m", "pipelines.worker", job_file])


def host_arguments(job_file: str, n_ranks: int, hostfile: str) -> list[str]:
    """Arguments of the `deepspeed` command for the hosts of `hostfile`; ValueError when they have not n_ranks
    slots."""
    from deepspeed.launcher.runner import fetch_hostfile

    slots = fetch_hostfile(hostfile)
    if not slots or sum(slots.values()) != n_ranks:
        found = ", ".join(f"{host}: {n}" for host, n in (slots or {}).items()) or "no host"
        raise ValueError(f"{hostfile}: its slots ({found}) are not training.deepspeed.n_ranks ({n_ranks})")
    # The first host is where the ranks meet; asking it for its address would need ssh even for one host.
    meeting = ["--master_addr", next(iter(slots)), "--no_ssh_check"]
    return ["--hostfile", hostfile, *meeting, "--no_local_rank", "--module", "pipelines.worker", job_file]


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies; leave at once if it already has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        sys.exit("the parent process is gone")


def make_base(job: Job, config: RunConfig) -> None:
    from training.base_model import make_base_model

    warmup = config.training.model.warmup
    n_steps = sum(phase.n_steps for phase in warmup.phases) if warmup else None
    make_base_model(
        config.training,
        pl.read_parquet(job.rows),
        Path(job.out),
        lambda done, loss: report(done, n_steps, loss=loss),
    )


def run_training(job: Job, config: RunConfig) -> None:
    from pipelines.evaluate_in_training import context_tokens, make_evaluate, read_texts
    from training.train import train

    prompts, out = pl.read_parquet(job.rows), Path(job.out)

    def on_step(step: int, metrics: dict) -> None:
        shown = ("reward", "response_tokens", "truncated", "mismatch_mean")
        known = {name: metrics[name] for name in shown if metrics[name] is not None}
        report(step, config.training.total_steps, **known)

    train(
        config.training,
        prompts,
        Path(job.model),
        out,
        tensorboard=Path(job.tensorboard) if job.tensorboard else None,
        on_step=on_step,
        read_texts=read_texts,
        evaluate=make_evaluate(config, prompts, Path(job.model), out / "evaluations")
        if config.training.eval_every
        else None,
        min_context=context_tokens(config),
        critic=Path(job.critic) if job.critic else None,
    )


def run_sampling(job: Job, config: RunConfig) -> None:
    evals, rollout = config.evals, config.training.rollout
    own_gpus(job.part, rollout.tensor_parallel)
    from evals.plan import Plan
    from evals.sampling import sample
    from pipelines.sample import write_part
    from training.rollout.engine import open_engine

    plans = [
        Plan(entry.name, evals.conditions(entry), entry.n_samples, pl.read_parquet(path))
        for entry in evals.benchmarks
        if (path := Path(job.plans) / f"{entry.name}.parquet").exists()
    ]
    sizes = [plan.prompts.height * plan.n_samples for plan in plans]
    total = sum(len(range(job.part, size, evals.n_engines)) for size in sizes)
    engine = open_engine(config.training, Path(job.model), config.eval_context_tokens)
    done = n_tokens = 0
    started = time.perf_counter()

    def advance(n: int) -> None:
        nonlocal done
        done += n
        speed = {"tokens_per_s": n_tokens / (time.perf_counter() - started)} if n_tokens else {}
        report(done, total, **speed)

    def count(n: int) -> None:
        nonlocal n_tokens
        n_tokens += n

    folder = Path(job.out) / "completions"
    for plan in plans:
        generated = sample(
            engine,
            plan,
            config=evals,
            folder=folder,
            part=(job.part, evals.n_engines),
            on_progress=advance,
            on_tokens=count,
        )
        write_part(generated, folder, plan.benchmark, job.part)
    engine.close()


def own_gpus(part: int, tensor_parallel: int) -> None:
    """Leave this process its share of the GPUs that the run may see; called before torch looks for them."""
    visible = visible_gpus()
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(
            visible[part * tensor_parallel : (part + 1) * tensor_parallel]
        )


def visible_gpus() -> list[str]:
    """Ids of the GPUs that this run may use, without loading torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu]
    return [str(index) for index in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))]


def run_preflight(job: Job, config: RunConfig) -> None:
    from pipelines.evaluate_in_training import context_tokens
    from training.preflight import preflight

    found = preflight(config.training, Path(job.model), context_tokens(config))
    if os.environ.get("RANK", "0") == "0":
        write_json(Path(job.out) / "preflight.json", found)


def run_difficulty(job: Job, config: RunConfig) -> None:
    from curation.difficulty import measure
    from pipelines.difficulty import training_prompts
    from training.rollout.engine import open_engine

    prompts, done = training_prompts(Path(job.rows)), 0
    training, rollout = config.training, config.training.rollout
    engine = open_engine(training, Path(job.model), rollout.max_prompt_tokens + rollout.max_new_tokens)

    def advance(n: int) -> None:
        nonlocal done
        done += n
        report(done, prompts.height)

    out = Path(job.out)
    folder, settings = out / "samples", config.difficulty
    counts = measure(engine, prompts, training.prompt, rollout.sampling, settings, folder, advance)
    counts.write_parquet(out / "counts.parquet")
    engine.close()


WORKERS: dict[str, Callable[[Job, RunConfig], None]] = {
    "base": make_base,
    "preflight": run_preflight,
    "train": run_training,
    "sample": run_sampling,
    "difficulty": run_difficulty,
}

if __name__ == "__main__":
    main(sys.argv[1:])
