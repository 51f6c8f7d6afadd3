"""The data of a report: frames and texts that the pipeline fills in; parts that are None are omitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from evals.statistics.intervals import Estimate, macro_average, mean_over_questions
from evals.statistics.metrics import question_means
from evals.statistics.turning_point import Bend

Unit = Literal["share", "tokens", "number"]


MEANS: tuple[tuple[str, str, Unit], ...] = (
    ("Response length", "n_response_tokens", "tokens"),
    ("In the requested format", "is_formatted", "share"),
    ("Truncated", "is_truncated", "share"),
)
"""Tiles of columns of COMPLETION."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One number before and after training, at the top of the report."""

    name: str
    before: float | None
    after: float | None
    unit: Unit = "share"
    """share: shown as a percentage; tokens: one decimal; number: three digits."""
    before_ci95: tuple[float, float] | None = None
    after_ci95: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page. Schemas in capitals are defined in `rewards.contracts.records` and
    `evals.statistics.compare`."""

    run: str
    """Name of the run: the page's title."""
    subtitle: str = ""
    """One line below the title: what was trained, and on what."""
    headlines: tuple[Headline, ...] = ()
    """See `headlines()`."""
    label: str = "final"
    """What the model of `final` is called in tables."""
    facts: tuple[tuple[str, str], ...] = ()
    """Below it: when it was evaluated, how it was sampled and judged, with which versions."""
    config: str = ""
    """The resolved config as TOML."""
    base: pl.DataFrame | None = None
    """COMPLETION rows before training, all benchmarks."""
    final: pl.DataFrame | None = None
    """COMPLETION rows after training."""
    comparison: pl.DataFrame | None = None
    """COMPARISON rows; computed from base and final when absent."""
    metrics: pl.DataFrame | None = None
    """METRIC rows."""
    timings: pl.DataFrame | None = None
    """TIMING rows."""
    reflection: pl.DataFrame | None = None
    """Reflection by step, as measured in training or counted by
    `evals.statistics.reflection.by_step(rollouts)`."""
    checkpoints: pl.DataFrame | None = None
    """Evaluations before, during and after training: COMPLETION rows with a column `step`."""
    funnel: pl.DataFrame | None = None
    """Curation, step by step: [step, read, kept, dropped]."""
    answer_types: pl.DataFrame | None = None
    """Compiled rewards: [answer_type, count]."""
    overlap: pl.DataFrame | None = None
    """Benchmark questions in the training set, and those that curation removed from it: [benchmark,
    n_questions, n_overlapping, n_removed]."""
    disagreements: pl.DataFrame | None = None
    """Responses that Math-Verify judges differently: `evals.disagreements.SCHEMA` and `model`; None: not
    asked."""
    set_aside: pl.DataFrame | None = None
    """Questions without a score: [model, benchmark, n_set_aside, n_questions (all), detail]."""
    budgets: pl.DataFrame | None = None
    """Accuracy against the token budget: `evals.statistics.budget.BUDGET` and `model`."""
    cutoff: str = ""
    """Month of the base model's last data, YYYY-MM: what became public after it? Empty: unknown."""
    price: float | None = None
    """Of a million response tokens, in any currency; None: costs are given in tokens."""
    bends: Mapping[str, Bend | None] | None = None
    """Where the run's series bend upward (evals.statistics.turning_point.run_bends); None: not known yet."""
    has_viewer: bool = False
    """The viewer's folder `view` lies beside the page: samples link to it."""
    lineage: pl.DataFrame | None = None
    """Artifacts: [artifact, fingerprint]."""
    timing_note: str = ""
    """One line on cost: wall and CPU time, machine."""
    notes: tuple[str, ...] = field(default=())
    """Remarks for the reader, such as what was skipped."""


def headlines(
    base: pl.DataFrame, final: pl.DataFrame, extra: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Headline, ...]:
    """Compute the usual headlines from two COMPLETION frames; `extra` shares, such as reward, come first.

    Benchmarks are never pooled, as the largest would outweigh all others: each has a tile, and several have
    their macro average, in which each counts the same.
    """
    given = tuple(Headline(name, before, after) for name, (before, after) in (extra or {}).items())
    names = list(dict.fromkeys([*base["benchmark"], *final["benchmark"]]))
    suffix = ", macro average" if len(names) > 1 else ""
    return (
        *given,
        *_accuracies(base, final, names),
        *(
            Headline(f"{title}{suffix}", _macro(base, column), _macro(final, column), unit)
            for title, column, unit in MEANS
        ),
    )


def _accuracies(base: pl.DataFrame, final: pl.DataFrame, names: list[str]) -> list[Headline]:
    tiles = []
    found: list[list[Estimate]] = [[], []]
    for name in names:
        parts = [frame.filter(pl.col("benchmark") == name) for frame in (base, final)]
        estimates = [_accuracy(part) for part in parts]
        for kept, estimate in zip(found, estimates, strict=True):
            kept += [estimate] if estimate else []
        k = max(part["sample"].n_unique() for part in parts)
        tiles.append(_tile(f"{name}, avg@{k}", *estimates))
    if not names:
        tiles = [Headline("Accuracy", None, None)]
    if len(names) > 1:
        means = [macro_average(kept) if len(kept) == len(names) else None for kept in found]
        tiles.insert(0, _tile(f"Macro average of {len(names)} benchmarks", *means))
    return tiles


def _tile(name: str, before: Estimate | None, after: Estimate | None) -> Headline:
    values = [each.value if each else None for each in (before, after)]
    intervals = [each.ci95 if each else None for each in (before, after)]
    return Headline(name, values[0], values[1], "share", intervals[0], intervals[1])


def _accuracy(completions: pl.DataFrame) -> Estimate | None:
    if completions.height == 0:
        return None
    return mean_over_questions(question_means(completions)["accuracy"].to_numpy())


def _macro(completions: pl.DataFrame, column: str) -> float | None:
    """The mean over benchmarks of a column's mean."""
    means = completions.group_by("benchmark").agg(pl.col(column).cast(pl.Float64).mean())
    value = means[column].mean()
    return None if value is None else float(str(value))
