"""The parent's side of a job: describe it, start the child process, pass on its output."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.jobs.hosts import SLURM, Host, forwarded, read_hosts
from pipelines.jobs.process import ChildFailed, run_child
from pipelines.jobs.supervise import Restarts, Task, local_environment, run_ranks, wait
from rewards.contracts.files import read_json, write_json
from training.config import TrainingConfig

logger = logging.getLogger(__name__)
FINAL, DONE = ".final", ".done"
"""Suffixes of the files beside a job's own: a failure that would repeat, and that the job is done."""
WORKER = ("-m", "pipelines.jobs.worker")
ON_HOSTS = ("train", "preflight")
"""Stages whose ranks run on the machines of a hostfile."""
LOG = "REASONER_ZERO_LOG"
"""Environment variable with the stage's log, beside which ranks write theirs."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker must do; paths are absolute."""

    stage: str
    config: dict[str, Any]
    out: str
    model: str = ""
    """Model folder (all stages but base)."""
    rows: str = ""
    """Parquet file with the compiled prompt set (base, train, difficulty)."""
    plans: str = ""
    """Folder with one parquet file of prompts per benchmark (sample)."""
    part: int = 0
    """Number of this engine among several (sample)."""
    tensorboard: str = ""
    critic: str = ""
    """Folder of a trained critic to start from (train, preflight)."""
    is_for_ranks: bool = False
    """Whether several ranks share the job; their number is then the launcher's."""
    segment: dict[str, Any] = field(default_factory=dict)
    """What the steps are made with, see `training.saving.segments` (train)."""


def run_job(
    job: Job,
    log: Path,
    on_line: Callable[[str], None],
    n_ranks: int = 1,
    stop: threading.Event | None = None,
) -> None:
    """Run `job` to its end in child processes; their output goes to `log` and `on_line`.

    A single rank is a child of this process. Several run on this machine or, if the configuration names a
    hostfile, on its hosts. A training that loses a process or machine starts again from its newest
    checkpoint, `training.restarts` times. Raises what `pipelines.jobs.process.run_child` raises, and
    ChildFailed also when the child ends as if all were well but has not done the job.
    """
    training = job.config["training"]
    # A hostfile with a single slot names a machine all the same; other stages run here.
    is_launched = n_ranks > 1 or (job.stage in ON_HOSTS and bool(training["deepspeed"].get("hostfile")))
    restarts = Restarts(training["restarts"] if job.stage == "train" else 0, Path(job.out) / "state")
    job_file = Path(job.out) / f"job-{job.part}.json"
    final, done = job_file.with_suffix(FINAL), job_file.with_suffix(DONE)
    write_json(job_file, asdict(replace(job, is_for_ranks=is_launched)))
    try:
        while True:
            final.unlink(missing_ok=True)
            done.unlink(missing_ok=True)
            try:
                _run_once(job, job_file, log, on_line, n_ranks, stop, is_launched)
                if done.exists():
                    return
                raise ChildFailed(
                    f"the child exited with status 0, but its job is not done; whole log: {log}"
                )
            except ChildFailed as error:
                if final.exists():
                    reason = read_json(final)["reason"]
                    raise ChildFailed(f"{reason}\n{error}") from error
                if stop is not None and stop.is_set() or (pause := restarts.pause_s()) is None:
                    raise
                what = str(error).splitlines()[0]
                logger.warning("%s; starting again from the newest checkpoint in %.0f s", what, pause)
                wait(pause, stop)
    finally:
        for file in (job_file, final, done):
            file.unlink(missing_ok=True)


def _run_once(
    job: Job,
    job_file: Path,
    log: Path,
    on_line: Callable[[str], None],
    n_ranks: int,
    stop: threading.Event | None,
    is_launched: bool,
) -> None:
    arguments = [*WORKER, str(job_file)]
    environment = {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(n_threads(job.config, n_ranks))),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # See training.ranks.
        LOG: str(log),
        **cache_folders(Path(job.out)),
    }
    hours = job.config["deadline_hours"]
    deadline_s = None if hours is None else hours * 3600
    settings = job.config["training"]["deepspeed"]
    if not is_launched:
        run_child(
            [sys.executable, *arguments],
            log=log,
            on_line=on_line,
            environment=environment | local_environment(),
            deadline_s=deadline_s,
            stop=stop,
        )
        return
    hostfile, shell = settings["hostfile"], settings["remote_shell"]
    if hostfile:
        hosts = read_hosts(hostfile)
        slots = sum(host.slots for host in hosts)
        if slots != n_ranks:
            found = ", ".join(f"{host}: {host.slots}" for host in hosts)
            raise ValueError(
                f"{hostfile}: its slots ({found}) do not add up to training.deepspeed.n_ranks ({n_ranks})"
            )
        shell = SLURM if hostfile == SLURM and shell.startswith("ssh ") else shell
        environment = forwarded(os.environ) | environment
    else:
        hosts = [Host("", n_ranks)]
        environment |= local_environment()
    task = Task(arguments, environment, log)
    run_ranks(task, hosts, shell, lambda n: allowed_ranks(job.config, n), on_line, deadline_s, stop)


def allowed_ranks(config: dict[str, Any], n_slots: int) -> int:
    """The most ranks that the configuration allows on `n_slots`; 0 when that is fewer than its min_ranks."""
    settings = config["training"]["deepspeed"]
    wanted = settings["n_ranks"]
    for n in range(min(n_slots, wanted), (settings["min_ranks"] or wanted) - 1, -1):
        table = {**config["training"], "deepspeed": {**settings, "n_ranks": n, "hpz_ranks": 1}}
        try:
            TrainingConfig.model_validate(table)
        except ValueError:  # For example prompts_per_step that n does not divide.
            continue
        return n
    return 0


def n_threads(config: dict[str, Any], n_ranks: int) -> int:
    """Threads per rank: a tiny model is faster on one, and then gives the same numbers on every machine."""
    if config["training"]["model"]["scratch"] is not None:
        return 1
    return max(1, min(8, len(os.sched_getaffinity(0))) // n_ranks)


def cache_folders(out: Path) -> dict[str, str]:
    """Environment that puts compiled kernels, checks of models (`training.selfcheck`) and temporary files
    beside the artifacts, since /tmp may be small, full or on another disk."""
    root = out.parents[2] / ".cache"
    folders = {
        "TMPDIR": root / "tmp",
        "TORCHINDUCTOR_CACHE_DIR": root / "inductor",
        "VLLM_CACHE_ROOT": root / "vllm",
        "REASONER_ZERO_CHECKS": root / "checks",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {name: str(folder) for name, folder in folders.items()}
