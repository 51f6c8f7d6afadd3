"""The child process of the heavy stages: python -m pipelines.jobs.worker JOB.json [N_RANKS [HOSTFILE]]

A job names a stage, the run's config and the folders of its inputs and output. Torch, vLLM and DeepSpeed are
imported here and never in the parent. If the parent is killed, the kernel kills this process too.
"""

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.jobs.base import make_base
from pipelines.jobs.difficulty import run_difficulty
from pipelines.jobs.job import Job
from pipelines.jobs.preflight import run_preflight
from pipelines.jobs.sample import run_sampling
from pipelines.jobs.train import run_training
from rewards.contracts.files import read_json

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    die_with_parent()
    if arguments[1:]:
        return launch_ranks(*arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    job = Job(**read_json(Path(arguments[0])))
    config = RunConfig.model_validate(job.config)
    WORKERS[job.stage](job, config)


def launch_ranks(job_file: str, n_ranks: str, hostfile: str = "") -> None:
    """Run the launcher in this process, which dies with its parent; a separate one would go on training.

    What it starts on other hosts ends when the connection or the process group breaks.
    """
    if hostfile:
        from deepspeed.launcher.runner import main as deepspeed

        return deepspeed(host_arguments(job_file, int(n_ranks), hostfile))
    from torch.distributed.run import main as torchrun

    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", f"--nproc-per-node={n_ranks}"]
    torchrun([*rendezvous, "-m", "pipelines.jobs.worker", job_file])


def host_arguments(job_file: str, n_ranks: int, hostfile: str) -> list[str]:
    """Arguments of the `deepspeed` command for the hosts in `hostfile`; ValueError unless they have `n_ranks`
    slots in total."""
    from deepspeed.launcher.runner import fetch_hostfile

    slots = fetch_hostfile(hostfile)
    if not slots or sum(slots.values()) != n_ranks:
        found = ", ".join(f"{host}: {n}" for host, n in (slots or {}).items()) or "no host"
        raise ValueError(
            f"{hostfile}: its slots ({found}) do not add up to training.deepspeed.n_ranks ({n_ranks})"
        )
    # The ranks meet at the first host; asking it for its address would need ssh even for one host.
    meeting = ["--master_addr", next(iter(slots)), "--no_ssh_check"]
    return [
        "--hostfile",
        hostfile,
        *meeting,
        "--no_local_rank",
        "--module",
        "pipelines.jobs.worker",
        job_file,
    ]


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies; exit immediately if it already has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        sys.exit("the parent process is gone")


WORKERS: dict[str, Callable[[Job, RunConfig], None]] = {
    "base": make_base,
    "preflight": run_preflight,
    "train": run_training,
    "sample": run_sampling,
    "difficulty": run_difficulty,
}

if __name__ == "__main__":
    main(sys.argv[1:])
