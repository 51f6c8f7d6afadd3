"""Evidence from samples: does a majority of a model's answers agree on something other than the gold?

agreed = agreement(rollouts)     # problem_id, gold, extracted, reason: stored rollouts, or any scored samples
"""

import math

import polars as pl

from curation.dedup.golds import is_same_gold

AGREEMENT = pl.Schema(
    {
        "problem_id": pl.String(),
        "gold": pl.String(),
        "n_samples": pl.Int64(),
        "n_right": pl.Int64(),
        "other_answer": pl.String(),
        "n_other": pl.Int64(),
        "share": pl.Float64(),
        "ci95_low": pl.Float64(),
        "ci95_high": pl.Float64(),
    }
)
"""Samples of a problem that ended with an answer: how many, how many give the gold, the answer that most of
the others give, how many give it, and that share with its Wilson interval."""


def agreement(samples: pl.LazyFrame | pl.DataFrame) -> pl.DataFrame:
    """Count the answers of each problem's samples (AGREEMENT), in order of problems.

    samples: problem_id, gold, extracted, reason (`correct` for a right one). A sample without an answer does
    not count. Answers that the verifier takes for each other are one.
    """
    counts = (
        samples.lazy()
        .filter(pl.col("extracted").is_not_null())
        .group_by("problem_id", "gold", "extracted")
        .agg(n=pl.len().cast(pl.Int64), is_right=(pl.col("reason") == "correct").any())
        .sort("problem_id", "n", "extracted", descending=[False, True, False])
        .collect()
    )
    rows = []
    for (problem_id, gold), answers in counts.group_by("problem_id", "gold", maintain_order=True):
        n_samples = int(answers["n"].sum())
        n_right = int(answers.filter("is_right")["n"].sum())
        other, n_other = _most_common(answers.filter(~pl.col("is_right")))
        low, high = wilson(n_other, n_samples)
        row = (problem_id, gold, n_samples, n_right, other, n_other, n_other / n_samples, low, high)
        rows.append(row)
    return pl.DataFrame(rows, schema=AGREEMENT, orient="row")


def _most_common(answers: pl.DataFrame) -> tuple[str | None, int]:
    groups: list[tuple[str, int]] = []
    for text, n in answers.select("extracted", "n").iter_rows():
        place = next((place for place, (known, _) in enumerate(groups) if is_same_gold(known, text)), None)
        if place is None:
            groups.append((text, n))
        else:
            groups[place] = (groups[place][0], groups[place][1] + n)
        if len(groups) > 20:
            break
    return max(groups, key=lambda group: group[1], default=(None, 0))


def wilson(n_hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a share.

    >>> [round(bound, 3) for bound in wilson(5, 10)]
    [0.237, 0.763]
    """
    if not n:
        return 0.0, 1.0
    share, spread = n_hits / n, z * z / n
    center = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, center - half), min(1.0, center + half)
