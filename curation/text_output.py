"""What the stand-alone commands write: kept ids or rows, and removals, in the format that a name asks for."""

import csv
import gzip
import io
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from curation.sources.readers import SourceError, read_rows
from rewards.contracts.files import atomic_open, write_parquet

MAX_ROW_BYTES = 10_000_000
OUTPUTS = (".parquet", ".jsonl", ".csv", ".tsv", ".jsonl.gz", ".csv.gz", ".tsv.gz")
REMOVED = pl.Schema({name: pl.String() for name in ("id", "reason", "detail", "matched")})


@dataclass(frozen=True, slots=True)
class Command:
    input: Path
    text_column: str
    out: Path
    id_column: str | None = None
    """None: `id` if row 1 has it, otherwise the row number."""
    row_numbers: bool = False
    rows: bool = False
    """Write whole rows, not only their ids."""
    delimiter: str | None = None
    benchmarks: Path | None = None
    benchmark_columns: tuple[str, ...] = ()
    started: float = field(default_factory=time.monotonic)


def output_suffix(path: Path) -> str:
    """The format that a file's name asks for; SourceError when we do not write it."""
    name = path.name.lower()
    for suffix in sorted(OUTPUTS, key=len, reverse=True):
        if name.endswith(suffix) and len(name) > len(suffix):
            return suffix
    raise SourceError(f"--out {path}: the name must end in one of {', '.join(OUTPUTS)}")


def removals_path(out: Path) -> Path:
    """Where removals go: kept.removed.jsonl beside kept.jsonl."""
    suffix = output_suffix(out)
    return out.with_name(f"{out.name[: -len(suffix)]}.removed{suffix}")


def write_result(command: Command, table: pl.DataFrame, removed: pl.DataFrame, bad: pl.DataFrame) -> None:
    """Write what is kept (ids, or rows) and removals (REMOVED), then print a line of counts."""
    kept = table.join(removed, on="id", how="anti", maintain_order="left")
    assert kept.height + removed.height == table.height, "rows went missing"
    gone = pl.concat([pl.DataFrame(schema=REMOVED), removed, bad], how="diagonal").select(REMOVED.names())
    removals = removals_path(command.out)
    if command.rows:
        _write_rows(command, set(kept["number"].to_list()))
    else:
        write_frame(command.out, kept.select("id"))
    write_frame(removals, gone)
    seconds = time.monotonic() - command.started
    sys.stdout.write(
        f"read={table.height + bad.height} kept={kept.height} removed={removed.height} bad={bad.height} "
        f"seconds={seconds:.1f} kept_file={command.out} removals_file={removals}\n"
    )


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame of texts in the format of the file's name."""
    if output_suffix(path) == ".parquet":
        write_parquet(path, frame)
    else:
        _write_values(path, frame.iter_rows(named=True))


def _write_rows(command: Command, kept: set[int]) -> None:
    """Read the input again and write the kept rows as they are there."""
    is_parquet = command.input.suffix.lower() == ".parquet"
    if output_suffix(command.out) != ".parquet":
        _write_values(command.out, _values(command, kept))
    elif is_parquet:
        _filter_parquet(command.input, command.out, kept)
    else:
        rows = list(_values(command, kept))
        try:
            frame = pl.DataFrame(rows, infer_schema_length=None, strict=True)
        except (TypeError, pl.exceptions.PolarsError) as error:
            raise SourceError(
                f"{command.input}: these rows do not fit the columns of a Parquet file ({error}); "
                "write --out with .jsonl"
            ) from None
        write_parquet(command.out, frame)


def _values(command: Command, kept: set[int]) -> Iterator[Any]:
    for row in read_rows(command.input, MAX_ROW_BYTES, command.delimiter):
        if row.reason is None and row.number in kept:
            yield row.value


def _filter_parquet(source: Path, target: Path, kept: set[int]) -> None:
    """Copy the kept rows batch by batch; types stay as they are."""
    import pyarrow
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(source)
    with atomic_open(target) as out, pyarrow.parquet.ParquetWriter(out, file.schema_arrow) as writer:
        number = 0
        for batch in file.iter_batches(batch_size=4096):
            mask = pyarrow.array([number + place in kept for place in range(1, batch.num_rows + 1)])
            writer.write_batch(batch.filter(mask))
            number += batch.num_rows


def _write_values(path: Path, rows: Iterable[Any]) -> None:
    suffix = output_suffix(path)
    with atomic_open(path) as file:
        packed: IO[bytes] = file
        if suffix.endswith(".gz"):
            packed = cast(IO[bytes], gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))
        text = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        if suffix.startswith(".jsonl"):
            for row in rows:
                text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
        else:
            n_formulas = _write_csv(text, rows, "\t" if suffix.startswith(".tsv") else ",")
            if n_formulas:
                sys.stderr.write(
                    f"{path}: a spreadsheet would run {n_formulas} cells as formulas (beginning with = + - @ "
                    "or a tab); the data are left as they are, so import it as text, or write .jsonl\n"
                )
        text.flush()
        text.detach()
        if packed is not file:
            packed.close()


def _write_csv(text: IO[str], rows: Iterable[Any], delimiter: str) -> int:
    """Write rows under the columns of all of them, nested values as JSON; returns how many are formulas."""
    listed = [row if isinstance(row, dict) else {"row": row} for row in rows]
    columns = list(dict.fromkeys(name for row in listed for name in row))
    plain, quoted = (
        csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    plain.writeheader()
    n_formulas = sum(map(is_formula, columns))
    for row in listed:
        cells = {name: _cell(value) for name, value in row.items()}
        n_formulas += sum(map(is_formula, cells.values()))
        # The module itself quotes no carriage return, which readers take for the end of a row.
        has_return = any("\r" in cell for cell in cells.values() if isinstance(cell, str))
        (quoted if has_return else plain).writerow(cells)
    return n_formulas


def is_formula(cell: Any) -> bool:
    """True for text that a spreadsheet evaluates when it opens a CSV file, quoted or not.

    >>> [is_formula(cell) for cell in ("=1+1", "-2", "-x+1", "x=1", "\\t=1", -2)]
    [True, False, True, False, True, False]
    """
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value
