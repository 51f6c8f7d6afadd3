"""The parent's side of a job: describe it, start the child process, pass on its output."""

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.jobs.process import run_child
from rewards.contracts.files import write_json


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
    """Folder of a trained critic to start from (train)."""
    segment: dict[str, Any] = field(default_factory=dict)
    """What the steps are made with, see `training.saving.segments` (train)."""


def run_job(
    job: Job,
    log: Path,
    on_line: Callable[[str], None],
    n_ranks: int = 1,
    stop: threading.Event | None = None,
) -> None:
    """Run `job` in a child process; its output goes to `log` and `on_line`.

    Several ranks run on this machine (torchrun) or, if the configuration names a hostfile, on its hosts
    (deepspeed over ssh). Raises what `pipelines.jobs.process.run_child` raises: TimeoutError after the run's
    `deadline_hours`.
    """
    job_file = Path(job.out) / f"job-{job.part}.json"
    write_json(job_file, asdict(job))
    command = [sys.executable, "-m", "pipelines.jobs.worker", str(job_file)]
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
    """Threads per rank: a tiny model is faster on one, and then gives the same numbers on every machine."""
    if config["training"]["model"]["scratch"] is not None:
        return 1
    return max(1, min(8, len(os.sched_getaffinity(0))) // n_ranks)


def cache_folders(out: Path) -> dict[str, str]:
    """Environment that puts compiled kernels and temporary files beside the artifacts, since /tmp may be
    small, full or on another disk."""
    root = out.parents[2] / ".cache"
    folders = {
        "TMPDIR": root / "tmp",
        "TORCHINDUCTOR_CACHE_DIR": root / "inductor",
        "VLLM_CACHE_ROOT": root / "vllm",
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {name: str(folder) for name, folder in folders.items()}
