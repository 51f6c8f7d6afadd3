"""Measurement of a block of code: wall time, CPU time, memory."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Wall seconds, CPU seconds (children included) and peak resident bytes of the block."""
    usage: dict[str, float] = {}
    started, cpu = time.perf_counter(), cpu_seconds()
    yield usage
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    usage |= {
        "wall_s": round(time.perf_counter() - started, 3),
        "cpu_s": round(cpu_seconds() - cpu, 3),
        "peak_memory_bytes": peak * 1024,
    }


def cpu_seconds() -> float:
    """CPU time of this process and its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
