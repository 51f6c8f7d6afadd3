"""Accuracy against the token budget: stored responses cut at 1k, 2k, 4k, ... tokens and judged again.

    table = by_budget(completions, cut, judge, budgets_up_to(8000))

A cut response is judged as one that ended at the limit there: what sampling with that limit would have given,
unless the prompt tells the model its limit. Only what is longer than a budget is judged again.
"""

from collections.abc import Callable, Sequence

import polars as pl

from evals.statistics.intervals import mean_over_questions
from evals.statistics.metrics import question_means

BUDGET = pl.Schema(
    {
        "benchmark": pl.String(),
        "budget": pl.Int64(),  # tokens
        "n_questions": pl.Int64(),
        "n_samples": pl.Int64(),
        "accuracy": pl.Float64(),
        "ci95_low": pl.Float64(),
        "ci95_high": pl.Float64(),
        "cut": pl.Float64(),  # share of responses that are longer than the budget
        "response_tokens": pl.Float64(),  # mean of what is left
    }
)

Cut = Callable[[str, int, int], str]
"""(text, its number of tokens, budget) -> its first `budget` tokens."""
Judge = Callable[[pl.DataFrame], pl.Series]
"""COMPLETION rows with cut responses -> which are correct."""
N_BUDGETS = 6


def budgets_up_to(longest: int) -> list[int]:
    """The longest powers of two below `longest`, and `longest` itself: at most N_BUDGETS in all.

    >>> budgets_up_to(8000), budgets_up_to(20)
    ([256, 512, 1024, 2048, 4096, 8000], [1, 2, 4, 8, 16, 20])
    """
    powers = [2**power for power in range(longest.bit_length()) if 2**power < longest]
    return [*powers[-N_BUDGETS + 1 :], longest]


def by_budget(completions: pl.DataFrame, cut: Cut, judge: Judge, budgets: Sequence[int]) -> pl.DataFrame:
    """Accuracy of each benchmark at each budget: BUDGET rows, budgets in ascending order."""
    parts = [_at(completions, cut, judge, budget) for budget in sorted(budgets)]
    return pl.concat([pl.DataFrame(schema=BUDGET), *parts])


def _at(completions: pl.DataFrame, cut: Cut, judge: Judge, budget: int) -> pl.DataFrame:
    is_long = (pl.col("n_response_tokens") > budget).fill_null(value=False)
    long = completions.filter(is_long)
    texts = [
        cut(text, n_tokens, budget)
        for text, n_tokens in long.select("response", "n_response_tokens").iter_rows()
    ]
    shortened = long.with_columns(
        pl.Series("response", texts, dtype=pl.String),
        pl.lit(budget, pl.Int64).alias("n_response_tokens"),
        pl.lit("length").alias("finish_reason"),
    )
    if shortened.height:
        shortened = shortened.with_columns(judge(shortened).alias("is_correct"))
    judged = pl.concat([completions.filter(~is_long), shortened])
    n_long = dict(long.group_by("benchmark").len().iter_rows())
    rows = []
    for (name,), part in judged.group_by("benchmark", maintain_order=True):
        estimate = mean_over_questions(question_means(part)["accuracy"].to_numpy())
        rows.append(
            {
                "benchmark": name,
                "budget": budget,
                "n_questions": part["question_id"].n_unique(),
                "n_samples": part["sample"].n_unique(),
                "accuracy": estimate.value,
                "ci95_low": estimate.ci95[0],
                "ci95_high": estimate.ci95[1],
                "cut": n_long.get(name, 0) / part.height,
                "response_tokens": part["n_response_tokens"].mean(),
            }
        )
    return pl.DataFrame(rows, schema=BUDGET).sort("benchmark")


def cut_evenly(text: str, n_tokens: int, budget: int) -> str:
    """Cut without a tokenizer: as if all tokens of a response were equally long.

    >>> cut_evenly("abcdefgh", 4, 1)
    'ab'
    """
    return text[: len(text) * budget // max(1, n_tokens)]


def cut_with(tokenizer) -> Cut:
    """Cut with a `tokenizers.Tokenizer`: exactly, where it gives a text the tokens that were sampled."""

    def cut(text: str, n_tokens: int, budget: int) -> str:
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        return text if len(offsets) <= budget else text[: offsets[budget - 1][1]]

    return cut
