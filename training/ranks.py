"""The rank of this process among the training processes, and the few collective operations PPO needs."""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

# Whether there are GPUs is asked of the driver's library, without starting CUDA: vLLM may still have to fork.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Process `rank` of `world`; its tensors are on `device`."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, x: Tensor) -> Tensor:
        """Sum over ranks, in place (float64 in, float64 out: counts and moments stay exact)."""
        if self.world > 1:
            dist.all_reduce(x)
        return x

    def max(self, x: int) -> int:
        """Maximum of an integer over ranks."""
        if self.world == 1:
            return x
        tensor = torch.tensor(x, device=self.device)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return int(tensor.item())

    def largest(self, x: float) -> float:
        """Maximum of a float over ranks."""
        if self.world == 1:
            return x
        tensor = torch.tensor(x, device=self.device, dtype=torch.float64)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX)
        return float(tensor.item())

    def of_first(self, make: Callable[[], Result]) -> Result:
        """What `make` returns on the first rank, for every rank; the others wait for it."""
        shared = [make() if self.is_first else None]
        if self.world > 1:
            dist.broadcast_object_list(shared, src=0)
        return cast(Result, shared[0])

    def use_device(self) -> None:
        """Make this rank's device the current one of a new thread, which otherwise starts with the first."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    def barrier(self) -> None:
        if self.world > 1:
            dist.barrier()


def join_ranks(timeout_hours: float = 6.0) -> Ranks:
    """Join the process group that the launcher's environment describes; without one, a group of one.

    A rank waits `timeout_hours` for another, which may be writing a checkpoint or sampling its last response.
    """
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "0")
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        os.environ.setdefault(name, value)
    import deepspeed
    from deepspeed.ops import __compatible_ops__

    # Compiling this operator takes minutes at first use; gloo supports the same calls.
    __compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed(verbose=False, timeout=timedelta(hours=timeout_hours))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return Ranks(dist.get_rank(), dist.get_world_size(), device)


def end_rank() -> NoReturn:
    """End this process, whose work is done and written, without the interpreter's own end.

    There it aborts ("terminate called without an active exception") whenever one of gloo's threads still
    holds a tensor of the last collective operation: the thread asks for an interpreter that is gone.
    Leaving the group is not enough, since DeepSpeed's references keep its threads alive.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
