"""Find the layout of files with stored samples by their content, and read them.

for response in read_files([Path("samples_gsm8k_2026-01-01T00-00-00.jsonl")]):
    ...
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType

from evals.benchmarks.rows import Row, read_rows
from evals.foreign import evalscope, inspect_logs, lighteval, lm_eval, ours, plain
from evals.foreign.response import Response

LAYOUTS: dict[str, ModuleType] = {
    "ours": ours,
    "lm-evaluation-harness": lm_eval,
    "lighteval": lighteval,
    "EvalScope": evalscope,
    "plain": plain,
}
"""In the order in which they are tried: the plain one has the weakest marks."""
ENDINGS = ("*.jsonl", "*.jsonl.gz", "*.parquet", "*.eval")


def read_files(
    paths: Iterable[Path], said: Callable[[Path, str, int], None] | None = None
) -> Iterator[Response]:
    """Read files, and folders with files; `said` gets each file, its layout and its number of responses.

    ValueError names a file whose layout is unknown, and the row and field that cannot be used.
    """
    for path in (file for given in paths for file in _files(given)):
        n = 0
        name, responses = _read(path)
        for response in responses:
            n += 1
            yield response
        if said:
            said(path, name, n)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_file():
        return [path]
    for name in ("completions.parquet", "responses.parquet"):  # an artifact of ours
        if (path / name).exists():
            return [path / name]
    found = sorted({file for ending in ENDINGS for file in path.rglob(ending)})
    if not found:
        raise FileNotFoundError(f"{path}: no stored samples there ({', '.join(ENDINGS)})")
    return found


def _read(path: Path) -> tuple[str, Iterator[Response]]:
    if path.suffix == ".eval" or path.suffix == ".json" and _is_inspect(path):
        return "inspect", inspect_logs.read(path)
    rows = read_rows(path)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{path}: the file is empty")
    name = next((name for name, layout in LAYOUTS.items() if layout.knows(first)), None)
    if name is None:
        fields = ", ".join(map(repr, first.values))
        raise ValueError(
            f"{path}: the layout is not known; its first row has {fields}. Known are {', '.join(LAYOUTS)} "
            "and inspect; a file of your own needs a problem or an id, and response or responses"
        )
    return name, _rows(LAYOUTS[name], first, rows, path.name)


def _rows(layout: ModuleType, first: Row, rest: Iterator[Row], file: str) -> Iterator[Response]:
    yield from layout.read(first, file)
    for row in rest:
        if not layout.knows(row):
            raise row.error("it has another layout than the first row of the file")
        yield from layout.read(row, file)


def _is_inspect(path: Path) -> bool:
    """True for a log of inspect: an object with the fields eval and samples."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(values, dict) and "eval" in values and "samples" in values
