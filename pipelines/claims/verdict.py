"""From the runs of a claim to its verdict: differences from the control, with intervals over bases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from evals.statistics.turning_point import SERIES, run_bends, turning_point
from pipelines.ablate import interval
from pipelines.claims.cells import Runs
from pipelines.claims.config import Claim, Measure, Variant

Outcome = Literal["shown", "not shown", "refuted"]
Interval = tuple[float, float | None, float | None]
"""Mean, and the ends of its 95 % interval; of a single value, no ends."""
KEY = ("task", "variant", "base", "seed")


@dataclass(frozen=True, slots=True)
class Row:
    """One variant on one task."""

    task: str
    name: str
    value: Interval
    """The claim's measure, mean and 95 % interval over bases (over seeds where there is one base)."""
    difference: Interval | None
    """Less the control's on the same base and seed, or the base model's (gain); None for the control."""
    last: float
    """Mean accuracy over the last quarter of the steps."""
    reach: float | None
    """Mean advantage_reach."""
    tokens: float
    """Mean response length over them."""
    outcome: Outcome | None
    """Whether it is as expected; None where nothing is."""
    bends: tuple[str, ...] = ()
    """Of measure turning_point: what the detector found, run by run."""
    first: float | None = None
    """Mean first_advantage."""


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    rows: list[Row]
    n_bases: int
    n_seeds: int


def decide(claim: Claim, runs: Runs) -> Verdict:
    """Compare each variant with the first, run by run.

    Seeds on one base are not independent of each other, so they are averaged first and intervals are over
    bases (Student's t); with one base, they are over seeds. A claim is shown when all its expectations are,
    refuted when one is.
    """
    steps = pl.concat(runs.steps)
    values = measure(claim.measure, runs)
    last = last_quarter(steps).group_by(KEY).agg(pl.col("accuracy", "response_tokens").mean())
    early = steps.group_by(KEY).agg(pl.col("advantage_reach", "first_advantage").mean())
    table = values.join(last, on=KEY).join(early, on=KEY).sort(KEY)
    rows = []
    for task in claim.tasks:
        of_task = table.filter(pl.col("task") == task)
        unit = "base" if of_task["base"].n_unique() > 1 else "seed"
        control = of_task.filter(pl.col("variant") == 0).select("base", "seed", control="value")
        for number, variant in enumerate(claim.variants):
            own = of_task.filter(pl.col("variant") == number).join(control, on=["base", "seed"])
            means = own.group_by(unit, maintain_order=True).agg(
                pl.col("value").mean(), difference=(pl.col("value") - pl.col("control")).mean()
            )
            difference = spread(means["difference"].to_list()) if number else None
            if claim.measure == "gain":
                difference = gain(runs, task, number)
            rows.append(
                Row(
                    task,
                    variant.name,
                    spread(means["value"].to_list()),
                    difference,
                    float(str(own["accuracy"].mean())),
                    mean_of(own["advantage_reach"]),
                    float(str(own["response_tokens"].mean())),
                    judge(variant, own["value"].to_list(), difference),
                    tuple(own["found"].to_list()) if "found" in own.columns else (),
                    mean_of(own["first_advantage"]),
                )
            )
    n_bases, n_seeds = steps["base"].n_unique(), steps["seed"].n_unique()
    return Verdict(together([row.outcome for row in rows]), rows, n_bases, n_seeds)


def spread(values: Sequence[float]) -> Interval:
    """Mean and 95 % t-interval.

    >>> spread([0.5])
    (0.5, None, None)
    """
    return (values[0], None, None) if len(values) == 1 else interval(values)


def mean_of(column: pl.Series) -> float | None:
    """The mean of what is there; None where nothing is (no critic, or runs made before the metric)."""
    mean = column.mean()
    return None if mean is None else float(str(mean))


