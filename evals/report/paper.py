"""Figures of the benchmarks for papers and slides; on the page, their numbers are in tables."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evals.report import benchmark_figures
from evals.report.canvas import drawing
from evals.report.plates import Plate, Section, plate
from evals.statistics.metrics import breakdown, curves, question_means


def build_paper_section(
    models: dict[str, pl.DataFrame], summaries: dict[str, pl.DataFrame], comparison: pl.DataFrame | None
) -> Section:
    """The section `benchmarks` of the figure files."""
    with drawing():
        plates = (*_benchmarks(models, summaries, comparison), *_groups(models))
        return Section("benchmarks", "Benchmarks", "", plates)


def _benchmarks(
    models: dict[str, pl.DataFrame], summaries: dict[str, pl.DataFrame], comparison: pl.DataFrame | None
) -> Iterator[Plate]:
    if not summaries:
        return
    caption = "Share of correct samples, mean over questions, with its 95% interval."
    yield plate("accuracy", "Accuracy", caption, benchmark_figures.accuracy(summaries))
    if comparison is not None:
        yield plate(
            "delta",
            "Paired difference",
            "Sign-flip test over questions, Holm-corrected; filled: p < 0.05.",
            benchmark_figures.paired_delta(comparison),
        )
    names = _names(summaries)
    by_model = {label: curves(frame) for label, frame in models.items()}
    for number, name in enumerate(names):
        if any(frame.filter(pl.col("benchmark") == name).height > 1 for frame in by_model.values()):
            yield plate(
                f"passk{number}",
                f"pass@k and maj@k, {name}",
                "Solid: any of k samples is right; dashed: their majority is.",
                benchmark_figures.pass_and_majority(name, by_model),
            )
        if comparison is not None:
            yield plate(
                f"flips{number}",
                f"Question by question, {name}",
                "Change in the share of correct samples.",
                benchmark_figures.flips(name, _deltas(models, name)),
            )


def _deltas(models: dict[str, pl.DataFrame], name: str) -> NDArray[np.float64]:
    means = [question_means(models[label].filter(pl.col("benchmark") == name)) for label in ("base", "final")]
    joined = means[0].join(means[1], on="question_id", maintain_order="left")
    return (joined["accuracy_right"] - joined["accuracy"]).to_numpy()


def _groups(models: dict[str, pl.DataFrame]) -> Iterator[Plate]:
    """Accuracy by length quartile, level and subject, where they are few enough for a figure."""
    for by, label, most in (
        ("length", "length quartile, shortest first", 4),
        ("level", "level", 12),
        ("subject", "subject", 9),
    ):
        groups = {model: breakdown(frame, by) for model, frame in models.items()}
        for number, name in enumerate(_names(groups)):
            own = {model: group.filter(pl.col("benchmark") == name) for model, group in groups.items()}
            if all(1 < group.height <= most for group in own.values()):
                title = f"Accuracy by {label.split(',')[0]}, {name}"
                figure = benchmark_figures.accuracy_by_group(own, label)
                yield plate(f"{by}{number}", title, "With 95% intervals.", figure)


def _names(frames: dict[str, pl.DataFrame]) -> list[str]:
    """Benchmarks in order of appearance."""
    return list(dict.fromkeys(name for frame in frames.values() for name in frame["benchmark"]))
