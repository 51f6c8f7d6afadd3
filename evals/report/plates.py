"""What sections are made of: a figure with its words."""

from dataclasses import dataclass

import polars as pl
from matplotlib.figure import Figure

from evals.report.canvas import to_svg


@dataclass(frozen=True, slots=True)
class Plate:
    """One figure of the page: its file name, its title, its caption, and the SVG."""

    key: str
    title: str
    caption: str
    figure: Figure
    svg: str
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    key: str
    title: str
    lead: str
    plates: tuple[Plate, ...]


def plate(
    key: str, title: str, caption: str, figure: Figure, values: str = "", *, is_small: bool = False
) -> Plate:
    """`values`: the figure in words, for who does not see it."""
    alt = f"{title}. {caption} {values}".strip()
    return Plate(key, title, caption, figure, to_svg(figure, key, alt), is_small)


def in_words(frame: pl.DataFrame, *columns: str) -> str:
    """Where series begin and end, and their range, for who does not see the figure.

    >>> in_words(pl.DataFrame({"step": [1, 2, 3], "reward": [0.1, 0.9, 0.8]}), "reward")
    'reward 0.1 at step 1, 0.8 at step 3, from 0.1 to 0.9.'
    """
    parts = []
    for column in columns:
        known = frame.select("step", pl.col(column).cast(pl.Float64)).drop_nulls()
        if known.height:
            (first, start), (last, end) = known.row(0), known.row(-1)
            values = known[column].to_list()
            name = column.replace("_", " ")
            ends = f"{name} {start:.3g} at step {first}, {end:.3g} at step {last}"
            parts.append(f"{ends}, from {min(values):.3g} to {max(values):.3g}.")
    return " ".join(parts)
