"""Figures of a training run: rewards and lengths, optimization, and time."""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from evals.report.canvas import BASE, FINAL, HALF, MUTED, THIRD_WIDTH, WARN, legend_above, panel, share_axis
from evals.statistics.forecast import Forecast
from evals.statistics.turning_point import Bend


def curve(ax: Axes, steps: pl.Series, values: pl.Series, color: str, label: str = "", end: str = "") -> None:
    """Draw a noisy series: the raw line faint, its running mean bold, and its last value at the end."""
    known = (
        pl.DataFrame({"x": steps, "y": values.cast(pl.Float64)}).drop_nulls().filter(pl.col("y").is_finite())
    )
    if known.height == 0:
        return
    window = max(1, known.height // 20)
    smooth = known["y"].rolling_mean(window, min_samples=1, center=True)
    if window > 1:
        raw = known.gather_every(1 + known.height // 600)
        ax.plot(raw["x"], raw["y"], color=color, linewidth=0.8, alpha=0.35)
    ax.plot(known["x"], smooth, color=color, label=label or None)
    if end:
        ax.annotate(
            end.format(smooth[-1]),
            (known["x"][-1], smooth[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            color=color,
            va="center",
            fontweight="bold",
            annotation_clip=False,
        )


def _finish(ax: Axes, *, percent: bool = False, legend: bool = False) -> None:
    ax.set_xlabel("training step")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    if percent:
        share_axis(ax)
    if legend:
        legend_above(ax)


def _mark(ax: Axes, bend: Bend | None) -> None:
    if bend is not None:
        ax.axvline(bend.step, color=MUTED, linewidth=0.9, linestyle=(0, (3, 3)))
        ax.annotate(
            f"bend {bend.place}",
            (bend.step, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -9),
            textcoords="offset points",
            color=MUTED,
            fontsize=8,
        )


def _ahead(ax: Axes, first: float, last: float, ahead: Forecast) -> None:
    """Draw a forecast from the last step on, for a third of the steps so far."""
    steps = np.linspace(last, last + (last - first) / 3, 40)
    low, middle, high = np.quantile(ahead.curves(steps.tolist()), (0.025, 0.5, 0.975), axis=0)
    ax.fill_between(steps, low, high, color=FINAL, alpha=0.15, linewidth=0)
    ax.plot(steps, middle, color=FINAL, linewidth=1.2, linestyle=(0, (1, 2)))


def reward(metrics: pl.DataFrame, bend: Bend | None, ahead: Forecast | None = None) -> Figure:
    figure, (ax,) = panel(HALF)
    if ahead is not None:
        _ahead(ax, metrics["step"][0], metrics["step"][-1], ahead)
    curve(ax, metrics["step"], metrics["pass_at_n"], BASE, "any sample of a prompt")
    curve(ax, metrics["step"], metrics["reward"], FINAL, "mean reward")
    ax.set_ylim(-0.02, 1.02)
    _mark(ax, bend)
    _finish(ax, legend=True)
    return figure


def response_length(metrics: pl.DataFrame, bend: Bend | None) -> Figure:
    figure, (ax,) = panel(HALF)
    spread = metrics.select("step", "response_tokens", "response_tokens_std")
    low = np.maximum(0, spread["response_tokens"].to_numpy() - spread["response_tokens_std"].to_numpy())
    high = spread["response_tokens"].to_numpy() + spread["response_tokens_std"].to_numpy()
    ax.fill_between(spread["step"], low, high, color=FINAL, alpha=0.12, linewidth=0, label="±1 std")
    curve(ax, metrics["step"], metrics["response_tokens"], FINAL, "mean response, tokens", end="{:.1f}")
    _mark(ax, bend)
    _finish(ax, legend=True)
    return figure


def length_by_outcome(metrics: pl.DataFrame) -> Figure:
    figure, (ax,) = panel(HALF)
    curve(ax, metrics["step"], metrics["response_tokens_correct"], FINAL, "correct")
    curve(ax, metrics["step"], metrics["response_tokens_wrong"], WARN, "wrong")
    _finish(ax, legend=True)
    return figure


def reflection(steps: pl.DataFrame) -> Figure:
    """Length of the correct responses that reflect, compared with all responses: the paper's figure 6."""
    figure, (ax,) = panel(HALF)
    curve(ax, steps["step"], steps["response_tokens"], BASE, "all responses")
    curve(ax, steps["step"], steps["correct_reflection_tokens"], FINAL, "correct ones that reflect")
    _finish(ax, legend=True)
    return figure


def reflection_rate(steps: pl.DataFrame, bend: Bend | None) -> Figure:
    figure, (ax,) = panel(HALF)
    _mark(ax, bend)
    curve(ax, steps["step"], steps["reflection_rate"], FINAL, end="{:.0%}")
    _finish(ax, percent=True)
    return figure


def truncation_and_format(metrics: pl.DataFrame) -> Figure:
    figure, (ax,) = panel(HALF)
    curve(ax, metrics["step"], metrics["formatted"], FINAL, "in the requested format")
    curve(ax, metrics["step"], metrics["truncated"], WARN, "truncated")
    _finish(ax, percent=True, legend=True)
    ax.set_ylim(-0.02, 1.02)
    return figure


def single(metrics: pl.DataFrame, column: str, *, percent: bool = False) -> Figure:
    """One metric alone, for the small multiples."""
    figure, (ax,) = panel(THIRD_WIDTH)
    curve(ax, metrics["step"], metrics[column], FINAL)
    _finish(ax, percent=percent)
    return figure


PHASES = {
    "rollout_s": "sampling",
    "reward_s": "scoring",
    "forward_s": "log-probs and values",
    "critic_s": "critic update",
    "policy_s": "policy update",
    "sync_s": "weight sync",
}


def time_per_phase(timings: pl.DataFrame) -> Figure:
    """Mean seconds per step in each phase; time outside the phases is `other`."""
    means = timings.select(pl.col("step_s", *PHASES).mean()).row(0, named=True)
    bars = [(label, means[column]) for column, label in PHASES.items()]
    bars.append(("other", max(0.0, means["step_s"] - sum(seconds for _, seconds in bars))))
    total = sum(seconds for _, seconds in bars) or 1.0
    figure, (ax,) = panel(HALF)
    for row, (label, seconds) in enumerate(bars):
        ax.barh(row, seconds, color=BASE if label == "other" else FINAL, height=0.62)
        ax.annotate(
            f"{seconds:.2g} s · {seconds / total:.0%}",
            (seconds, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
        )
    ax.set_yticks(range(len(bars)), [label for label, _ in bars])
    ax.invert_yaxis()
    ax.set_xlim(0, max(seconds for _, seconds in bars) * 1.28 or 1)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(False)
    return figure


def throughput(timings: pl.DataFrame) -> Figure:
    figure, (ax,) = panel(HALF)
    curve(ax, timings["step"], timings["tokens_per_s"], FINAL, end="{:,.0f}")
    ax.set_ylim(bottom=0)
    _finish(ax)
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure
