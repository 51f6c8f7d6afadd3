r"""Regular expressions that stay fast: `\b` is read as a boundary of ASCII words.

Rust's regex leaves its fast path for `\b` of all scripts as soon as a text has a letter beyond ASCII.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import polars as pl


def ascii_words(pattern: str) -> str:
    r"""The pattern with ASCII word boundaries and letters.

    >>> ascii_words(r"\bfind \w+")
    '(?-u:\\b)find [A-Za-z0-9_]+'
    """
    pattern = re.sub(r"(?<!\\)((?:\\\\)*)\\b", r"\1(?-u:\\b)", pattern)
    return re.sub(r"(?<!\\)((?:\\\\)*)\\w", r"\1[A-Za-z0-9_]", pattern)


def has(column: pl.Expr, pattern: str) -> pl.Expr:
    return column.str.contains(ascii_words(pattern))


def has_any(column: pl.Expr, patterns: tuple[str, ...]) -> pl.Expr:
    """True where one of the patterns is found; each has its own automaton, which together may be too large
    for the fast path."""
    return pl.any_horizontal([has(column, pattern) for pattern in patterns])


def count(column: pl.Expr, pattern: str) -> pl.Expr:
    return column.str.count_matches(ascii_words(pattern))


class Screen(NamedTuple):
    """One thing to look for, and a cheap pattern that every text with it contains: most texts are spared the rest."""

    removes: Callable[[], pl.Expr]
    hint: str = ""
    column: str = "problem"
    """where the hint has to be found"""

    def found(self, rows: pl.DataFrame) -> pl.Series:
        """The places, a column of `rows`, of what is removed."""
        seen = rows.filter(has(pl.col(self.column), self.hint)) if self.hint else rows
        return seen.filter(self.removes())["place"]
