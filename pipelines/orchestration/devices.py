"""GPUs as devices: a stage leases as many as it needs, by name, and nobody else gets them meanwhile.

    with lease(2, folder, holder="flow run 1b2c..."):      # CUDA_VISIBLE_DEVICES names two free devices
        ...

A lease is a lock on `folder`/<device>, which the kernel frees however the holder ends. The file names the
holder. All devices of a stage are taken at once or none, so two stages cannot wait for each other.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from pipelines.config import RunConfig
from pipelines.jobs.gpus import visible_gpus

logger = logging.getLogger(__name__)
PAUSE_S = 0.5
VISIBLE = "CUDA_VISIBLE_DEVICES"


def n_devices(config: RunConfig, stage: str) -> int:
    """GPUs that the stage's children use: one for each training rank or for each part of each engine."""
    parts = config.training.rollout.tensor_parallel
    wanted = {
        "base": 1,
        "train": config.training.deepspeed.n_ranks,
        "anneal": config.training.deepspeed.n_ranks,
        "sample": config.evals.n_engines * parts,
        "difficulty": parts,
    }
    return wanted.get(stage, 0)


@contextmanager
def lease(n: int, folder: Path, holder: str, devices: Sequence[str] | None = None) -> Iterator[list[str]]:
    """Hold `n` of this process's devices and make only them visible to its children; wait for free ones.

    ValueError when this machine has fewer. Without devices (a CPU) nothing is held.
    """
    all_devices = list(visible_gpus() if devices is None else devices)
    if not all_devices or not n:
        yield []
        return
    if n > len(all_devices):
        raise ValueError(f"this stage needs {n} GPUs, and the worker has {len(all_devices)}: {all_devices}")
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get(VISIBLE)
    with ExitStack() as held:
        taken = _wait(n, folder, all_devices, holder, held)
        os.environ[VISIBLE] = ",".join(taken)
        try:
            yield taken
        finally:
            if before is None:
                os.environ.pop(VISIBLE, None)
            else:
                os.environ[VISIBLE] = before


def _wait(n: int, folder: Path, devices: Sequence[str], holder: str, held: ExitStack) -> list[str]:
    is_said = False
    while True:
        with (folder / ".taking").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # Two takers must not hold half of what each needs.
            free = [(device, file) for device in devices if (file := _try(folder / _file(device)))]
            for _, file in free[n:] if len(free) >= n else free:
                file.close()
            if len(free) >= n:
                for _, file in free[:n]:
                    file.seek(0)
                    file.truncate()
                    file.write(holder)
                    file.flush()
                    held.enter_context(file)
                return [device for device, _ in free[:n]]
        if not is_said:
            logger.info("waiting for %d of %d GPUs; held: %s", n, len(devices), holders(folder))
            is_said = True
        time.sleep(PAUSE_S)


def _file(device: str) -> str:
    return device.replace("/", "_")


def _try(path: Path) -> IO[str] | None:
    """The file with its lock held, or None when somebody else holds it."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def holders(folder: Path) -> dict[str, str]:
    """Who holds which device now."""
    found = {}
    for path in sorted(folder.glob("[!.]*")):
        file = _try(path)
        if file is None:
            found[path.name] = path.read_text()
        else:
            file.close()
    return found
