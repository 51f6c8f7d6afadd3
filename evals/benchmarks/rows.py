"""Readers of benchmark rows (JSON lines, JSON or parquet, from disk or the hub), with readable errors.

for row in read_rows(Path("eval/gsm8k_test.jsonl.gz")):
    row.text("question")
"""

import difflib
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a benchmark file; errors from its methods name the file, row and field."""

    values: dict[str, Any]
    origin: str
    """File or hub data set the row comes from."""
    number: int
    """Row number, from 1; in JSON lines, the line number."""

    def error(self, problem: str) -> ValueError:
        return ValueError(f"{self.origin}, row {self.number}: {problem}")

    def get(self, field: str) -> Any:
        """Look up a field; `a.b` reaches into objects and `a.0` into lists. None when it is not there.

        >>> Row({"prompt": [{"content": "1+1"}], "a.b": 2}, "x.jsonl", 1).get("prompt.0.content")
        '1+1'
        """
        if field in self.values:
            return self.values[field]
        value: Any = self.values
        for part in field.split("."):
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def has(self, field: str) -> bool:
        return self.get(field) not in (None, "", [])

    def value(self, *fields: str) -> Any:
        """Return the first of `fields` that the row has and that is not empty."""
        for field in fields:
            if self.has(field):
                return self.get(field)
        if present := [field for field in fields if field in self.values]:
            raise self.error(f"field {present[0]!r} is empty; fill it in or remove the row")
        nearest = difflib.get_close_matches(fields[0], self.values, n=1, cutoff=0.4)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise self.error(
            f"field {fields[0]!r} is missing; {hint}it has {', '.join(map(repr, self.values))}. "
            "For your own file, name the fields in the config (problem_field, answer_field)"
        )

    def text(self, *fields: str) -> str:
        """Return a field as text; integral floats such as 27.0 become 27."""
        value = self.value(*fields)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.error(f"field {fields[0]!r} is {type(value).__name__}, expected text or a number")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value).strip()
        if not text:
            raise self.error(f"field {fields[0]!r} is blank; fill it in or remove the row")
        return text

    def optional(self, *fields: str) -> str | None:
        """Return the first of `fields` that is present and not empty, as text, or None."""
        return self.text(*fields) if any(self.has(field) for field in fields) else None

    def texts(self, *fields: str) -> tuple[str, ...]:
        """Return a list field as a tuple of texts."""
        value = self.value(*fields)
        if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
            raise self.error(f"field {fields[0]!r} must be a list of texts")
        return tuple(str(item) for item in value)

    def message(self, field: str) -> str:
        """Return the user's text in a chat field: [{"from": "user", "value": ...}] or role/content."""
        messages = self.value(field)
        if not isinstance(messages, list):
            raise self.error(f"field {field!r} must be a list of chat messages")
        for message in messages:
            if message.get("from", message.get("role")) in ("user", "human", "Human"):
                return str(message.get("value", message.get("content"))).strip()
        raise self.error(f"field {field!r} has no message from the user")


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .jsonl.gz, .json (a list) or .parquet file."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such benchmark file; check `file` and the data root (--data-root)"
        )
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _read_lines(path)
        return
    if path.suffix == ".parquet":
        values = pl.read_parquet(path).iter_rows(named=True)
    elif path.suffix == ".json":
        values = iter(_read_list(path))
    else:
        raise ValueError(f"{path}: benchmark files are .jsonl, .jsonl.gz, .json or .parquet")
    for number, row in enumerate(values, start=1):
        yield Row(row, str(path), number)


def _read_list(path: Path) -> list[dict]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); is the file truncated?") from error
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise ValueError(f"{path}: expected a list of JSON objects")
    return values


def _read_lines(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield Row(_parse(line, path, number), str(path), number)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: the file ends or breaks after row {number}; download it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, row {number + 1}: not UTF-8 ({error.reason})") from error


def _parse(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, row {number}: not valid JSON ({error.msg} at {error.pos})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}, row {number}: expected a JSON object, got {type(values).__name__}")
    return values


def read_hub(name: str, subset: str, split: str) -> Iterator[Row]:
    """Yield the rows of a data set on the hub (or of a local folder with the same layout)."""
    from datasets import load_dataset  # slow to import, and only needed here

    origin = ":".join(part for part in (name, subset, split) if part)
    try:
        rows = load_dataset(name, subset or None, split=split)
    except ConnectionError as error:
        raise FileNotFoundError(
            f"{origin}: the hub does not answer ({error}); with a copy on this machine, give its folder "
            "(--data-root DIR) or file"
        ) from None
    for number, row in enumerate(rows, start=1):
        yield Row(row, origin, number)
