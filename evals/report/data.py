"""The data of a report: frames and texts that the pipeline fills in; parts that are None are omitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from evals.statistics.intervals import mean_over_questions
from evals.statistics.metrics import question_means

Unit = Literal["share", "tokens", "number"]


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
    lineage: pl.DataFrame | None = None
    """Artifacts: [artifact, fingerprint]."""
    timing_note: str = ""
    """One line on cost: wall and CPU time, machine."""
    notes: tuple[str, ...] = field(default=())
    """Remarks for the reader, such as what was skipped."""


def headlines(
    base: pl.DataFrame, final: pl.DataFrame, extra: Mapping[str, tuple[float, float]] | None = None
) -> tuple[Headline, ...]:
    """Compute the usual headlines from two COMPLETION frames; `extra` shares, such as reward, come first."""
    given = tuple(Headline(name, *ends) for name, ends in (extra or {}).items())
    length = "n_response_tokens"
    before, before_ci95 = _accuracy(base)
    after, after_ci95 = _accuracy(final)
    return (
        *given,
        Headline("Accuracy", before, after, "share", before_ci95, after_ci95),
        Headline("Response length", _mean(base, length), _mean(final, length), unit="tokens"),
        Headline("In the requested format", _mean(base, "is_formatted"), _mean(final, "is_formatted")),
        Headline("Truncated", _mean(base, "is_truncated"), _mean(final, "is_truncated")),
    )


def _accuracy(completions: pl.DataFrame) -> tuple[float | None, tuple[float, float] | None]:
    if completions.height == 0:
        return None, None
    estimate = mean_over_questions(question_means(completions)["accuracy"].to_numpy())
    return estimate.value, estimate.ci95


def _mean(completions: pl.DataFrame, column: str) -> float | None:
    value = completions.select(pl.col(column).cast(pl.Float64).mean()).item()
    return None if value is None else float(value)
