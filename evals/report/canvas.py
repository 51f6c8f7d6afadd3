"""The canvas for a page with two color schemes: matplotlib figures as inline SVG in the page's colors.

Figures are drawn in placeholder colors; on export, each becomes a CSS variable, so one copy serves light and
dark. The same input gives the same bytes: ids are salted with the figure's name and no date is written.
"""

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

INK, FINAL, BASE, WARN, THIRD, LINE, MUTED, PAPER = (f"#0000{number:02x}" for number in range(1, 9))
_VARIABLES = {
    INK: "currentColor",
    FINAL: "var(--final)",
    BASE: "var(--base)",
    WARN: "var(--warn)",
    THIRD: "var(--third)",
    LINE: "var(--line)",
    MUTED: "var(--muted)",
    PAPER: "var(--paper)",
}

HALF, THIRD_WIDTH = (5.0, 2.75), (3.45, 2.15)
"""Sizes in inches at 72 points: two or three figures side by side on a wide page, one on a phone."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.xmargin": 0.02,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.2,
    "legend.columnspacing": 2.6,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Set matplotlib's style for the figures of a report, and restore it afterward."""
    with matplotlib.rc_context(_STYLE):
        yield


def panel(size: tuple[float, float] = HALF, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure with `rows` stacked axes that share their x axis."""
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)
    return figure, [row[0] for row in axes]


def percent_axis(axis: Axis, *, sign: str = "%") -> None:
    """Write shares as percentages, with the decimals that a tick has and no more.

    >>> percent(0.025), percent(-0.025), percent(0.3), percent(0.1234, "")
    ('2.5%', '−2.5%', '30%', '12.34')
    """
    axis.set_major_formatter(lambda value, _: percent(value, sign))


def percent(share: float, sign: str = "%") -> str:
    return f"{round(share * 100, 6):g}{sign}".replace("-", "−")


def share_axis(ax: Axes) -> None:
    """A y axis of shares: it begins at 0, as no share is below."""
    percent_axis(ax.yaxis)
    low, high = ax.dataLim.intervaly
    if low >= 0:
        ax.set_ylim(0, high * 1.05 if np.isfinite(high) and high > 0 else 0.05)


def legend_above(ax: Axes, *, right: bool = False) -> None:
    """Put the legend between the title and the axes, where it covers no data."""
    if ax.get_legend_handles_labels()[0]:
        place: Literal["lower right", "lower left"] = "lower right" if right else "lower left"
        ax.legend(loc=place, bbox_to_anchor=(float(right), 1.0), ncols=4, borderaxespad=0, borderpad=0.3)


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """Export a figure as inline `<svg>`; a screen reader reads `alt`, and `name` makes ids unique."""
    buffer = io.StringIO()
    nameless = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata=nameless)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    text = re.sub(r"""font: ([\d.]+)px [^;"]*""", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]*;?", "", text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    text = re.sub(r"\n\s*", "\n", text)
    opening = re.match(r'<svg[^>]*viewBox="([^"]+)"[^>]*>', text)
    if opening is None:
        raise ValueError(f"matplotlib wrote figure {name!r} without a viewBox")
    head = f'<svg viewBox="{opening[1]}" role="img" aria-label="{html.escape(alt, quote=True)}">'
    return head + text[opening.end() :]
