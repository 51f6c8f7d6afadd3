"""The child process of the heavy stages, one per rank: python -m pipelines.jobs.worker JOB.json

A job names a stage, the run's config and the folders of its inputs and output. Torch, vLLM and DeepSpeed are
imported here and never in the parent. If the parent is killed, the kernel kills this process too.
"""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.jobs.base import make_base
from pipelines.jobs.difficulty import run_difficulty
from pipelines.jobs.job import DONE, FINAL, LOG, ON_HOSTS, Job
from pipelines.jobs.preflight import run_preflight
from pipelines.jobs.process import die_with_parent
from pipelines.jobs.sample import run_sampling
from pipelines.jobs.supervise import rank_log
from pipelines.jobs.train import run_training
from rewards.contracts.files import read_json, write_json


def main(arguments: list[str]) -> None:
    die_with_parent()
    file = Path(arguments[0])
    rank, world = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1)))
    if rank and LOG in os.environ:
        write_to(rank_log(Path(os.environ[LOG]), rank))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    job = Job(**read_json(file))
    config = RunConfig.model_validate(job.config)
    if job.is_for_ranks and world != config.training.deepspeed.n_ranks:
        config = with_ranks(config, world)
    try:
        WORKERS[job.stage](job, config)
    except Exception as error:
        if would_repeat(error):
            reason = "".join(traceback.format_exception_only(error)).strip()
            write_json(file.with_suffix(FINAL), {"rank": rank, "reason": reason})
        raise
    if rank == 0:
        file.with_suffix(DONE).touch()
    if job.stage in ON_HOSTS:
        from training.ranks import end_rank

        end_rank()


def would_repeat(error: Exception) -> bool:
    """True when another start would fail as well: not for what a lost process, machine or network causes."""
    if type(error).__name__ in ("Stopped", "OutOfSync"):  # Guardrails; importing them would import torch.
        return True
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT, errno.EACCES, errno.EROFS)
    return not isinstance(error, RuntimeError | TimeoutError | EOFError)


def with_ranks(config: RunConfig, n_ranks: int) -> RunConfig:
    """The configuration for another number of ranks; ValueError when it does not allow that many."""
    table = config.model_dump()
    table["training"]["deepspeed"]["n_ranks"] = n_ranks
    return RunConfig.model_validate(table)


def write_to(log: Path) -> None:
    """Send this process's output to a file of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout.write(f"---- started {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z} ----\n")
    sys.stdout.flush()


WORKERS: dict[str, Callable[[Job, RunConfig], None]] = {
    "base": make_base,
    "preflight": run_preflight,
    "train": run_training,
    "sample": run_sampling,
    "difficulty": run_difficulty,
}

if __name__ == "__main__":
    main(sys.argv[1:])
