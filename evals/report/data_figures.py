"""Figures of the data: what curation kept, and the types of answers that rewards check."""

import polars as pl
from matplotlib.figure import Figure

from evals.report.canvas import BASE, FINAL, HALF, MUTED, panel


def funnel(steps: pl.DataFrame) -> Figure:
    """Rows kept after each step, with the dropped rows beside them."""
    figure, (ax,) = panel((HALF[0], max(1.6, 0.7 + 0.3 * steps.height)))
    widest = max(1, int(steps["read"].max() or 1))  # type: ignore[arg-type]
    for y, row in enumerate(steps.iter_rows(named=True)):
        ax.barh(y, row["kept"], color=FINAL, height=0.62)
        ax.barh(y, row["dropped"], left=row["kept"], color=BASE, alpha=0.55, height=0.62)
        text = f"{row['kept']:,}" + (f"  −{row['dropped']:,}" if row["dropped"] else "")
        ax.annotate(
            text, (row["kept"] + row["dropped"], y), xytext=(5, 0), textcoords="offset points", va="center",
            color=MUTED,
        )  # fmt: skip
    ax.set_yticks(range(steps.height), steps["step"].to_list())
    ax.invert_yaxis()
    ax.set_xlim(0, widest * 1.28)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(False)
    return figure


def answer_types(types: pl.DataFrame) -> Figure:
    """Problems by type of reference answer, most frequent first."""
    ordered = types.sort(["count", "answer_type"], descending=[True, False]).head(12)
    total = max(1, int(types["count"].sum()))
    figure, (ax,) = panel((HALF[0], max(1.6, 0.7 + 0.3 * ordered.height)))
    ax.barh(range(ordered.height), ordered["count"], color=FINAL, height=0.62)
    for y, count in enumerate(ordered["count"]):
        text = f"{count:,} · {count / total:.1%}"
        ax.annotate(
            text, (count, y), xytext=(5, 0), textcoords="offset points", va="center",
            color=MUTED,
        )  # fmt: skip
    ax.set_yticks(range(ordered.height), ordered["answer_type"].to_list())
    ax.set_ylim(max(ordered.height, 4) - 0.5, -0.5)
    ax.set_xlim(0, max(1, int(ordered["count"].max() or 1)) * 1.3)  # type: ignore[arg-type]
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(False)
    return figure
