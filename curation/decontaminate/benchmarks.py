"""Benchmark problems, read from files in the usual layouts, and the rows that repeat them."""

from pathlib import Path

import polars as pl

from curation.decontaminate.leaks import LeakConfig, find_leaks
from curation.sources.fields import MISSING, look_up
from curation.sources.readers import FORMATS, SourceError, read_rows
from curation.wrappers.wrappers import unwrap

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


def read_benchmarks(path: Path) -> pl.DataFrame:
    """Read benchmark files into columns benchmark (file name), question_id, problem."""
    rows: list[tuple[str, str, str]] = []
    for file in benchmark_files(path):
        name, n_before = file.name.partition(".")[0], len(rows)
        for row in read_rows(file, max_row_bytes=10_000_000):
            problem = problem_of(row.value)
            if problem:
                rows.append((name, _first_text(row.value, _ID_PATHS) or str(row.number), problem))
        if len(rows) == n_before:
            raise SourceError(f"{file}: no row has a problem under {', '.join(_PROBLEM_PATHS)}")
    if not rows:
        raise SourceError(f"{path}: no benchmark file ({', '.join(FORMATS)}) found here")
    return pl.DataFrame(
        rows,
        schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()},
        orient="row",
    )


def benchmark_files(path: Path) -> list[Path]:
    """The file itself, or the files in a folder that have a known format."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if any(f"{suffix}." in f"{file.name}." for suffix in FORMATS)]


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
    return find_leaks(unwrap(texts, min_evidence=3)[1], protected, config)
