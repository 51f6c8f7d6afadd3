"""Paired comparison of two checkpoints on the same questions: is one better, by how much, and could we tell?

    comparison = compare(base, final)                 # two COMPLETION frames
    decision = gate(comparison)                       # fails only on a significant regression

The test flips the sign of each question's difference at random (all 2^n ways when there are few), because
under "no difference" the two checkpoints could be swapped on any question. p-values are two-sided and
corrected over benchmarks by Holm's method.

Questions are paired by what they say, if both frames have the column `question`
(evals.benchmarks.content.listed); otherwise by id, or by their prompt where more agree in that (mirrors of a
benchmark number their rows differently). Another reference answer to the same question is refused.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from evals.statistics.metrics import check_samples, question_means
from rewards.grader import Reason, compare_answers

TEXT, INT, FLOAT = pl.String(), pl.Int64(), pl.Float64()

COMPARISON = pl.Schema(
    {
        "benchmark": TEXT,
        "n_questions": INT,
        "before": FLOAT,  # avg@k of the first checkpoint
        "after": FLOAT,
        "delta": FLOAT,  # after - before
        "ci95_low": FLOAT,  # of delta, paired by question
        "ci95_high": FLOAT,
        "p_value": FLOAT,  # sign-flip permutation test, two-sided
        "p_holm": FLOAT,  # corrected over the benchmarks of this comparison
        "minimal_detectable_effect": FLOAT,  # delta found with 80 % power at the 5 % level; null: no spread
        "n_better": INT,  # questions whose share of correct samples rose
        "n_worse": INT,
    }
)

_EXACT_LIMIT = 14
"""Up to this many differing questions, all 2^n sign patterns are tried."""


@dataclass(frozen=True, slots=True)
class Gate:
    is_ok: bool
    regressions: tuple[str, ...]
    """Benchmarks that got significantly worse."""
    reason: str
    """One line for a log or an exit message."""


def compare(
    before: pl.DataFrame,
    after: pl.DataFrame,
    *,
    shared: bool = False,
    n_permutations: int = 20_000,
    seed: int = 0,
) -> pl.DataFrame:
    """Compare two COMPLETION frames benchmark by benchmark.

    ValueError when a question is missing on one side, unless `shared`: then only common questions count. Also
    when no question is common, or an id stands for different questions.
    """
    check_samples(before)
    check_samples(after)
    paired = _pair(before, after, shared)
    rows = []
    for (name,), part in paired.group_by("benchmark", maintain_order=True):
        deltas = (part["after"] - part["before"]).to_numpy()
        mean, stderr = float(deltas.mean()), _stderr(deltas)
        half = float(special.stdtrit(len(deltas) - 1, 0.975)) * stderr if len(deltas) > 1 else 1.0
        rows.append(
            {
                "benchmark": name,
                "n_questions": len(deltas),
                "before": part["before"].mean(),
                "after": part["after"].mean(),
                "delta": mean,
                "ci95_low": max(-1.0, mean - half),
                "ci95_high": min(1.0, mean + half),
                "p_value": sign_flip_test(deltas, n_permutations=n_permutations, seed=seed),
                "minimal_detectable_effect": minimal_detectable_effect(stderr) if stderr > 0 else None,
                "n_better": int((deltas > 0).sum()),
                "n_worse": int((deltas < 0).sum()),
            }
        )
    corrected = holm([row["p_value"] for row in rows])
    return pl.DataFrame(
        [{**row, "p_holm": p} for row, p in zip(rows, corrected, strict=True)], schema=COMPARISON
    )


def unlike(before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """Return what a comparison of two COMPLETION frames has to say about conditions that differ, and about
    questions that only one side has."""
    notes = []
    for name in before["benchmark"].unique(maintain_order=True):
        left, right = (frame.filter(pl.col("benchmark") == name) for frame in (before, after))
        samples = [frame["sample"].n_unique() for frame in (left, right)]
        if right.height and samples[0] != samples[1]:
            notes.append(f"{name}: {samples[0]} samples a question before, {samples[1]} after")
    left, right = _questions(before), _questions(after)
    keys = _keys(left, right)
    for here, there, side in ((left, right, "first"), (right, left, "second")):
        for (name,), part in here.join(there, on=keys, how="anti").group_by("benchmark", maintain_order=True):
            notes.append(f"{name}: {part.height} questions are only in the {side} set")
    both = left.join(right, on=keys, how="inner")
    if "prompt_right" in both.columns and (
        n := both.filter(pl.col("prompt") != pl.col("prompt_right")).height
    ):
        notes.append(f"{n} of {both.height} questions have other prompts before and after")
    return notes


def _questions(completions: pl.DataFrame) -> pl.DataFrame:
    """One row a question: [benchmark, question_id, prompt, gold, accuracy], in order of appearance."""
    stated = [name for name in ("prompt", "gold", "question", "answer") if name in completions.columns]
    first = completions.group_by("benchmark", "question_id", maintain_order=True).agg(
        pl.col(name).first() for name in stated
    )
    if "answer" in stated:
        # Of multiple choice the option's text: the letter depends on the order.
        first = first.with_columns(gold=pl.coalesce("answer", "gold")).drop("answer")
    return first.join(
        question_means(completions), on=["benchmark", "question_id"], how="left", maintain_order="left"
    )


def _keys(left: pl.DataFrame, right: pl.DataFrame) -> list[str]:
    """The columns that pair questions: their content; if that is unknown, what pairs more, ids or prompts."""
    n_pairs = {}
    for name in ("question", "question_id", "prompt"):
        is_key = all(
            name in frame.columns
            and not frame[name].null_count()
            and frame.select("benchmark", name).is_unique().all()
            for frame in (left, right)
        )
        if name == "question":
            if is_key:
                return ["benchmark", name]
            continue
        common = left.join(right, on=["benchmark", name, "gold"], how="semi")
        n_pairs[name] = common.height if is_key else 0
    return ["benchmark", "prompt" if n_pairs["prompt"] > n_pairs["question_id"] else "question_id"]


def _pair(before: pl.DataFrame, after: pl.DataFrame, shared: bool) -> pl.DataFrame:
    left, right = _questions(before), _questions(after)
    keys = _keys(left, right)
    for here, there, name in ((left, right, "second"), (right, left, "first")):
        alone = here.join(there, on=keys, how="anti")
        if alone.height and not shared:
            row = alone.row(0, named=True)
            raise ValueError(
                f"{row['benchmark']}: question {row['question_id']!r} and {alone.height - 1} more are "
                f"missing from the {name} set of completions; compare runs on the same questions, or only "
                "their common ones (--shared)"
            )
    pairs = left.join(right, on=keys, how="inner", maintain_order="left")
    differing = pairs.filter(pl.col("gold") != pl.col("gold_right")).rows(named=True)
    if other := [row for row in differing if not _is_same(row["gold"], row["gold_right"])]:
        row = other[0]
        raise ValueError(
            f"{row['benchmark']}: question {row['question_id']!r} has the reference answer {row['gold']!r} "
            f"in the first set and {row['gold_right']!r} in the second, and {len(other) - 1} more differ: "
            "these are other questions under the same ids, or options in another order"
        )
    if pairs.is_empty():
        raise ValueError("no question is in both sets of completions; compare runs on the same questions")
    return pairs.rename({"accuracy": "before", "accuracy_right": "after"})


def _is_same(gold: str, other: str) -> bool:
    """True for two spellings of one answer, such as 070 and 70."""
    return compare_answers(gold, other)[0] is Reason.CORRECT


def sign_flip_test(deltas: NDArray[np.float64], *, n_permutations: int = 20_000, seed: int = 0) -> float:
    """Two-sided p-value for a zero mean of paired differences [n_questions].

    Exact for up to 14 non-zero differences; otherwise from `n_permutations` draws, counting the observed one,
    so that the p-value is never 0 (Phipson and Smyth 2010).

    >>> sign_flip_test(np.array([1.0, 1.0, 1.0, 1.0]))
    0.125
    """
    moved = deltas[deltas != 0]
    if len(moved) == 0:
        return 1.0
    observed = abs(moved.sum()) - 1e-9
    if len(moved) <= _EXACT_LIMIT:
        signs = 1.0 - 2.0 * ((np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))) & 1)
        return float((np.abs(signs @ moved) >= observed).mean())
    generator = np.random.default_rng(seed)
    n_as_extreme, n_left = 0, n_permutations
    while n_left:
        rows = min(n_left, 2_000)
        signs = generator.integers(0, 2, (rows, len(moved)), dtype=np.int8) * 2.0 - 1.0
        n_as_extreme += int((np.abs(signs @ moved) >= observed).sum())
        n_left -= rows
    return (n_as_extreme + 1) / (n_permutations + 1)


def holm(p_values: list[float]) -> list[float]:
    """Correct p-values for testing several benchmarks together (Holm 1979), in the given order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def minimal_detectable_effect(stderr: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true difference that a two-sided test finds with the given power."""
    return float(special.ndtri(1 - alpha / 2) + special.ndtri(power)) * stderr


def gate(comparison: pl.DataFrame, *, alpha: float = 0.05) -> Gate:
    """Decide whether a checkpoint passes: only a significant regression, after Holm, stops it."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha}")
    worse = comparison.filter((pl.col("delta") < 0) & (pl.col("p_holm") < alpha))
    if worse.height == 0:
        return Gate(True, (), f"no significant regression at alpha {alpha} on {comparison.height} benchmarks")
    details = ", ".join(
        f"{row['benchmark']} {row['delta']:+.3f} (p {row['p_holm']:.2g})"
        for row in worse.iter_rows(named=True)
    )
    return Gate(False, tuple(worse["benchmark"]), f"significant regression: {details}")


def _stderr(deltas: NDArray[np.float64]) -> float:
    return float(deltas.std(ddof=1) / np.sqrt(len(deltas))) if len(deltas) > 1 else 0.0
