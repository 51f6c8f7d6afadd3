"""File helpers: writes that are either whole or absent, JSON, and hashing.

Every write goes to a temporary name beside the target, is flushed to the disk and then renamed over it.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars

ROOT = Path(__file__).resolve().parents[2]
"""The folder that contains the packages: a clone of the project, or site-packages."""


@contextmanager
def atomic_open(path: Path, mode: str = "wb") -> Iterator[IO]:
    """Open `path` for writing so that readers see the old file or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_parquet(path: Path, frame: "polars.DataFrame", **options: Any) -> None:
    """Write a frame so that the file is whole or absent; OSError when the disk is full."""
    from polars.exceptions import ComputeError

    with atomic_open(path) as file:
        try:
            frame.write_parquet(file, **options)
        except ComputeError as error:
            # polars wraps the system's error; a full disk must be recognizable.
            full = os.strerror(errno.ENOSPC)
            if full in str(error):
                raise OSError(errno.ENOSPC, full, str(path)) from error
            raise


def child_environment() -> dict[str, str]:
    """Environment in which a Python child process imports this project and nothing from its working folder.

    A user's rewards.py or evals/ there would otherwise take the place of ours.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    if (ROOT / "pyproject.toml").exists():  # a clone may not be installed
        others = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{others}" if others else str(ROOT)
    return environment


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that `atomic_open` left under `folder` when its process was killed."""
    for path in folder.rglob(".*.tmp"):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    with atomic_open(path, "w") as file:
        file.write(text)


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
"""Made once: json.dumps makes a new one for each call with settings of its own."""


def canonical_json(value: Any) -> str:
    """Render `value` so that equal values give equal text (sorted keys, no spaces); NaN is refused."""
    return _CANONICAL.encode(value)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def hash_text(text: str, length: int = 64) -> str:
    """First `length` hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
