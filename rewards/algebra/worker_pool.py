"""Resource-limited worker processes: sympy when nothing else decided, and Math-Verify; replaced when they
die.

A worker starts on first use, and exits when its input closes or its parent is gone. Any number of threads may
ask; a forked process starts its own workers.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rewards.algebra.sympy_worker import Rule, to_tree
from rewards.answer.types import Expression
from rewards.contracts.files import child_environment

MAX_WORKERS = 2
"""Worker processes per parent process."""
START_LIMIT_S = 60.0
WALL_LIMIT_S = 20.0
"""Wall seconds after which a worker that neither answers nor uses CPU time is abandoned."""


SYMPY, MATH_VERIFY = "rewards.algebra.sympy_worker", "rewards.algebra.math_verify_worker"
"""The programs that workers run."""


class _Worker:
    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )
        self.cpu_s = 0.0
        """CPU seconds of the process up to its last answer."""
        state = self._read(START_LIMIT_S)
        if state != "ready":
            self.stop()
            raise ImportError(state or f"the worker {program} did not start")

    def ask(self, question: bytes) -> str | None:
        """Return the answer, or None when the worker died or hung on the question."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(question + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        return self._read(WALL_LIMIT_S)

    def _read(self, limit_s: float) -> str | None:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], limit_s)
        finding, _, used = (self.process.stdout.readline() if readable else b"").decode().rpartition(" ")
        self.cpu_s = float(used) if used else _cpu_time_of(self.process.pid)
        return finding or None

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _cpu_time_of(pid: int) -> float:
    """CPU seconds of a process that is running or has not been waited for yet."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_spent = threading.local()
"""CPU time that workers spent on each thread's questions."""


def cpu_time() -> float:
    """CPU seconds of this thread, plus those of workers on its questions (not of their startup)."""
    return time.thread_time() + getattr(_spent, "cpu_s", 0.0)


class WorkerPool:
    """A pool that lends each question its own worker."""

    def __init__(self, n_workers: int = MAX_WORKERS, program: str = SYMPY) -> None:
        self._program = program
        self._owner = os.getpid()
        self._slots = threading.BoundedSemaphore(n_workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    @property
    def is_ours(self) -> bool:
        """False in a process forked from the one that made the pool."""
        return self._owner == os.getpid()

    def ask(self, gold: Expression, response: Expression, rule: Rule = "simplified") -> str:
        """Return same, different, unknown or timeout."""
        return self.put([rule, to_tree(gold), to_tree(response)])

    def value(self, constant: Expression) -> tuple[str, str] | None:
        """Return the real and imaginary parts of sympy's value, 20 digits each; None when it has no value."""
        real, comma, imaginary = self.put(["value", to_tree(constant)]).partition(",")
        return (real, imaginary) if comma else None

    def put(self, question: list[Any]) -> str:
        """Send a question to a worker and wait for its finding; `timeout` when the worker died on it."""
        line = json.dumps(question).encode()
        with self._slots:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or _Worker(self._program)
            before = worker.cpu_s
            answer = worker.ask(line)
            _spent.cpu_s = getattr(_spent, "cpu_s", 0.0) + worker.cpu_s - before
            if answer is None:
                worker.stop()
                return "timeout"
            with self._lock:
                self._idle.append(worker)
            return answer

    def close(self) -> None:
        """Stop the idle workers; a forked process also runs this at exit, and leaves its parent's alone."""
        if not self.is_ours:
            return
        with self._lock:
            while self._idle:
                self._idle.pop().stop()


_pools: dict[str, WorkerPool] = {}
_pool_lock = threading.Lock()


def _renew_lock() -> None:
    global _pool_lock
    _pool_lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def shared_pool(program: str = SYMPY) -> WorkerPool:
    """Return this process's pool of workers for a program, created on first use."""
    with _pool_lock:
        pool = _pools.get(program)
        if pool is None or not pool.is_ours:
            pool = _pools[program] = WorkerPool(program=program)
            atexit.register(pool.close)
        return pool
