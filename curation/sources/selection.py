"""Selection of a source's rows by an SQL expression over its own columns.

select = Selection("mine", "solve_rate BETWEEN 0.05 AND 0.9")
select(rows)        # one bool a row
"""

import logging
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import polars as pl

from curation.sources.fields import MISSING, look_up, parse_literal
from curation.sources.readers import SourceError

CHUNK = 2048
logger = logging.getLogger(__name__)


def parse_where(name: str, where: str) -> pl.Expr:
    """Read a source's `where`; ValueError says what polars does not understand."""
    try:
        return pl.sql_expr(where)
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise ValueError(f"source {name!r}: where = {where!r}: {' '.join(str(error).split())}") from None


class Selection:
    """Whether rows are selected; an expression that is null (a column has no value) does not select.

    `is_lenient`: rows without one of the columns are all selected, with a warning.
    """

    def __init__(self, name: str, where: str, is_lenient: bool = False) -> None:
        self.name, self.where, self.is_lenient = name, where, is_lenient
        self.is_off = False
        self.expression = parse_where(name, where)
        self.columns = sorted(set(self.expression.meta.root_names()))
        self.seen: set[str] = set()
        self.first: Any = None

    def __call__(self, rows: Sequence[Any]) -> list[bool]:
        """One bool a row; SourceError when the expression does not fit the columns' types."""
        if self.is_off or not rows:
            return [True] * len(rows)
        columns: dict[str, pl.Series] = {}
        for name in self.columns:
            values = [look_up(row, name) for row in rows]
            if any(value is not MISSING for value in values):
                self.seen.add(name)
            columns[name] = _column(name, [None if value is MISSING else value for value in values])
        if self.first is None and rows:
            self.first = rows[0]
            if self.is_lenient and (lacking := [name for name in self.columns if name not in self.seen]):
                logger.warning(
                    "source=%s all rows are read: no column %s for where = %r", self.name, lacking, self.where
                )
                self.is_off = True
                return [True] * len(rows)
        try:
            chosen = pl.DataFrame(columns).select(self.expression.alias("chosen"))["chosen"]
            chosen = chosen.cast(pl.Boolean) if chosen.dtype == pl.Null else chosen
        except (pl.exceptions.PolarsError, TypeError) as error:
            why = " ".join(str(error).split())[:300]
            raise SourceError(f"source {self.name!r}: where = {self.where!r}: {why}") from None
        if chosen.dtype != pl.Boolean:
            raise SourceError(f"source {self.name!r}: where = {self.where!r} is {chosen.dtype}, not a truth")
        if len(chosen) == 1 and len(rows) > 1:
            chosen = pl.Series([chosen[0]] * len(rows))
        return chosen.fill_null(False).to_list()

    def check(self) -> None:
        """SourceError when no row had one of the columns."""
        unknown = [name for name in self.columns if name not in self.seen]
        if unknown and self.first is not None:
            fields = list(self.first) if isinstance(self.first, dict) else []
            near = get_close_matches(unknown[0], fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SourceError(
                f"source {self.name!r}: where = {self.where!r}: no row has the column {unknown[0]!r}; "
                f"{hint}columns: {', '.join(map(str, fields[:20]))}"
            )


def _column(name: str, values: list) -> pl.Series:
    """A column of values as they are; JSON texts become objects, and texts that all are numbers, numbers."""
    if all(value is None or isinstance(value, str) for value in values):
        texts = pl.Series(name, values, dtype=pl.String)
        filled = texts.set(texts == "", None)
        if filled.cast(pl.Float64, strict=False).null_count() == filled.null_count() < len(filled):
            texts = filled
        numbers = texts.cast(pl.Float64, strict=False)
        if texts.null_count() < len(texts) and numbers.null_count() == texts.null_count():
            return numbers
        parsed = [parse_literal(value) if value else value for value in values]
        if any(isinstance(value, dict) for value in parsed):
            values = [value if isinstance(value, dict) else None for value in parsed]
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
