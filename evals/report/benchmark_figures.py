"""Figures of benchmark results before and after training."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from evals.report.canvas import (
    BASE,
    FINAL,
    HALF,
    INK,
    LINE,
    MUTED,
    THIRD_WIDTH,
    WARN,
    legend_above,
    panel,
    percent,
    percent_axis,
)
from evals.report.reference import REFERENCE


def _row_size(n_rows: int) -> tuple[float, float]:
    return HALF[0], max(1.5, 0.75 + 0.42 * n_rows)


def accuracy(summaries: dict[str, pl.DataFrame]) -> Figure:
    """One row per benchmark: dots with 95 % intervals before and after, ticks for published models."""
    names = list(dict.fromkeys(name for summary in summaries.values() for name in summary["benchmark"]))
    figure, (ax,) = panel(_row_size(len(names)))
    colors = {"base": BASE, "final": FINAL}
    for offset, (label, summary) in zip((-0.14, 0.14), summaries.items(), strict=False):
        for row in summary.iter_rows(named=True):
            y = names.index(row["benchmark"]) + (offset if len(summaries) > 1 else 0)
            interval = [row["ci95_low"], row["ci95_high"]]
            ax.plot(interval, [y, y], color=colors[label], linewidth=2.2, alpha=0.55)
            ax.plot(row["accuracy"], y, "o", color=colors[label], markersize=6)
        ax.plot([], [], "o-", color=colors[label], label=label)
    published = REFERENCE.filter(pl.col("benchmark").is_in(names) & pl.col("model").str.starts_with("ORZ"))
    for (name,), models in published.sort("accuracy").group_by("benchmark", maintain_order=True):
        y = names.index(name)
        for number, (model, value) in enumerate(models.select("model", "accuracy").iter_rows()):
            is_crowded = number > 0 and value - models["accuracy"][number - 1] < 0.06
            ax.plot([value, value], [y - 0.28, y + 0.28], color=MUTED, linewidth=1)
            ax.annotate(
                model.removeprefix("ORZ-"),
                (value, y + 0.3 if is_crowded else y - 0.3),
                ha="left" if is_crowded else "center",
                va="top" if is_crowded else "bottom",
                fontsize=6.5,
                color=MUTED,
            )
    if published.height:
        ax.plot([], [], "|", color=MUTED, markersize=8, label="ORZ, published")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.65)
    ax.set_xlim(-0.01, 1.01)
    percent_axis(ax.xaxis)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    legend_above(ax)
    return figure


def paired_delta(comparison: pl.DataFrame) -> Figure:
    """Forest plot: difference per benchmark with its paired 95 % interval; filled when significant."""
    figure, (ax,) = panel(_row_size(comparison.height))
    ax.axvline(0, color=MUTED, linewidth=0.9)
    for y, row in enumerate(comparison.iter_rows(named=True)):
        is_clear = row["p_holm"] < 0.05
        color = (FINAL if row["delta"] > 0 else WARN) if is_clear else MUTED
        ax.plot([row["ci95_low"], row["ci95_high"]], [y, y], color=color, linewidth=2.2, alpha=0.55)
        ax.plot(row["delta"], y, "o", color=color, markersize=6.5, fillstyle="full" if is_clear else "none")
        p = "< 0.001" if row["p_holm"] < 0.001 else f"= {row['p_holm']:.3f}"
        ax.annotate(
            f"{row['delta'] * 100:+.1f} pts, p {p}",
            (row["delta"], y),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=color,
            fontsize=8,
        )
    ax.set_yticks(range(comparison.height), comparison["benchmark"].to_list())
    ax.set_ylim(comparison.height - 0.45, -0.65)
    low = min(0.0, *comparison["ci95_low"]) - 0.08
    high = max(0.0, *comparison["ci95_high"]) + 0.08
    ax.set_xlim(max(-1.05, low), min(1.05, high))
    percent_axis(ax.xaxis, sign="")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_xlabel("points of accuracy, after − before")
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
    return figure


def pass_and_majority(name: str, curves: dict[str, pl.DataFrame]) -> Figure:
    """pass@k (solid) and maj@k (dashed) of one benchmark, base and final."""
    figure, (ax,) = panel(HALF)
    for label, color in (("base", BASE), ("final", FINAL)):
        if label not in curves:
            continue
        part = curves[label].filter(pl.col("benchmark") == name)
        ax.plot(part["k"], part["pass_at_k"], "o-", markersize=3, color=color, label=label)
        ax.plot(part["k"], part["maj_at_k"], "--", linewidth=1.3, color=color)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("k samples per question")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    percent_axis(ax.yaxis)
    legend_above(ax)
    return figure


def flips(name: str, deltas: np.ndarray) -> Figure:
    """Each question's change in its share of correct samples, sorted from gains to losses."""
    figure, (ax,) = panel(HALF)
    ordered = np.sort(deltas)[::-1]
    edges = np.arange(len(ordered) + 1)
    for sign, color, word in ((1, FINAL, "better"), (-1, WARN, "worse")):
        chosen = ordered * sign > 0
        label = f"{int(chosen.sum())} {word}"
        ax.stairs(np.where(chosen, ordered, 0), edges, fill=True, color=color, alpha=0.85, label=label)
    ax.plot([], [], color=LINE, linewidth=5, label=f"{int((ordered == 0).sum())} unchanged")
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set_ylim(min(-0.25, ordered[-1]) - 0.05, max(0.25, ordered[0]) + 0.05)
    ax.set_xlabel(f"questions in {name}, most improved first")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    percent_axis(ax.yaxis)
    legend_above(ax)
    return figure


