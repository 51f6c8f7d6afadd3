"""Compilation of the loops that curation runs: about half a minute, once; later runs load them from disk.

compile_first({"tokens": lambda: mathematics(EXAMPLES)}, kernels)
"""

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import polars as pl

logger = logging.getLogger(__name__)

EXAMPLES = pl.Series(
    [
        "Find the number of positive integers that divide 2024 and exceed 12.",
        "Find how many positive integers divide 2024 and exceed 12.",
        "Solve step by step. Find the number of positive integers that divide 2024 and exceed 12.",
    ]
)
PROTECTED = pl.DataFrame(
    {"benchmark": ["b"], "question_id": ["1"], "problem": ["How many primes are below 100 and above 12?"]}
)


def is_compiled(module: ModuleType) -> bool:
    """True when an earlier run left the compiled loops of `module` on disk."""
    loops = (loop for loop in vars(module).values() if hasattr(loop, "py_func"))
    own = (loop for loop in loops if loop.py_func.__module__ == module.__name__)
    folders = {Path(loop._cache.cache_path) for loop in own}
    stem = module.__name__.rpartition(".")[2]
    return any(list(folder.glob(f"{stem}.*.nbi")) for folder in folders)


def compile_first(steps: Mapping[str, Callable[[], object]], last: ModuleType) -> None:
    """Take `steps` unless the loops of the module that they need last are on disk: with a bar on a terminal,
    log lines elsewhere."""
    if is_compiled(last):
        return
    from rich.console import Console
    from rich.progress import track

    logger.info("compiling loops: about half a minute, only in the first run")
    console, names = Console(file=sys.stderr), list(steps)
    title = "compiling, only in the first run"
    shown = track(names, title, console=console, transient=True, disable=not console.is_terminal)
    for done, name in enumerate(shown, start=1):
        logger.info("compiling=%s step=%d/%d", name, done, len(names))
        steps[name]()
