"""Progress of a stage: a rich bar on a terminal, otherwise one key=value line every few seconds.

A child process reports through its output: `Progress.line` reads the lines that `report(...)` prints.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

logger = logging.getLogger(__name__)
MARK = "@progress "
QUIET_INTERVAL_S = 8.0
"""Seconds between lines off a terminal; nobody should see nothing for ten."""
console = Console(stderr=True)
OnAdvance = Callable[[int, int | None], None]
"""Called with the number of units done and the total."""


class Progress:
    """Context manager around one stage; counts are absolute, and those of its `n_parts` are added up."""

    def __init__(self, stage: str, unit: str, n_parts: int = 1, on_advance: OnAdvance | None = None) -> None:
        self.stage, self.unit, self.on_advance = stage, unit, on_advance
        self.parts: list[tuple[int, int | None]] = [(0, None)] * n_parts
        self.last_line = time.monotonic()
        self.bar: Bar | None = None
        self.start = ExitStack()

    def __enter__(self) -> Self:
        if console.is_terminal:
            self.bar = Bar(
                TextColumn("[bold]{task.description:<10}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn(self.unit),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=console,
            )
            self.bar.start()
            self.task = self.bar.add_task(self.stage, total=None, note="")
        else:
            self.start.enter_context(waiting(f"stage={self.stage} starting"))
        return self

    def __exit__(self, *_: object) -> None:
        self.start.close()
        if self.bar is not None:
            self.bar.stop()

    def advance(self, done: int, total: int | None, **fields: Any) -> None:
        """Show `done` of `total` units, and the numbers in `fields`."""
        self.start.close()
        if self.on_advance is not None:
            self.on_advance(done, total)
        note = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total, note=note)
        elif time.monotonic() - self.last_line >= QUIET_INTERVAL_S or done == total:
            self.last_line = time.monotonic()
            logger.info("stage=%s %s=%d/%s %s", self.stage, self.unit, done, total or "?", note)

    def line(self, text: str) -> None:
        """Read a line of a child's output."""
        self._take(0, text)

    def part(self, index: int) -> Callable[[str], None]:
        """A function that reads the output lines of one of several children."""
        return partial(self._take, index)

    def _take(self, index: int, text: str) -> None:
        if text.startswith(MARK):
            event = json.loads(text.removeprefix(MARK))
            self.parts[index] = (event.pop("done"), event.pop("total"))
            totals = [total for _, total in self.parts if total is not None]
            total = sum(totals) if len(totals) == len(self.parts) else None
            self.advance(sum(done for done, _ in self.parts), total, **event)
        elif " ERROR " in text or " WARNING " in text:
            logger.warning("%s: %s", self.stage, text)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Log `what` every few seconds, less often with time, until the block ends."""
    over, begun = threading.Event(), time.monotonic()

    def say() -> None:
        while not over.wait(max(QUIET_INTERVAL_S, (time.monotonic() - begun) / 4)):
            logger.info("%s: %.0f s", what, time.monotonic() - begun)

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def report(done: int, total: int | None, **fields: Any) -> None:
    """Report this process's progress to the parent."""
    sys.stdout.write(MARK + json.dumps({"done": done, "total": total, **fields}) + "\n")
    sys.stdout.flush()


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
