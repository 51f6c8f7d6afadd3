"""Where the steps of curation run: in this process, in worker processes, or on a Ray cluster.

Every step is a function from files to files whose output gets its final name only when it is complete, so a
call that was lost with its worker is repeated and gives the same bytes.
"""

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import chdir, contextmanager
from typing import Any, Literal, Protocol

from pydantic import Field

from rewards.contracts.files import ROOT
from rewards.contracts.settings import Settings


class ExecutionConfig(Settings):
    """Where the steps run, and how much of the corpus each keeps in memory. Does not affect the result."""

    executor: Literal["serial", "processes", "ray"] = "serial"
    """serial: this process; processes: worker processes on this machine; ray: a Ray cluster, which must see
    the same folders."""
    n_workers: int = Field(default=2, ge=1)
    """Worker processes, or CPUs of a local Ray cluster."""
    address: str | None = None
    """Address of a running Ray cluster; unset: a local one is started."""
    rows_per_part: int = Field(default=50_000, ge=1)
    """Rows read, cleaned up and filtered at a time."""
    rows_per_partition: int = Field(default=250_000, ge=1)
    """Approximate number of rows compared at a time; rows are partitioned by the hash of their numbers."""
    retries: int = Field(default=3, ge=0)
    """How often a step is repeated when its worker dies."""


class Executor(Protocol):
    """Calls one function many times, anywhere, and returns the results in order."""

    def map(self, function: Callable, calls: Sequence[tuple]) -> Iterator[Any]: ...


class Serial:
    def map(self, function: Callable, calls: Sequence[tuple]) -> Iterator[Any]:
        return (function(*call) for call in calls)


class Processes:
    """Worker processes; when one dies, new ones repeat its work."""

    def __init__(self, n_workers: int, retries: int) -> None:
        self.n_workers, self.retries = n_workers, retries
        self.pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.n_workers, mp_context=multiprocessing.get_context("spawn"))

    def map(self, function: Callable, calls: Sequence[tuple]) -> Iterator[Any]:
        results: dict[int, Any] = {}
        for attempt in range(self.retries + 1):
            try:
                missing = [number for number in range(len(calls)) if number not in results]
                futures = {self.pool.submit(function, *calls[number]): number for number in missing}
                for future in as_completed(futures):
                    results[futures[future]] = future.result()
                break
            except BrokenProcessPool:
                if attempt == self.retries:
                    raise
                self.close()
                self.pool = self._start()
        return (results[number] for number in range(len(calls)))

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


class Ray:
    """Tasks on a Ray cluster; Ray itself repeats those of a lost worker."""

    def __init__(self, retries: int) -> None:
        self.retries = retries

    def map(self, function: Callable, calls: Sequence[tuple]) -> Iterator[Any]:
        import ray

        call = _in_folder(function, os.getcwd())
        task = ray.remote(max_retries=self.retries, num_cpus=1)(call).options(name=function.__name__)
        return iter(ray.get([task.remote(*call) for call in calls]))


def _in_folder(function: Callable, folder: str) -> Callable:
    """The function, called in `folder`, so that relative paths mean the same there as here."""

    def call(*arguments: Any) -> Any:
        os.chdir(folder)
        return function(*arguments)

    return call


@contextmanager
def open_executor(config: ExecutionConfig) -> Iterator[Executor]:
    """Start the executor that `config` names and stop it afterward; ValueError when Ray is not installed."""
    if config.executor == "serial":
        yield Serial()
    elif config.executor == "processes":
        processes = Processes(config.n_workers, config.retries)
        try:
            yield processes
        finally:
            processes.close()
    else:
        if importlib.util.find_spec("ray") is None:
            raise ValueError("curation.execution.executor = 'ray' needs the package ray: pip install ray")
        import ray

        own = not ray.is_initialized()
        if own:
            cpus = None if config.address else config.n_workers
            # Workers import modules first from the folder where Ray was started. That must not be the user's
            # folder, which may contain a rewards.py.
            with chdir(ROOT):
                ray.init(address=config.address, num_cpus=cpus, include_dashboard=False, log_to_driver=False)
        try:
            yield Ray(config.retries)
        finally:
            if own:
                ray.shutdown()
