"""Command lines as a person can paste them: this installation's program, and every word quoted."""

import os
import shlex
import shutil
import sys
from pathlib import Path


def pasted(program: str, *words: object) -> str:
    """The line that runs a `program` of this environment; short where the shell finds it by its name.

    >>> pasted("reasoner-zero", "run", "--config", "my run/config.toml").partition("reasoner-zero ")[2]
    "run --config 'my run/config.toml'"
    """
    installed = Path(sys.executable).parent / program
    found = shutil.which(program)
    is_found = found and Path(found).resolve() == installed.resolve()
    return shlex.join([program if is_found else _short(installed), *map(str, words)])


def _short(path: Path) -> str:
    """From here, if it lies below this folder, as .venv/bin/reasoner-zero does in a clone."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
