"""The sections of the page, in order, and the figures in each, depending on the available data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from numpy.typing import NDArray

from evals.report import benchmark_figures, data_figures, training_figures
from evals.report.canvas import drawing, to_svg
from evals.report.data import ReportData
from evals.statistics.metrics import breakdown, by_checkpoint, curves, question_means
from evals.statistics.turning_point import Bend, turning_point


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


def build_sections(
    data: ReportData,
    models: dict[str, pl.DataFrame],
    summaries: dict[str, pl.DataFrame],
    comparison: pl.DataFrame | None,
    bends: dict[str, Bend | None],
) -> list[Section]:
    """Draw every figure that the data allows; sections without figures are omitted."""
    with drawing():
        sections = [
            Section("training", "Training", _training_lead(data, bends), tuple(_training(data, bends))),
            Section("benchmarks", "Benchmarks", "", tuple(_benchmarks(models, summaries, comparison))),
            Section("lengths", "Lengths and levels", "", tuple(_lengths(models))),
            Section("optimization", "Optimization", "", tuple(_optimization(data))),
            Section("data", "Data", "", tuple(_data(data))),
            Section("cost", "Cost", data.timing_note, tuple(_cost(data))),
        ]
    return [section for section in sections if section.plates]


def _plate(key: str, title: str, caption: str, figure: Figure, *, is_small: bool = False) -> Plate:
    return Plate(key, title, caption, figure, to_svg(figure, key, f"{title}. {caption}"), is_small)


def _training_lead(data: ReportData, bends: dict[str, Bend | None]) -> str:
    if data.metrics is None or data.metrics.height == 0:
        return ""
    n_steps = data.metrics.height
    if n_steps < 40:
        return f"{n_steps} steps."
    lines = "Faint lines are single steps, bold ones their running mean."
    return f"{n_steps} steps. {lines} {bends_in_words(bends)}".rstrip()


def bends_in_words(bends: dict[str, Bend | None]) -> str:
    """Say where the series bend upward: together, each at its own step, or not at all.

    >>> bends_in_words({"reward": Bend(40.0, 36.0, 44.0, 0.002, 0.0, 0.01), "response_tokens": None})
    'Upward bends (change-point test for each): reward at step 40 (p = 0.002), response length none.'
    """
    names = {"response_tokens": "response length", "correct_reflection_tokens": "correct-reflection length"}
    named = {names.get(name, name): bend for name, bend in bends.items()}
    if not any(named.values()):
        return ""
    if point := turning_point(named):
        first, *others = named
        what = " and ".join([", ".join([first.capitalize(), *others[:-1]]), *others[-1:]])
        return f"{what} bend upward together {point.place} (each by itself, p <= {point.p_value:.3f})."
    parts = [
        f"{name} none" if bend is None else f"{name} {bend.place} (p = {bend.p_value:.3f})"
        for name, bend in named.items()
    ]
    return f"Upward bends (change-point test for each): {', '.join(parts)}."


def _training(data: ReportData, bends: dict[str, Bend | None]) -> Iterator[Plate]:
    metrics = data.metrics
    if metrics is not None and metrics.height:
        draw = training_figures
        caption = "Binary reward, mean over the step's responses."
        yield _plate("reward", "Reward", caption, draw.reward(metrics, bends.get("reward")))
        figure = draw.response_length(metrics, bends.get("response_tokens"))
        yield _plate("length", "Response length", "Tokens per response.", figure)
        title = "Length of right and wrong responses"
        yield _plate("outcome", title, "Tokens, mean.", draw.length_by_outcome(metrics))
        title = "Format and truncation"
        yield _plate("format", title, "Share of responses.", draw.truncation_and_format(metrics))
    if data.reflection is not None and data.reflection["reflection_rate"].sum() > 0:
        draw = training_figures
        title = "Length of correct reflections"
        yield _plate("reflection", title, "Tokens, mean.", draw.reflection(data.reflection))
        caption = "Share of responses with wait, recheck, retry, alternatively or however."
        yield _plate("reflecting", "Reflection rate", caption, draw.reflection_rate(data.reflection))
    if data.checkpoints is not None and data.checkpoints["step"].n_unique() > 2:
        yield from _checkpoints(data.checkpoints)


def _checkpoints(checkpoints: pl.DataFrame) -> Iterator[Plate]:
    """Accuracy by step, and by level when the benchmark has levels."""
    accuracy = by_checkpoint(checkpoints)
    for number, name in enumerate(accuracy["benchmark"].unique(maintain_order=True)):
        yield _plate(
            f"checkpoint{number}",
            f"{name} during training",
            "Accuracy with its 95% band.",
            benchmark_figures.accuracy_by_step(name, accuracy),
            is_small=True,
        )
        own = checkpoints.filter(pl.col("benchmark") == name)
        if 1 < own["level"].n_unique() <= 12:
            title, caption = f"Levels of {name} during training", "Accuracy by level and step."
            figure = benchmark_figures.levels_by_step(own)
            yield _plate(f"levels{number}", title, caption, figure, is_small=True)


def _benchmarks(
    models: dict[str, pl.DataFrame], summaries: dict[str, pl.DataFrame], comparison: pl.DataFrame | None
) -> Iterator[Plate]:
    if not summaries:
        return
    caption = "Share of correct samples, mean over questions, with its 95% interval."
    yield _plate("accuracy", "Accuracy", caption, benchmark_figures.accuracy(summaries))
    if comparison is not None:
        yield _plate(
            "delta",
            "Paired difference",
            "Sign-flip test over questions, Holm-corrected; filled: p < 0.05.",
            benchmark_figures.paired_delta(comparison),
        )
    names = list(dict.fromkeys(name for summary in summaries.values() for name in summary["benchmark"]))
    by_model = {label: curves(frame) for label, frame in models.items()}
    for number, name in enumerate(names):
        if any(frame.filter(pl.col("benchmark") == name).height > 1 for frame in by_model.values()):
            yield _plate(
                f"passk{number}",
                f"pass@k and maj@k, {name}",
                "Solid: any of k samples is right; dashed: their majority is.",
                benchmark_figures.pass_and_majority(name, by_model),
            )
        if comparison is not None:
            yield _plate(
                f"flips{number}",
                f"Question by question, {name}",
                "Change in the share of correct samples.",
                benchmark_figures.flips(name, _deltas(models, name)),
            )


def _deltas(models: dict[str, pl.DataFrame], name: str) -> NDArray[np.float64]:
    means = [question_means(models[label].filter(pl.col("benchmark") == name)) for label in ("base", "final")]
    joined = means[0].join(means[1], on="question_id", maintain_order="left")
    return (joined["accuracy_right"] - joined["accuracy"]).to_numpy()


def _lengths(models: dict[str, pl.DataFrame]) -> Iterator[Plate]:
    if not models:
        return
    yield _plate(
        "histogram",
        "Response lengths, right and wrong",
        "Right up, wrong down; share of all responses.",
        benchmark_figures.length_histograms(models),
    )
    wanted: tuple[tuple[str, str, Callable[[pl.DataFrame], bool]], ...] = (
        ("length", "length quartile, shortest first", lambda _: True),
        ("level", "level", lambda frame: 1 < frame["level"].n_unique() <= 12),
        ("subject", "subject", lambda frame: 1 < frame["subject"].n_unique() <= 9),
    )
    names = dict.fromkeys(name for frame in models.values() for name in frame["benchmark"])
    for by, label, fits in wanted:
        for number, name in enumerate(names):
            parts = {model: frame.filter(pl.col("benchmark") == name) for model, frame in models.items()}
            if all(part.height and fits(part) for part in parts.values()):
                groups = {model: breakdown(part, by) for model, part in parts.items()}
                if any(group.height for group in groups.values()):
                    yield _plate(
                        f"{by}{number}",
                        f"Accuracy by {label.split(',')[0]}, {name}",
                        "With 95% intervals.",
                        benchmark_figures.accuracy_by_group(groups, label),
                    )


_OPTIMIZATION = (
    ("policy_loss", "Policy loss", "Clipped surrogate, token mean.", False),
    ("value_loss", "Value loss", "Clipped, token mean.", False),
    ("explained_variance", "Explained variance", "Of the critic, before its update.", False),
    ("entropy", "Entropy", "Of the policy, nats per token.", False),
    ("clip_fraction", "Clipped tokens", "Share whose ratio left the trust region.", True),
    ("approx_kl", "Policy change", "Approximate KL between new and old.", False),
)


def _optimization(data: ReportData) -> Iterator[Plate]:
    if data.metrics is not None and data.metrics.height:
        for column, title, caption, is_percent in _OPTIMIZATION:
            figure = training_figures.single(data.metrics, column, percent=is_percent)
            yield _plate(column.replace("_", ""), title, caption, figure, is_small=True)


def _data(data: ReportData) -> Iterator[Plate]:
    if data.funnel is not None and data.funnel.height:
        caption = "Problems kept after each step; dropped ones in gray."
        yield _plate("funnel", "Curation", caption, data_figures.funnel(data.funnel))
    if data.answer_types is not None and data.answer_types.height:
        caption = "Problems by type of reference answer."
        yield _plate("types", "Answer types", caption, data_figures.answer_types(data.answer_types))


def _cost(data: ReportData) -> Iterator[Plate]:
    if data.timings is not None and data.timings.height:
        caption = "Response tokens per second of sampling."
        yield _plate("throughput", "Throughput", caption, training_figures.throughput(data.timings))
        phases = training_figures.time_per_phase(data.timings)
        yield _plate("phases", "Where a step's time goes", "Mean over steps.", phases)