def last_quarter(steps: pl.DataFrame) -> pl.DataFrame:
    """The last quarter of each run's steps."""
    return steps.filter(pl.col("step") > pl.col("step").max().over(*KEY) * 0.75)


def measure(what: Measure, runs: Runs) -> pl.DataFrame:
    """The measure of every run: KEY and `value`, and for turning points `found` in words."""
    steps = pl.concat(runs.steps)
    if what == "accuracy":
        return steps.group_by(KEY).agg(value=pl.col("accuracy").mean())
    if what == "last":
        return last_quarter(steps).group_by(KEY).agg(value=pl.col("accuracy").mean())
    if what == "held_out":
        return pl.concat(runs.held_out).sort("step").group_by(KEY).agg(value=pl.col("accuracy").last())
    if what == "gain":
        return pl.concat(runs.questions).group_by(KEY).agg(value=pl.col("after").mean())
    rows = []
    for key, of_run in steps.sort(*KEY, "step").group_by(KEY, maintain_order=True):
        bends = run_bends(of_run)
        # Of a run that never reflects, the report names a bend of the other two; a claim needs all three.
        point = turning_point(bends, SERIES)
        if point is not None:
            found = f"{point.place}, p <= {point.p_value:.3f}"
        else:
            names = [name for name, bend in bends.items() if bend is not None]
            found = "none together" + (f" (alone: {', '.join(names)})" if names else "")
        found += f"; {longer_reflections(of_run)}"
        rows.append(dict(zip(KEY, key, strict=True)) | {"value": float(point is not None), "found": found})
    return pl.DataFrame(rows)


def longer_reflections(steps: pl.DataFrame) -> str:
    """The paper's figure 6 as a count: are right responses that reflect longer than the average response?"""
    seen = steps.filter(pl.col("correct_reflection_tokens").is_not_null())
    n_longer = seen.filter(pl.col("correct_reflection_tokens") > pl.col("response_tokens")).height
    return f"right reflections longer than average in {n_longer} of {seen.height} steps"


def gain(runs: Runs, task: str, variant: int) -> Interval:
    """What training added, over questions: of each, the mean over runs; its 95 % t-interval over questions.

    Seeds train on the same problems and are tested on the same questions, so a question counts once.
    """
    own = pl.concat(runs.questions).filter(pl.col("task") == task, pl.col("variant") == variant)
    deltas = own.group_by("benchmark", "question_id", maintain_order=True).agg(
        delta=(pl.col("after") - pl.col("before")).mean()
    )
    return spread(deltas["delta"].to_list())


def judge(variant: Variant, values: Sequence[float], difference: Interval | None) -> Outcome | None:
    """Is the measure, or its difference from the control's, where the claim says or where it must not be?"""
    if variant.expect in ("always", "never"):
        wanted = float(variant.expect == "always")
        hits = sum(value == wanted for value in values)
        return "shown" if hits == len(values) else "refuted" if hits == 0 else "not shown"
    if variant.expect is None or difference is None:
        return None
    _, low, high = difference
    if low is None or high is None:
        return "not shown"
    margin = variant.margin or 0.0
    match variant.expect:
        case "less":
            shown, refuted = high < 0, low >= 0
        case "more":
            shown, refuted = low > 0, high <= 0
        case "not more":
            shown, refuted = high < margin, low > margin
        case _:
            shown, refuted = -margin <= low and high <= margin, low > margin or high < -margin
    return "shown" if shown else "refuted" if refuted else "not shown"


def together(outcomes: Sequence[Outcome | None]) -> Outcome:
    """Refuted when one expectation is, shown when all are.

    >>> together(["shown", None, "shown"]), together(["shown", "not shown"]), together(["shown", "refuted"])
    ('shown', 'not shown', 'refuted')
    """
    known = [outcome for outcome in outcomes if outcome is not None]
    if "refuted" in known:
        return "refuted"
    return "shown" if known and all(outcome == "shown" for outcome in known) else "not shown"
