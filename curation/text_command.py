"""Shared code of the stand-alone commands: arguments, reading a table of texts, and errors in one line."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import polars as pl

from curation.sources.fields import FieldProblem, as_text, known_paths, look_up
from curation.sources.readers import SourceError, read_rows
from curation.text_output import MAX_ROW_BYTES, OUTPUTS, Command, output_suffix, removals_path

PROGRESS_EVERY = 250_000


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line: the usage is in --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; --help explains the arguments\n")


def parse(arguments: list[str] | None, doc: str | None, program: str) -> Command:
    """Read the arguments of the command `python -m program`; SystemExit 2 with one line when one is wrong."""
    with_benchmarks = program.endswith("decontaminate")
    parser = _Parser(
        prog=f"python -m {program}", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, help="JSON(L), CSV, TSV (also .gz, .zst), Parquet or Arrow")
    parser.add_argument("--text-column", default="text", help="column of the text, dots go deeper (text)")
    ids = parser.add_mutually_exclusive_group()
    ids.add_argument("--id-column", help="column that names a row (id if row 1 has it, else row numbers)")
    ids.add_argument("--row-numbers", action="store_true", help="name rows by their numbers, from 1")
    parser.add_argument("--out", type=Path, required=True, help=f"file to write: {', '.join(OUTPUTS)}")
    parser.add_argument("--rows", action="store_true", help="write the kept rows themselves, not only ids")
    parser.add_argument("--delimiter", help="character between the columns of a CSV file (,)")
    if with_benchmarks:
        parser.add_argument("--benchmarks", type=Path, required=True, help="file, or folder of files")
        parser.add_argument(
            "--benchmark-column",
            action="append",
            default=[],
            help="column of the benchmarks' problems, tried before the usual names; may be repeated",
        )
    values = parser.parse_args(arguments)
    if values.delimiter is not None:
        values.delimiter = values.delimiter.replace("\\t", "\t")
        if len(values.delimiter) != 1:
            parser.error(f"--delimiter must be one character, got {values.delimiter!r}")
    try:
        output_suffix(values.out)
    except SourceError as error:
        parser.error(str(error))
    return Command(
        input=values.input,
        text_column=values.text_column,
        out=values.out,
        id_column=values.id_column,
        row_numbers=values.row_numbers,
        rows=values.rows,
        delimiter=values.delimiter,
        benchmarks=getattr(values, "benchmarks", None),
        benchmark_columns=tuple(getattr(values, "benchmark_column", ())),
    )


def run_command(program: str, work: Callable[[], None]) -> None:
    """Run a command; an error that the user can mend ends it with one line and exit status 2."""
    try:
        work()
    except (SourceError, OSError, pl.exceptions.PolarsError) as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"python -m {program}: {message}\n")
        raise SystemExit(2) from None


def check_paths(command: Command) -> None:
    """Refuse an output that is an input: SourceError before anything is read."""
    if command.out.is_dir():
        raise SourceError(f"--out {command.out} is a folder; name a file")
    if command.input.is_dir():
        raise SourceError(f"{command.input} is a folder; name a file")
    inputs = [command.input]
    if command.benchmarks is not None:
        inputs.append(command.benchmarks)
    for target in (command.out, removals_path(command.out)):
        for source in inputs:
            if _is_same(target, source):
                raise SourceError(f"--out would write {target} over the input {source}; choose another name")
            if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
                raise SourceError(f"--out would write {target} into the benchmarks {source}; choose another")


def _is_same(target: Path, source: Path) -> bool:
    if target.resolve() == source.resolve():
        return True
    return target.exists() and source.exists() and target.samefile(source)


@dataclass(slots=True)
class _Ids:
    """Names of rows: the id column, or row numbers. Equal ids of different texts get their row's number."""

    command: Command
    column: str | None = None
    is_decided: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    n_renamed: int = 0

    def decide(self, value: object) -> None:
        if self.is_decided:
            return
        self.is_decided = True
        if self.command.row_numbers:
            return
        wanted = self.command.id_column or "id"
        if self.command.id_column or _has(value, wanted):
            self.column = wanted
        else:
            tell("rows have no field 'id': they are named by their numbers (--id-column names another field)")

    def name(self, value: object, number: int) -> str:
        return as_text(look_up(value, self.column), self.column) if self.column else str(number)

    def unique(self, name: str, number: int, text: str) -> str:
        """Return the name, with the row's number if another text has it; FieldProblem for a repeat."""
        if not self.column:
            return name
        key = hash(text)
        if name not in self.seen:
            self.seen[name] = key
            return name
        if self.seen[name] == key:
            raise FieldProblem("repeated_id", "an earlier row has the same id")
        name = f"{name}#{number}"
        if name in self.seen:
            raise FieldProblem("repeated_id", "an earlier row has the same id")
        self.seen[name] = key
        self.n_renamed += 1
        return name


def _has(value: object, path: str) -> bool:
    try:
        as_text(look_up(value, path), path)
    except FieldProblem:
        return False
    return True


def read_table(command: Command) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read every row; return usable ones (id, text, number), and bad ones (id, reason, detail).

    number: the row's number in the file, from 1. A row whose id cannot be read is named `row:17`. SourceError
    when no row can be used; it names the fields that there are.
    """
    ids, texts, numbers, bad, names = [], [], [], [], _Ids(command)
    first: object = None
    for row in read_rows(command.input, MAX_ROW_BYTES, command.delimiter):
        name = f"row:{row.number}"
        try:
            if row.reason:
                raise FieldProblem(row.reason, row.detail)
            first = row.value if first is None else first
            names.decide(row.value)
            name = names.name(row.value, row.number)
            text = as_text(look_up(row.value, command.text_column), command.text_column)
            name = names.unique(name, row.number, text)
        except FieldProblem as problem:
            bad.append((name, problem.reason, f"row {row.number}: {problem}"))
            continue
        ids.append(name)
        texts.append(text)
        numbers.append(row.number)
        if len(ids) % PROGRESS_EVERY == 0:
            tell(f"read {len(ids):,} rows")
    if not ids:
        raise SourceError(f"{command.input}: {_why_nothing(command, first, bad)}")
    for name, _, detail in bad[:3]:
        tell(f"rejected {name}: {detail}")
    tell(f"read {len(ids):,} rows, rejected {len(bad):,} bad ones")
    if names.n_renamed:
        tell(f"{names.n_renamed:,} ids are not unique in {names.column!r}: they got the row number, as 7#12")
    columns = {"id": pl.String, "text": pl.String, "number": pl.Int64}
    table = pl.DataFrame({"id": ids, "text": texts, "number": numbers}, schema=columns)
    return table, pl.DataFrame(bad, schema=dict.fromkeys(("id", "reason", "detail"), pl.String), orient="row")


def _why_nothing(command: Command, first: object, bad: list[tuple[str, str, str]]) -> str:
    if not bad:
        return "contains no rows"
    fields = known_paths(first)
    for option, path in (("--text-column", command.text_column), ("--id-column", command.id_column)):
        if fields and path and not _has(first, path):
            near = get_close_matches(path, fields, n=1, cutoff=0.5)
            guess = f"did you mean {near[0]!r}? " if near else ""
            shown = ", ".join(fields[:20])
            return f"no row can be used: row 1 has no text under {path!r} ({option}); {guess}fields: {shown}"
    return f"no row can be used; first problem: {bad[0][2]}"


def tell(message: str) -> None:
    """Report the command's progress."""
    sys.stderr.write(f"{message}\n")
