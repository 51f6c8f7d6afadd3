"""Verdicts: which intervals show a claim and which refute it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipelines.claims.cells import Runs
from pipelines.claims.config import Claim, Variant
from pipelines.claims.page import draw
from pipelines.claims.verdict import decide, judge

WORDS = {"statement": "s", "refuted_by": "r", "cannot_show": "c", "source": "p", "tasks": ("t",)}


def claim(*expectations, **fields):
    """A claim whose variants after the first are expected as said: a word, or a word and a margin."""
    variants = [Variant(name="control")]
    for number, expectation in enumerate(expectations):
        expect, margin = expectation if isinstance(expectation, tuple) else (expectation, None)
        variants.append(Variant(name=f"v{number}", expect=expect, margin=margin))
    return Claim(**(WORDS | {"variants": tuple(variants), "seeds": (0, 1)} | fields))


def runs(*accuracies, n_steps=4, n_bases=3):
    """Steps of every run; `accuracies` by variant: a function of base, seed and step."""
    steps = [
        {
            "task": "t",
            "variant": number,
            "base": base,
            "seed": seed,
            "step": step,
            "accuracy": accuracy(base, seed, step),
            "response_tokens": 100.0,
            "advantage_reach": 0.9 if number == 0 else None,
            "first_advantage": 0.2 * step if number == 0 and step > 2 else None,
        }
        for number, accuracy in enumerate(accuracies)
        for base in range(n_bases)
        for seed in range(2)
        for step in range(1, n_steps + 1)
    ]
    return Runs([], [pl.DataFrame(steps)], [], [], {"run": 60.0})


def control(base, seed, step):
    return 0.3 + 0.05 * base + 0.02 * seed + 0.01 * step


def shifted(by, spread=0.01):
    return lambda base, seed, step: control(base, seed, step) + by + spread * (base - 1)


SAME, LESS, MORE, MIXED = shifted(0.0), shifted(-0.2), shifted(0.2), shifted(-0.05, 0.3)


@pytest.mark.parametrize(
    ("expect", "variant", "outcome"),
    [
        ("less", LESS, "shown"),
        ("less", MORE, "refuted"),
        ("less", MIXED, "not shown"),
        ("more", MORE, "shown"),
        ("more", LESS, "refuted"),
        (("same", 0.1), SAME, "shown"),
        (("same", 0.1), MORE, "refuted"),
        (("same", 0.1), LESS, "refuted"),
        (("same", 0.1), MIXED, "not shown"),
        (("same", 0.01), SAME, "not shown"),
        (("not more", 0.1), LESS, "shown"),
        (("not more", 0.1), SAME, "shown"),
        (("not more", 0.1), MORE, "refuted"),
        (("not more", 0.1), MIXED, "not shown"),
    ],
)
def test_the_interval_over_bases_decides(expect, variant, outcome):
    verdict = decide(claim(expect), runs(control, variant))
    assert [row.outcome for row in verdict.rows] == [None, outcome] and verdict.outcome == outcome


def test_seeds_on_one_base_count_once():
    verdict = decide(claim("less"), runs(control, LESS))
    first, second = verdict.rows
    assert (verdict.n_bases, verdict.n_seeds) == (3, 2)
    assert first.value[0] == pytest.approx(0.3 + 0.05 + 0.01 + 0.025)
    # Three bases differ by -.21, -.20, -.19: t(2) = 4.303, so half an interval is 4.303 * .01 / sqrt(3).
    assert second.difference == pytest.approx((-0.2, -0.2 - 0.02484, -0.2 + 0.02484), abs=1e-4)
    assert first.last == pytest.approx(0.3 + 0.05 + 0.01 + 0.04)  # Step 4 of 4.
    assert first.reach == pytest.approx(0.9) and second.reach is None
    assert first.first == pytest.approx(0.7) and second.first is None  # Of steps 3 and 4, which have one.


def test_one_expectation_that_fails_refutes_the_claim():
    assert decide(claim("less", "less"), runs(control, LESS, LESS)).outcome == "shown"
    assert decide(claim("less", "less"), runs(control, LESS, MIXED)).outcome == "not shown"
    assert decide(claim("less", "less"), runs(control, MIXED, MORE)).outcome == "refuted"
    assert decide(claim(None), runs(control, LESS)).outcome == "not shown"  # Nothing was expected.


def test_with_one_base_intervals_are_over_seeds():
    verdict = decide(claim("less", n_bases=1), runs(control, LESS, n_bases=1))
    assert verdict.outcome == "shown" and verdict.rows[1].difference[0] == pytest.approx(-0.21)
    alone = decide(claim("less", n_bases=1, seeds=(0,)), one_seed(runs(control, LESS, n_bases=1)))
    assert alone.outcome == "not shown" and alone.rows[1].difference[1:] == (None, None)


def test_several_seeds_of_the_one_base_without_a_gate_have_an_interval():
    """The default of n_bases is for tasks whose bases have seeds."""
    assert decide(claim("less", n_bases=3), runs(control, LESS, n_bases=1)).outcome == "shown"


def one_seed(found):
    return replace(found, steps=[found.steps[0].filter(pl.col("seed") == 0)])


def test_every_variant_has_a_line_of_its_own():
    many = claim(*(None,) * 11)
    figure = draw(many, runs(*(shifted(number / 100) for number in range(12))))
    bold = [line for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert len({(line.get_color(), line.get_linestyle()) for line in bold}) == len(many.variants) == 12


def test_held_out_and_last_read_what_they_say():
    found = runs(control, LESS)
    rows = [
        {"task": "t", "variant": v, "base": b, "seed": s, "step": step, "accuracy": 0.1 * step + 0.2 * v}
        for v in (0, 1)
        for b in range(3)
        for s in range(2)
        for step in (4, 2)
    ]
    found = replace(found, held_out=[pl.DataFrame(rows)])
    verdict = decide(claim("more", measure="held_out"), found)
    assert [row.value[0] for row in verdict.rows] == pytest.approx([0.4, 0.6])
    assert decide(claim("less", measure="last"), found).rows[0].value[0] == pytest.approx(0.4)


def bending(is_bent):
    """A run of 60 steps whose three series bend up at step 30, or rise evenly."""

    def series(base, seed, step):
        noise = np.random.default_rng([base, seed, step]).normal(0, 0.004)
        return 0.2 + (0.02 * max(0, step - 30) if is_bent else 0.005 * step) + noise

    return series


def test_a_turning_point_is_looked_for_in_every_run():
    table = runs(bending(True), bending(False), n_steps=60, n_bases=1).steps[0]
    table = table.with_columns(reward="accuracy", reflection_rate="accuracy", response_tokens="accuracy")
    table = table.with_columns(
        correct_reflection_tokens=pl.when(pl.col("step") > 10).then(pl.col("accuracy") + 5)
    )
    looked = claim("never", measure="turning_point", n_bases=1)
    verdict = decide(looked, Runs([], [table], [], [], {}))
    assert [row.value[0] for row in verdict.rows] == [1.0, 0.0] and verdict.outcome == "shown"
    assert verdict.rows[0].bends[0].startswith("at step 3") and "none together" in verdict.rows[1].bends[0]
    # Only two of the three bend.
    flat = Runs([], [table.with_columns(reflection_rate=pl.lit(0.5))], [], [], {})
    assert decide(looked, flat).rows[0].bends[0] == (
        "none together (alone: reward, response_tokens); "
        "right reflections longer than average in 50 of 50 steps"
    )
    # A run that never reflects has two series, and they bend together: not what the paper saw.
    silent = Runs([], [table.with_columns(reflection_rate=pl.lit(0.0))], [], [], {})
    verdict = decide(looked, silent)
    assert [row.value[0] for row in verdict.rows] == [0.0, 0.0]
    assert verdict.rows[0].bends[0].startswith("none together (alone: reward, response_tokens)")


@pytest.mark.parametrize(
    ("values", "always", "never"),
    [
        ([1.0, 1.0], "shown", "refuted"),
        ([0.0, 0.0], "refuted", "shown"),
        ([1.0, 0.0], "not shown", "not shown"),
    ],
)
def test_always_and_never(values, always, never):
    assert judge(Variant(name="v", expect="always"), values, None) == always
    assert judge(Variant(name="v", expect="never"), values, None) == never


def test_a_gain_is_paired_by_question():
    """Four questions, two seeds: each counts once, with the mean over seeds."""
    before, after = [0.0, 0.0, 0.5, 1.0], {0: [0.5, 0.5, 0.5, 1.0], 1: [0.5, 1.0, 1.0, 1.0]}
    rows = [
        {"task": "t", "variant": 0, "base": 0, "seed": seed, "benchmark": "b", "question_id": str(number)}
        | {"before": before[number], "after": after[seed][number]}
        for seed in (0, 1)
        for number in range(4)
    ]
    found = replace(runs(control, n_bases=1), questions=[pl.DataFrame(rows)])
    asked = claim(measure="gain", n_bases=1)
    asked = asked.model_copy(update={"variants": (Variant(name="trained", expect="more"),)})
    (row,) = decide(asked, found).rows
    # Deltas .5, .75, .25, 0: mean .375, deviation .3227, t(3) = 3.182.
    assert row.difference == pytest.approx((0.375, 0.375 - 0.5135, 0.375 + 0.5135), abs=1e-3)
    assert row.value[0] == pytest.approx(0.75) and row.outcome == "not shown"
