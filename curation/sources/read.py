"""Reader of one configured source: rows in the schema's columns, rejects with a reason, and a fingerprint.

rows = read_source(SourceConfig(name="mine", file="mine.jsonl"), data_root=None)
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from curation.generators import generate
from curation.sources.answer_field import clean_solution, extract_answer
from curation.sources.config import HubDataset, SourceConfig
from curation.sources.fields import (
    MISSING,
    FieldProblem,
    after_last,
    answer_text,
    as_text,
    join_sentences,
    known_paths,
    look_up_first,
    option_lines,
)
from curation.sources.locations import fingerprint as file_fingerprint
from curation.sources.locations import is_url, locate
from curation.sources.readers import Location, RawRow, SourceError, read_rows
from curation.sources.selection import CHUNK, Selection
from rewards.contracts.files import canonical_json, hash_text
from rewards.contracts.records import REJECT

ROW_SCHEMA = pl.Schema(
    {
        name: pl.String()
        for name in (
            *("problem", "answer", "solution", "source", "source_id", "license", "level", "subject"),
            *("provenance", "signals"),
        )
    }
)
"""Columns of a row as read, before normalizing."""


@dataclass(slots=True)
class SourceRows:
    """What a source, or a part of it, yielded: rows (ROW_SCHEMA, plus `number`, Int64, the row's number in
    the source, from 1), rejects (REJECT plus `number`), and the hash of what was read."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    fingerprint: str


@dataclass(slots=True)
class _Tally:
    """Rows and rejects since the last part, and what has been seen of the source so far."""

    rows: list[dict] = field(default_factory=list)
    rejects: list[dict] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    ids: dict[int, int] = field(default_factory=dict)
    """Hash of each id and of the text it stands for."""
    first: Any = None
    first_problem: str = ""
    n_read: int = 0
    n_usable: int = 0
    n_selected: int = 0

    def take(self, fingerprint: str) -> SourceRows:
        """Return what has accumulated, and start over."""
        rows = pl.DataFrame(self.rows, schema={**ROW_SCHEMA, "number": pl.Int64()})
        numbers = pl.Series("number", [reject.pop("number") for reject in self.rejects], dtype=pl.Int64)
        rejects = REJECT.frame(self.rejects).with_columns(numbers)
        self.rows, self.rejects = [], []
        return SourceRows(rows, rejects, fingerprint)


def read_source(source: SourceConfig, data_root: Path | None) -> SourceRows:
    """Read all rows of one source; SourceError names file, row and field when nothing in it can be used."""
    parts = list(read_parts(source, data_root, rows_per_part=2**62))
    rows, rejects = (pl.concat([getattr(part, name) for part in parts]) for name in ("rows", "rejects"))
    return SourceRows(rows, rejects, parts[0].fingerprint)


def read_parts(source: SourceConfig, data_root: Path | None, rows_per_part: int) -> Iterator[SourceRows]:
    """Read a source part by part; SourceError when it turns out that nothing in it can be used."""
    tally = _Tally()
    if source.generator:
        fingerprint, filled = (
            hash_text(canonical_json(source.generator.model_dump())),
            _generated(source, tally),
        )
    elif source.file and reads_file(source, data_root):
        files = locate(source.file, data_root)
        raw = _rows_of_files(source, files)
        where = str(files[0]) if len(files) == 1 else source.file
        filled = _read(source, raw, where, {"file": source.file}, tally)
        fingerprint = file_fingerprint(source.file, data_root)
    else:
        assert source.hub is not None  # the config's validator
        raw, fingerprint = _hub_rows(source.hub)
        origin = source.hub.model_dump(include={"config", "split"})
        origin |= {"hub": source.hub.id, "revision": fingerprint}
        filled = _read(source, raw, source.hub.id, origin, tally)
    for _ in filled:
        if len(tally.rows) + len(tally.rejects) >= rows_per_part:
            yield tally.take(fingerprint)
    yield tally.take(fingerprint)


def reads_file(source: SourceConfig, data_root: Path | None) -> bool:
    """True when the source's file is read and not its hub data set."""
    if not source.file:
        return False
    return bool(data_root or is_url(source.file) or Path(source.file).is_absolute() or not source.hub)


def _rows_of_files(source: SourceConfig, files: list[Location]) -> Iterator[RawRow]:
    """Rows of several files, numbered through."""
    if len(files) == 1:
        yield from read_rows(files[0], source.max_row_bytes, source.delimiter)
        return
    number = 0
    for file in files:
        for row in read_rows(file, source.max_row_bytes, source.delimiter):
            number += 1
            yield replace(row, number=number, file=str(file), place=row.number)


def _generated(source: SourceConfig, tally: _Tally) -> Iterator[None]:
    assert source.generator is not None
    settings = source.generator.model_dump()
    for number, task in enumerate(generate(source.generator), 1):
        if source.n_rows and number > source.n_rows:
            break
        tally.rows.append(
            {
                "problem": task.problem,
                "answer": task.answer,
                "solution": task.solution,
                "source": source.name,
                "source_id": str(number),
                "license": source.license or "CC0-1.0",
                "level": f"{source.generator.digits} digits",
                "subject": source.generator.family,
                "provenance": canonical_json({"generator": settings, "row": number}),
                "number": number,
            }
        )
        yield


