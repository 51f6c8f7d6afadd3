"""Shared code of the stand-alone commands: arguments, reading a table of texts, writing the results."""

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from curation.sources.fields import FieldProblem, as_text, look_up
from curation.sources.readers import SourceError, read_rows
from rewards.contracts.files import write_parquet

PROGRESS_EVERY = 250_000
REMOVED = pl.Schema({name: pl.String() for name in ("id", "reason", "detail", "matched")})


@dataclass(frozen=True, slots=True)
class Command:
    input: Path
    text_column: str
    out: Path
    benchmarks: Path | None = None
    started: float = field(default_factory=time.monotonic)


def parse(arguments: list[str] | None, doc: str | None, program: str) -> Command:
    with_benchmarks = program.endswith("decontaminate")
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, help="JSONL (.gz, .zst) or Parquet with a column id")
    parser.add_argument("--text-column", default="text", help="column of the text (default: text)")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file for the kept ids")
    if with_benchmarks:
        parser.add_argument(
            "--benchmarks", type=Path, required=True, help="file or folder of benchmark problems"
        )
    values = parser.parse_args(arguments)
    return Command(values.input, values.text_column, values.out, getattr(values, "benchmarks", None))


def read_table(path: Path, text_column: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the id and text of every row; return usable rows, and bad ones (id, reason, detail).

    A row without a usable id is named `row:17`. SourceError when no row can be used.
    """
    ids, texts, bad, seen = [], [], [], set()
    for row in read_rows(path, max_row_bytes=10_000_000):
        name = f"row:{row.number}"
        try:
            if row.reason:
                raise FieldProblem(row.reason, row.detail)
            name = as_text(look_up(row.value, "id"), "id")
            if name in seen:
                raise FieldProblem("repeated_id", "an earlier row has the same id")
            text = as_text(look_up(row.value, text_column), text_column)
        except FieldProblem as problem:
            bad.append((name, problem.reason, f"row {row.number}: {problem}"))
            continue
        seen.add(name)
        ids.append(name)
        texts.append(text)
        if len(ids) % PROGRESS_EVERY == 0:
            tell(f"read {len(ids):,} rows")
    if not ids:
        hint = f"; first problem: {bad[0][2]}" if bad else ""
        raise SourceError(f"{path}: no row can be used{hint}")
    tell(f"read {len(ids):,} rows, rejected {len(bad):,} bad ones")
    names = {"id": pl.String, "reason": pl.String, "detail": pl.String}
    table = pl.DataFrame({"id": ids, "text": texts}, schema={"id": pl.String, "text": pl.String})
    return table, pl.DataFrame(bad, schema=names, orient="row")


def tell(message: str) -> None:
    """Report the command's progress."""
    sys.stderr.write(f"{message}\n")


def write_result(command: Command, table: pl.DataFrame, removed: pl.DataFrame, bad: pl.DataFrame) -> None:
    """Write kept ids and removals (REMOVED), then print a line of counts."""
    kept = table.join(removed, on="id", how="anti", maintain_order="left").select("id")
    removals = command.out.with_suffix(".removed.parquet")
    gone = pl.concat([pl.DataFrame(schema=REMOVED), removed, bad], how="diagonal").select(REMOVED.names())
    for path, frame in ((command.out, kept), (removals, gone)):
        write_parquet(path, frame)
    seconds = time.monotonic() - command.started
    assert kept.height + removed.height == table.height, "rows went missing"
    sys.stdout.write(
        f"read={table.height + bad.height} kept={kept.height} removed={removed.height} bad={bad.height} "
        f"seconds={seconds:.1f} kept_file={command.out} removals_file={removals}\n"
    )
