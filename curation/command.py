"""What the stand-alone commands share: arguments, reading a table of texts, writing kept ids and removals."""

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from curation.fields import FieldProblem, as_text, look_up
from curation.readers import SourceError, read_rows


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
    parser.add_argument("--out", type=Path, required=True, help="Parquet file for the ids that are kept")
    if with_benchmarks:
        parser.add_argument(
            "--benchmarks", type=Path, required=True, help="file or folder of benchmark problems"
        )
    values = parser.parse_args(arguments)
    return Command(values.input, values.text_column, values.out, getattr(values, "benchmarks", None))


def read_table(path: Path, text_column: str) -> pl.DataFrame:
    """Read `id` and text of every row; SourceError names the row that lacks one."""
    ids, texts = [], []
    for row in read_rows(path, max_row_bytes=10_000_000):
        try:
            if row.reason:
                raise FieldProblem(row.reason, row.detail)
            ids.append(as_text(look_up(row.value, "id"), "id"))
            texts.append(as_text(look_up(row.value, text_column), text_column))
        except FieldProblem as problem:
            raise SourceError(f"{path}, row {row.number}: {problem.detail}") from None
    return pl.DataFrame({"id": ids, "text": texts}, schema={"id": pl.String, "text": pl.String})


def write_result(command: Command, table: pl.DataFrame, removed: pl.DataFrame) -> None:
    """Write kept ids and removals, and end with a line of counts."""
    kept = table.join(removed, on="id", how="anti").select("id") if table["id"].is_unique().all() else None
    if kept is None:
        raise SourceError(f"{command.input}: column id has repeated values")
    command.out.parent.mkdir(parents=True, exist_ok=True)
    removals = command.out.with_suffix(".removed.parquet")
    kept.write_parquet(command.out)
    removed.write_parquet(removals)
    seconds = time.monotonic() - command.started
    sys.stdout.write(
        f"read={table.height} kept={kept.height} removed={removed.height} seconds={seconds:.1f} "
        f"kept_file={command.out} removals_file={removals}\n"
    )
