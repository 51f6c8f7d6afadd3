r"""Golds of one problem: which are the same answer, and which the verifier can read.

>>> is_same_gold("0.5", r"\frac{1}{2}"), is_same_gold("3", "4"), is_readable(r"\frac{1}{2}")
(True, False, True)
"""

from functools import lru_cache

import polars as pl

from rewards.grader import compare_answers
from rewards.parsing.parser import parse_answer
from rewards.verdict import AnswerTooLarge, Reason, UnparsableAnswer

_LONGEST = 300
_MOST_GOLDS = 8
"""Of a cluster with more different golds than this, only equal keys count as the same."""


@lru_cache(maxsize=65536)
def is_same_gold(one: str, other: str) -> bool:
    """True when the verifier accepts either gold for the other."""
    if len(one) > _LONGEST or len(other) > _LONGEST:
        return False
    return any(compare_answers(a, b)[0] is Reason.CORRECT for a, b in ((one, other), (other, one)))


@lru_cache(maxsize=65536)
def is_readable(gold: str) -> bool:
    """True when the verifier reads the gold as an answer."""
    try:
        parse_answer(gold)
    except (UnparsableAnswer, AnswerTooLarge, RecursionError):
        return False
    return True


def merged_keys(frame: pl.DataFrame) -> pl.Series:
    """One key for golds of a cluster that are the same under the verifier: the first row's.

    frame: root, answer, answer_key, in order of rows.
    """
    keys = frame.group_by("root", "answer_key", maintain_order=True).agg(pl.col("answer").first())
    disputed = keys.filter(pl.len().over("root").is_between(2, _MOST_GOLDS))
    changes: list[tuple[int, str, str]] = []
    for (root,), golds in disputed.group_by("root", maintain_order=True):
        kept: list[tuple[str, str]] = []
        for key, answer in golds.select("answer_key", "answer").iter_rows():
            same = next((own for own, gold in kept if is_same_gold(gold, answer)), None)
            if same is None:
                kept.append((key, answer))
            else:
                changes.append((root, key, same))
    schema = {"root": frame.schema["root"], "answer_key": pl.String(), "same": pl.String()}
    table = pl.DataFrame(changes, schema=schema, orient="row")
    joined = frame.join(table, on=["root", "answer_key"], how="left", maintain_order="left")
    return joined.select(pl.coalesce("same", "answer_key").alias("gold"))["gold"]


def readable(frame: pl.DataFrame) -> pl.Series:
    """Whether the verifier reads each row's gold; only asked where a cluster has several.

    frame: root, answer, answer_key.
    """
    several = frame.select(pl.col("answer_key").n_unique().over("root") > 1).to_series()
    answers = frame["answer"].to_list()
    found = [not asked or is_readable(answer) for answer, asked in zip(answers, several, strict=True)]
    return pl.Series("is_read", found, dtype=pl.Boolean)