def _hub_rows(hub: HubDataset) -> tuple[Iterator[RawRow], str]:
    """Stream a hub data set; the second value is the commit that was read."""
    import datasets
    from huggingface_hub import HfApi

    if Path(hub.id).exists():
        data = datasets.load_dataset(hub.id, hub.config, split=hub.split)
        revision = str(data._fingerprint)
    else:
        revision = hub.revision or "main"
        try:
            revision = HfApi().dataset_info(hub.id, revision=hub.revision).sha or revision
            data = datasets.load_dataset(
                hub.id, hub.config, split=hub.split, revision=revision, streaming=True
            )
        except (OSError, ValueError) as error:
            raise SourceError(
                f"hub data set {hub.id} (config {hub.config}, split {hub.split}, revision {revision}) cannot "
                f"be read: {error}; check the name, or keep a copy of the file and pass --data-root"
            ) from error
    names = dict(pair.split("=", 1) for pair in hub.rename)
    rows = ({names.get(name, name): value for name, value in row.items()} for row in data)
    return (RawRow(number, row) for number, row in enumerate(rows, 1)), revision


def _read(
    source: SourceConfig, raw: Iterable[RawRow], where: str, origin: dict, tally: _Tally
) -> Iterator[None]:
    selection = Selection(source.name, source.where, bool(source.dataset)) if source.where else None
    for row, is_selected in _selected(islice(raw, source.n_rows), selection):
        tally.n_read += 1
        if row.reason is None and tally.first is None:
            tally.first = row.value
        try:
            if row.reason is not None:
                tally.n_selected += 1
                raise FieldProblem(row.reason, row.detail)
            tally.n_selected += is_selected
            if not is_selected:
                raise FieldProblem("not_selected", f"where = {source.where!r} is not true")
            tally.rows.append(_mapped(source, row, origin, tally.seen, tally.ids))
            tally.n_usable += 1
        except FieldProblem as problem:
            tally.rejects.append(_reject(source, row, problem, where))
            tally.first_problem = tally.first_problem or tally.rejects[-1]["detail"]
        yield
    if selection and not source.dataset:
        selection.check()
    _check_usable(source, tally, where)


def _selected(raw: Iterable[RawRow], selection: Selection | None) -> Iterator[tuple[RawRow, bool]]:
    """Rows with whether `where` selects them, decided some thousand at a time."""
    if selection is None:
        yield from ((row, True) for row in raw)
        return
    rows = iter(raw)
    while chunk := list(islice(rows, CHUNK)):
        chosen = iter(selection([row.value for row in chunk if row.reason is None]))
        for row in chunk:
            yield row, row.reason is not None or next(chosen)


def _mapped(source: SourceConfig, row: RawRow, origin: dict, seen: set[str], ids: dict[int, int]) -> dict:
    def get(path: str) -> Any:
        value = look_up_first(row.value, path)
        if value is not MISSING:
            seen.add(path)
        return value

    def optional(path: str | None) -> str | None:
        value = get(path) if path else None
        return None if value in (None, MISSING, "", []) else as_text(value, str(path))

    if not isinstance(row.value, dict | list):
        raise FieldProblem("wrong_type", f"the row is a {type(row.value).__name__}, expected an object")
    # Look up all before checking any, so that one bad field does not make the others look unknown.
    values = {path: get(path) for path in (*source.problem_fields, source.answer_field)}
    problem = join_sentences([as_text(values[path], path) for path in source.problem_fields])
    problem = after_last(problem, source.after)
    if source.options and (options := option_lines(get(source.options))):
        problem = f"{problem}\n{options}"
    found = answer_text(values[source.answer_field], source.answer_field)
    solution = optional(source.solution)
    own_id = optional(source.id) or str(row.number)
    if source.id and ids.setdefault(hash(own_id), hash(problem)) != hash(problem):
        own_id = f"{own_id}#{row.number}"
    signals = {path: value for path in source.signals if (value := get(path)) not in (MISSING, None)}
    return {
        "problem": problem,
        "answer": extract_answer(found, source.answer_style, source.answer_field),
        "solution": clean_solution(solution) or None if solution else None,
        "source": source.name,
        "source_id": own_id,
        "license": source.license,
        "level": optional(source.level),
        "subject": optional(source.subject),
        "provenance": canonical_json(
            {**origin, "file": row.file, "row": row.place} if row.file else {**origin, "row": row.number}
        ),
        "signals": json.dumps(signals, ensure_ascii=False, default=str) if signals else None,
        "number": row.number,
    }


def _reject(source: SourceConfig, row: RawRow, problem: FieldProblem, where: str) -> dict:
    shown = row.shown or str(row.value if row.value is not None else "")
    return {
        "step": "read",
        "reason": problem.reason,
        "detail": f"{where}, row {row.number}: {problem.detail}",
        "source": source.name,
        "source_id": str(row.number),
        "problem": shown[:2000].encode(errors="replace").decode(),
        "number": row.number,
    }


def _check_usable(source: SourceConfig, tally: _Tally, where: str) -> None:
    if not tally.n_read:
        raise SourceError(f"source {source.name!r}: {where} contains no rows")
    if tally.n_read and tally.n_selected == 0:
        raise SourceError(f"source {source.name!r}: where = {source.where!r} selects no row of {where}")
    optional = (source.solution, source.level, source.subject, source.id, source.options, *source.signals)
    # What a known data set may lack is not worth stopping for.
    optional = () if source.dataset else optional
    wanted = [*source.problem_fields, source.answer_field, *(path for path in optional if path)]
    unknown = [path for path in wanted if path not in tally.seen]
    if unknown and tally.first is not None:
        fields = known_paths(tally.first)
        near = get_close_matches(unknown[0], fields, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise SourceError(
            f"source {source.name!r}: no row of {where} has the field {unknown[0]!r}; {hint}"
            f"fields of row 1: {', '.join(fields[:20])}"
        )
    if not tally.n_usable:
        raise SourceError(f"source {source.name!r}: no row can be used; first problem: {tally.first_problem}")
