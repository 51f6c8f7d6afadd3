"""Accuracy against the token budget: only what is longer is cut and judged again."""

import polars as pl
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from evals.statistics.budget import by_budget, cut_evenly, cut_with


@pytest.fixture
def completions(make_completions) -> pl.DataFrame:
    """One question right after 10 tokens, one after 20; another sample of each is wrong."""
    rows = make_completions({"short": "10", "long": "10"})
    text = (
        pl.when(pl.col("question_id") == "short")
        .then(pl.lit("w " * 9 + "4"))
        .otherwise(pl.lit("w " * 19 + "4"))
    )
    n = pl.when(pl.col("question_id") == "short").then(10).otherwise(20)
    return rows.with_columns(response=text, n_response_tokens=n.cast(pl.Int64))


def test_a_budget_takes_the_answers_that_come_later(completions: pl.DataFrame) -> None:
    judged = []

    def judge(rows: pl.DataFrame) -> pl.Series:
        judged.append((rows["n_response_tokens"][0], rows.height, set(rows["finish_reason"])))
        return rows["response"].str.ends_with("4")

    table = by_budget(completions, cut_evenly, judge, [20, 5, 10])
    assert table["budget"].to_list() == [5, 10, 20]
    assert table["accuracy"].to_list() == [0.0, 0.25, 0.5]
    assert table["cut"].to_list() == [1.0, 0.5, 0.0]
    assert table["response_tokens"].to_list() == [5.0, 10.0, 15.0]
    assert judged == [(5, 4, {"length"}), (10, 2, {"length"})]


def test_a_tokenizer_cuts_between_its_tokens() -> None:
    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 1, "three": 2, "?": 3}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    cut = cut_with(tokenizer)
    assert cut("one two three", 3, 2) == "one two"
    assert cut("one two three", 3, 3) == "one two three"
