"""Readers of rows from files in any supported format; a bad row is yielded as bad, never raised.

JSON, JSONL, Parquet, Arrow (file or stream), CSV and TSV; all but Parquet and Arrow also as .gz and .zst.
"""

import csv
import gzip
import io
import json
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

FORMATS = (".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".feather", ".csv", ".tsv")
_SHOWN_CHARACTERS = 2000


class SourceError(ValueError):
    """A source cannot be used at all; the message names the file, the row and the fix."""


@dataclass(frozen=True, slots=True)
class Location:
    """A file, here or elsewhere: as shown, its last name, how it is opened, its path if it is local."""

    shown: str
    name: str
    open: Callable[[], Any]
    path: Path | None = None

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class RawRow:
    """Row `number` (from 1) of a file: its value, or the reason it has none and the raw text to show."""

    number: int
    value: Any = None
    reason: str | None = None
    detail: str = ""
    shown: str = ""
    file: str = ""
    """The file, when a source has several, and the row's number in it."""
    place: int = 0


def read_rows(path: Path | Location, max_row_bytes: int, delimiter: str | None = None) -> Iterator[RawRow]:
    """Yield the rows of one file in order; SourceError when the file is missing or its format is unknown.

    delimiter: what separates the columns of a CSV file; unset: a tab for .tsv, otherwise a comma.
    """
    if isinstance(path, Path):
        if not path.is_file():
            raise SourceError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
        path = Location(str(path), path.name, partial(path.open, "rb"), path)
    plain = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    suffix = Path(plain).suffix
    if suffix not in FORMATS:
        raise SourceError(f"{path}: format {suffix or 'without suffix'} is not one of {', '.join(FORMATS)}")
    if suffix in (".parquet", ".arrow", ".feather"):
        yield from _read_columnar(path, suffix, max_row_bytes)
    elif suffix in (".csv", ".tsv"):
        yield from _read_csv(path, max_row_bytes, delimiter or ("\t" if suffix == ".tsv" else ","))
    elif suffix == ".json" and (rows := _read_json_array(path)) is not None:
        yield from (_sized(number, row, max_row_bytes) for number, row in enumerate(rows, 1))
    else:
        yield from _read_json_lines(path, max_row_bytes)


@contextmanager
def _open(path: Location) -> Iterator[IO[bytes]]:
    with path.open() as file:
        if path.name.lower().endswith(".gz"):
            with gzip.open(file, "rb") as unpacked:
                yield cast(IO[bytes], unpacked)
        elif path.name.lower().endswith(".zst"):
            import pyarrow

            yield io.BufferedReader(pyarrow.CompressedInputStream(file, "zstd"))
        else:
            yield file


def _lines(path: Location) -> Iterator[bytes | RawRow]:
    """Yield lines; a stream that breaks off ends in one bad row."""
    number = 0
    try:
        with _open(path) as file:
            for line in file:
                number += 1
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        yield RawRow(
            number + 1, reason="truncated_file", detail=f"{path.name} breaks off after row {number}: {error}"
        )


def _read_json_lines(path: Location, max_row_bytes: int) -> Iterator[RawRow]:
    for number, line in enumerate(_lines(path), 1):
        if isinstance(line, RawRow):
            yield line
        elif line.strip():
            yield _parse_line(number, line, max_row_bytes)


def _parse_line(number: int, line: bytes, max_row_bytes: int) -> RawRow:
    if len(line) > max_row_bytes:
        return _oversized(number, len(line), max_row_bytes, line[:_SHOWN_CHARACTERS].decode(errors="replace"))
    try:
        return RawRow(number, json.loads(line.removeprefix(b"\xef\xbb\xbf").decode()))
    except UnicodeDecodeError as error:
        reason, detail = "invalid_utf8", f"byte {error.start} is not UTF-8"
    except (ValueError, RecursionError) as error:
        reason, detail = "invalid_json", str(error)
    shown = line[:_SHOWN_CHARACTERS].decode(errors="replace").strip()
    return RawRow(number, reason=reason, detail=detail, shown=shown)


def _oversized(number: int, size: int, limit: int, shown: str) -> RawRow:
    detail = f"row has {size} bytes, the limit is {limit} (max_row_bytes)"
    return RawRow(number, reason="oversized_text", detail=detail, shown=shown)


def _sized(number: int, row: Any, max_row_bytes: int) -> RawRow:
    """Check the size of a row that was parsed with its whole file, by the length of its texts."""
    texts = [value for value in row.values() if isinstance(value, str)] if isinstance(row, dict) else []
    size = sum(map(len, texts))
    if size > max_row_bytes:
        return _oversized(number, size, max_row_bytes, max(texts, key=len)[:_SHOWN_CHARACTERS])
    return RawRow(number, row)


def _read_json_array(path: Location) -> list | None:
    """Load a file with one JSON list, alone or as a dictionary's only list; None for a file of JSON lines."""
    try:
        with _open(path) as file:
            text = file.read().decode()
        value = json.loads(text)
    except (EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{path}: not readable: {error}") from error
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            return None
        raise SourceError(f"{path}: not JSON: {error}") from error
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise SourceError(f"{path}: contains one {type(value).__name__}, expected a list of rows")
    return value


def _read_columnar(path: Location, suffix: str, max_row_bytes: int) -> Iterator[RawRow]:
    import pyarrow
    import pyarrow.ipc
    import pyarrow.parquet

    number = 0
    try:
        file = path.path or path.open()
        if suffix == ".parquet":
            batches = pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=4096)
        else:
            file = str(file) if path.path else file
            try:
                reader = pyarrow.ipc.open_file(file)
                batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
            except pyarrow.ArrowInvalid:  # `datasets` writes the stream format with the same suffix
                batches = iter(pyarrow.ipc.open_stream(file if path.path else path.open()))
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                yield _sized(number, row, max_row_bytes)
    except (pyarrow.ArrowException, OSError) as error:
        if not number:
            raise SourceError(f"{path}: not a {suffix[1:]} file: {error}") from error
        yield RawRow(
            number + 1, reason="truncated_file", detail=f"{path.name} breaks off after row {number}: {error}"
        )


def _read_csv(path: Location, max_row_bytes: int, delimiter: str) -> Iterator[RawRow]:
    csv.field_size_limit(2**31 - 1)
    broken: list[RawRow] = []

    def text_lines() -> Iterator[str]:
        for line in _lines(path):
            if isinstance(line, RawRow):
                broken.append(line)
            else:
                yield line.decode("utf-8", "surrogateescape").removeprefix("\ufeff")

    header: list[str] | None = None
    number = 0
    for line, fields in _records(text_lines(), max_row_bytes, delimiter):
        if fields == []:
            continue
        if header is None:
            if fields is None:
                raise SourceError(f"{path}: a quote in the header is never closed")
            header = fields
            continue
        number += 1
        shown = line[:_SHOWN_CHARACTERS]
        if fields is None:
            detail = "a quote is opened in this line and not closed; only this line was left out"
            yield RawRow(number, reason="unclosed_quote", detail=detail, shown=shown)
        elif len(fields) != len(header):
            detail = f"row has {len(fields)} columns, the header {len(header)}"
            yield RawRow(number, reason="wrong_columns", detail=detail, shown=shown)
        else:
            yield _sized(number, dict(zip(header, fields, strict=True)), max_row_bytes)
    yield from (RawRow(number + 1, None, one.reason, one.detail) for one in broken)


def _records(
    lines: Iterator[str], max_row_bytes: int, delimiter: str
) -> Iterator[tuple[str, list[str] | None]]:
    """Yield the first line of each CSV record and its fields; None for a line with a quote left open.

    A record over several lines is taken only if its quotes are well placed, so that one stray quote costs its
    own line and not all lines up to the next quote.
    """
    pending: deque[str] = deque()
    while pending or (following := next(lines, None)) is not None:
        first = pending.popleft() if pending else following
        assert first is not None
        fields: list[str] | None
        if '"' not in first:
            yield first, next(csv.reader([first], delimiter=delimiter), [])
            continue
        taken = [first]
        n_bytes = len(first)

        def rest(taken: list[str] = taken, n_bytes: int = n_bytes) -> Iterator[str]:
            yield taken[0]
            while n_bytes <= max_row_bytes:
                line = pending.popleft() if pending else next(lines, None)
                if line is None:
                    return
                taken.append(line)
                n_bytes += len(line)
                yield line

        fields = next(csv.reader(rest(), delimiter=delimiter), [])
        if len(taken) > 1 or first.count('"') % 2:
            try:
                list(csv.reader(taken, delimiter=delimiter, strict=True))
            except csv.Error:
                # A quote inside a field that is not quoted is a character like others.
                fields = None if len(taken) > 1 or _is_left_open(first, delimiter) else fields
                pending.extendleft(reversed(taken[1:]))
        yield first, fields


def _is_left_open(line: str, delimiter: str) -> bool:
    """True when the line is a record whose last field has an opening quote and no closing one."""
    try:
        list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False
