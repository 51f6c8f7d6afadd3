"""Output of commands: lines, tables, and advice on failures. rich is imported only when printing."""

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
    """None when only the verifier is installed; output is then plain text."""
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        return None
    return Console()


def say(text: Any) -> None:
    """Print a line, or anything that rich renders; long lines are not wrapped."""
    console = _console()
    if console is None:
        sys.stdout.write(re.sub(r"\[/?[a-z]+\]", "", str(text)) + "\n")
    else:
        console.print(text, soft_wrap=isinstance(text, str))


def say_text(text: str) -> None:
    """Print a line that contains text from data, in which brackets mean nothing."""
    console = _console()
    if console is None:
        sys.stdout.write(f"{text}\n")
    else:
        console.print(text, soft_wrap=True, markup=False, highlight=False)


def show(frame, title: str) -> None:
    """Print a frame as a table, with numbers right-aligned."""
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
    """End a stage's command: print what was made, the time it took and where it is."""
    usage = artifact.manifest["usage"]
    say(f"{artifact.stage} {artifact.fingerprint}: {usage['wall_s']} s, {usage['cpu_s']} CPU-s when made")
    say(f"folder: {artifact.folder}")
    return 0


def explain_os_error(error: OSError) -> str:
    """The message of a system error; for a full disk, with what to do."""
    if error.errno != errno.ENOSPC:
        return f"{error.strerror or error}: {error.filename or ''}"
    where = f" (writing {error.filename})" if error.filename else ""
    return f"the disk is full{where}. {DISK_REMEDY}"


def explain_failure(error: RuntimeError) -> tuple[str, int]:
    """The message of a failed child process or flow, and the exit status: 3 for a full disk, else 1."""
    if os.strerror(errno.ENOSPC) in str(error):
        return f"{error}\nthe disk is full. {DISK_REMEDY}", 3
    return str(error), 1
