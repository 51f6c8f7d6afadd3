"""Remove benchmark problems from a file of texts, and nothing else.

    python -m curation.decontaminate in.jsonl --text-column text --benchmarks eval/ --out kept.parquet

`in.jsonl` (also .gz, .zst, Parquet, Arrow, CSV) needs an `id`. `--benchmarks` is a file or a folder of files
whose rows hold a problem under `problem`, `question`, `text`, or in chat messages under `prompt`.
`kept.parquet` holds the kept ids, `kept.removed.parquet` the removed ones with the reason and the benchmark
row they match, bad rows included.

A row is removed when it is a benchmark problem in any notation, holds one among its sentences, or rewords one
and has its numbers. The same problem with other numbers stays, and so does a translation.
"""

from pathlib import Path

import polars as pl

from curation.fields import MISSING, look_up
from curation.leaks import LeakConfig, find_leaks
from curation.readers import FORMATS, SourceError, read_rows
from curation.wrappers import unwrap

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
        raise SourceError(f"{path}: no benchmark file ({', '.join(FORMATS)}) found")
    return pl.DataFrame(
        rows,
        schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()},
        orient="row",
    )


def benchmark_files(path: Path) -> list[Path]:
    """The file, or those of a folder that have a known format."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in files if any(f"{suffix}." in f"{file.name}." for suffix in FORMATS)]


def problem_of(value: object) -> str | None:
    """The problem in a row of any usual layout, None when there is none."""
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
    """Take the wrappers off texts and find the leaks among them; see `curation.leaks.find_leaks`."""
    return find_leaks(unwrap(texts, min_evidence=3)[1], protected, config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line above."""
    from curation.command import parse, read_table, tell, write_result

    command = parse(arguments, __doc__, "curation.decontaminate")
    assert command.benchmarks is not None  # required by the parser
    table, bad = read_table(command.input, command.text_column)
    protected = read_benchmarks(command.benchmarks)
    tell(f"comparing with {protected.height:,} benchmark problems")
    leaks = leaks_in_texts(table["text"], protected)
    removed = leaks.select(
        id=table["id"].gather(leaks["row"]), reason="reason", detail="detail", matched="matched"
    )
    write_result(command, table, removed, bad)


if __name__ == "__main__":
    main()