def length_histograms(completions: dict[str, pl.DataFrame]) -> Figure:
    """Lengths of right (up) and wrong (down) responses, one row per model, on a common scale."""
    figure, axes = panel((HALF[0], 1.05 + 0.85 * len(completions)), rows=len(completions))
    longest = max(int(frame["n_response_tokens"].max() or 1) for frame in completions.values())  # type: ignore[arg-type]
    bins = np.linspace(0, longest + 1, min(40, longest + 2))
    for ax, (label, frame) in zip(axes, completions.items(), strict=True):
        for is_correct, color, sign, word in ((True, FINAL, 1, "right"), (False, WARN, -1, "wrong")):
            lengths = frame.filter(pl.col("is_correct") == is_correct)["n_response_tokens"].to_numpy()
            counts, _ = np.histogram(lengths, bins)
            heights = sign * counts / max(1, frame.height)
            ax.bar(bins[:-1], heights, np.diff(bins) * 0.9, align="edge", color=color, alpha=0.85, label=word)
            if len(lengths):
                mean = float(np.mean(lengths))
                ax.plot([mean, mean], [0, sign * max(np.abs(heights))], color=INK, linewidth=1)
        ax.axhline(0, color=MUTED, linewidth=0.8)
        ax.set_title(label)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(lambda value, _: percent(abs(value)))
    legend_above(axes[0], right=True)
    axes[-1].set_xlabel("response length, tokens (bar: mean)")
    return figure


def accuracy_by_group(groups: dict[str, pl.DataFrame], label: str) -> Figure:
    """Accuracy with intervals by level, subject or length quartile."""
    names = sorted({name for frame in groups.values() for name in frame["group"]})
    figure, (ax,) = panel(HALF)
    for offset, (model, color) in zip((-0.1, 0.1), (("base", BASE), ("final", FINAL)), strict=True):
        if model not in groups:
            continue
        for row in groups[model].iter_rows(named=True):
            x = names.index(row["group"]) + offset
            ax.plot([x, x], [row["ci95_low"], row["ci95_high"]], color=color, linewidth=2.2, alpha=0.55)
            ax.plot(x, row["accuracy"], "o", color=color, markersize=5.5)
        ax.plot([], [], "o-", color=color, label=model)
    ax.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 7 else 25, ha="center")
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(label)
    percent_axis(ax.yaxis)
    legend_above(ax)
    return figure


def levels_by_step(checkpoints: pl.DataFrame) -> Figure:
    """Heat map: accuracy at every level (rows) and evaluated step (columns), written in each cell."""
    means = checkpoints.group_by("step", "level").agg(accuracy=pl.col("is_correct").mean())
    means = means.sort("step", "level")
    levels, steps = means["level"].drop_nulls().unique().sort(), means["step"].unique().sort()
    figure, (ax,) = panel((THIRD_WIDTH[0], max(1.5, 0.7 + 0.3 * len(levels))))
    width = 1 / len(steps)
    column = {step: number for number, step in enumerate(steps)}
    row = {level: number for number, level in enumerate(levels)}
    for step, level, accuracy in means.drop_nulls("level").iter_rows():
        x, y = column[step] * width, row[level]
        ax.add_patch(Rectangle((x, y - 0.5), width, 1, facecolor=FINAL, alpha=accuracy, linewidth=0))
        if len(steps) <= 12:
            ax.text(x + width / 2, y, f"{accuracy:.0%}", ha="center", va="center", fontsize=7)
    shown = range(0, len(steps), 1 + len(steps) // 6)
    ax.set_xticks([(index + 0.5) * width for index in shown], [str(steps[index]) for index in shown])
    ax.set_yticks(range(len(levels)), levels.to_list())
    ax.set_xlim(0, 1)
    ax.set_ylim(len(levels) - 0.5, -0.5)
    ax.set_xlabel("training step")
    ax.grid(False)
    return figure


def accuracy_by_step(name: str, checkpoints: pl.DataFrame) -> Figure:
    """Accuracy of one benchmark against the training step, with its 95 % band."""
    part = checkpoints.filter(pl.col("benchmark") == name).sort("step")
    figure, (ax,) = panel(THIRD_WIDTH)
    ax.fill_between(part["step"], part["ci95_low"], part["ci95_high"], color=FINAL, alpha=0.15, linewidth=0)
    ax.plot(part["step"], part["accuracy"], "o-", color=FINAL, markersize=3.5)
    ax.set_xlabel("training step")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    percent_axis(ax.yaxis)
    return figure
