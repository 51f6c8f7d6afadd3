"""What commands print: tables, and what to do about a failure. rich is imported at the first line."""

import errno
import os
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

DISK_REMEDY = "Finished stages are kept: free some space and run the same command again"


@cache
def _console():
    """None where only the verifier is installed: then lines are plain."""
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        return None
    return Console()


def say(text: Any) -> None:
    """Print a line, or anything that rich renders; a long path is not broken."""
    console = _console()
    if console is None:
        sys.stdout.write(re.sub(r"\[/?[a-z]+\]", "", str(text)) + "\n")
    else:
        console.print(text, soft_wrap=isinstance(text, str))


def show(frame, title: str) -> None:
    """Print a frame as a table, numbers to the right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(cell(value) for value in row))
    say(table)


def show_rows(rows: Iterable[Iterable[str]], *columns: str, title: str | None = None) -> None:
    """Print rows of text as a table; without `columns` it has no header."""
    if _console() is None:
        for row in rows:
            say("  ".join(row))
        return
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", show_header=bool(columns))
    for row in rows:
        table.add_row(*row)
    say(table)


def cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def say_made(artifact) -> int:
    """End a stage's command: what was made, what it took and where it lies."""
    usage = artifact.manifest["usage"]
    say(f"{artifact.stage} {artifact.fingerprint}: {usage['wall_s']} s, {usage['cpu_s']} CPU-s when made")
    say(f"lies in {artifact.folder}")
    return 0


def explain_os_error(error: OSError) -> str:
    """Say what to do about a full disk; any other system error as it is."""
    if error.errno != errno.ENOSPC:
        return f"{error.strerror or error}: {error.filename or ''}"
    where = f" (writing {error.filename})" if error.filename else ""
    return f"the disk is full{where}. {DISK_REMEDY}"


def explain_failure(error: RuntimeError) -> str:
    """The message of a failed child or flow; when its disk was full, what to do comes last."""
    full = os.strerror(errno.ENOSPC) in str(error)
    return f"{error}\nthe disk is full. {DISK_REMEDY}" if full else str(error)
