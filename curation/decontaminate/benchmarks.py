"""Benchmark problems, read from files in the usual layouts, and the rows that repeat them."""

import logging
from collections.abc import Callable
from pathlib import Path

import polars as pl

from curation.decontaminate.leaks import LeakConfig, find_leaks
from curation.sources.fields import MISSING, look_up
from curation.sources.locations import check_link
from curation.sources.readers import FORMATS, SourceError, read_rows
from curation.text.series import comparable
from curation.wrappers.wrappers import unwrap

logger = logging.getLogger(__name__)

_PROBLEM_PATHS = (
    "problem",
    "question",
    "text",
    "Problem",
    "Question",
    "prompt.-1.value",
    "prompt.-1.content",
    "prompt",
    "0.value",
    "context",
    "input",
    "original_text",
    "messages.0.content",
)
_ID_PATHS = ("question_id", "id", "unique_id", "Problem ID")


def read_benchmarks(
    path: Path, columns: tuple[str, ...] = (), tell: Callable[[str], None] = logger.warning
) -> pl.DataFrame:
    """Read a benchmark file, or all of a folder, into columns benchmark (file name), question_id, problem.

    columns: fields of the problem that are tried before the usual ones. `tell` gets a line for each file of a
    folder that holds no problem, and for rows without one; SourceError when no problem is found at all.
    """
    rows: list[tuple[str, str, str]] = []
    for file in benchmark_files(path):
        name, n_before, n_without = benchmark_name(file, path), len(rows), 0
        for row in read_rows(file, max_row_bytes=10_000_000):
            problem = _first_text(row.value, (*columns, *_PROBLEM_PATHS))
            if problem:
                rows.append((name, _first_text(row.value, _ID_PATHS) or str(row.number), problem))
            else:
                n_without += 1
        fields = ", ".join((*columns, *_PROBLEM_PATHS))
        if len(rows) == n_before and not path.is_dir():
            raise SourceError(
                f"{file}: no row has a problem under {fields}; name its field (--benchmark-column)"
            )
        if len(rows) == n_before:
            tell(f"skipped {file}: not a benchmark, no row has a problem under {fields}")
        elif n_without:
            tell(f"{file}: {n_without} rows have no problem and are not protected")
    if not rows:
        raise SourceError(f"{path}: no benchmark file ({', '.join(FORMATS)}) with problems found here")
    return pl.DataFrame(
        rows,
        schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()},
        orient="row",
    )


def benchmark_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder and its sub-folders that have a known format; hidden ones
    are left out. SourceError when there is nothing at `path`."""
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if not path.is_dir():
        return [check_link(path)]
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    shown = (file for file in files if not any(p.startswith(".") for p in file.relative_to(path).parts))
    return [check_link(file) for file in shown if any(f"{suffix}." in f"{file.name}." for suffix in FORMATS)]


def benchmark_name(file: Path, path: Path) -> str:
    """A file's name without suffixes, with its sub-folders in the folder `path`."""
    name = file.name.partition(".")[0]
    inner = file.relative_to(path).parent if path.is_dir() else Path()
    return (inner / name).as_posix()


def problem_of(value: object) -> str | None:
    """The problem in a row in any of the usual layouts, None when there is none."""
    return _first_text(value, _PROBLEM_PATHS)


def _first_text(value: object, paths: tuple[str, ...]) -> str | None:
    for path in paths:
        found = look_up(value, path)
        if found is not MISSING and isinstance(found, str | int) and str(found).strip():
            return str(found)
    return None


def leaks_in_texts(
    texts: pl.Series, protected: pl.DataFrame, config: LeakConfig | None = None
) -> pl.DataFrame:
    """Strip the wrappers from texts and find the leaks among them; see
    `curation.decontaminate.leaks.find_leaks`."""
    return find_leaks(comparable(unwrap(texts, min_evidence=3)[1]), protected, config)
