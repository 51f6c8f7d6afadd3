import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics.reflection import analyze, by_pattern, by_step, repetition_score


def score_by_hand(text: str) -> float:
    substrings = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    return 1 - len(set(substrings)) / len(substrings)


@given(st.text(alphabet="ab", min_size=1, max_size=40) | st.text(min_size=1, max_size=40))
def test_repetition_score_counts_substrings(text):
    assert repetition_score(text) == pytest.approx(score_by_hand(text), abs=1e-12)


@pytest.mark.parametrize("n", [8, 9, 24, 25, 72, 73])
def test_repetition_score_at_the_widths_of_its_ranks(n):
    for text in ("a" * n, "ab" * (n // 2), "x" + "a" * (n - 1), "".join(map(chr, range(200, 200 + n))) * 2):
        assert repetition_score(text) == pytest.approx(score_by_hand(text), abs=1e-12)


def test_repetition_of_nothing_is_zero():
    assert repetition_score("") == repetition_score("a") == 0.0


@pytest.mark.parametrize("kind", ["words", "loop"])
def test_repetition_score_of_100_000_characters(kind):
    draw = random.Random(1)
    words = " ".join("".join(draw.choices("abcdefgh", k=draw.randrange(2, 9))) for _ in range(18_000))
    text = words[:100_000] if kind == "words" else ("Wait, let me recheck. " * 5_000)[:100_000]
    score = repetition_score(text)
    assert (score < 0.001) if kind == "words" else (score > 0.999)


def test_reflection_by_hand(make_completions):
    frame = make_completions({"a": "11", "b": "00"}).with_columns(
        response=pl.Series(["Wait, I retry: 4", "4", "so, HOWEVER, 5", "await nothing"])
    )
    row = analyze(frame).row(0, named=True)
    assert row["reflection_rate"] == 0.5
    assert row["reflection_rate_case_sensitive"] == 0.25
    assert row["n_correct_reflections"] == 1
    assert row["correct_reflection_tokens"] == 10.0
    assert row["response_tokens"] == 15.0
    found = {reflection.pattern: reflection for reflection in by_pattern(frame)}
    assert (found["wait,"].n_responses, found["wait,"].share_correct) == (1, 1.0)
    assert (found["however,"].share, found["however,"].share_correct) == (0.25, 0.0)
    assert found["recheck"].share_correct is None


def test_reflection_over_steps_by_hand():
    rows = [
        (1, "Wait, 4", 1.0, 30),
        (1, "retry 5", 0.0, 50),
        (1, "4", 1.0, 10),
        (2, "4", 1.0, 8),
        (2, "5", 0.0, 6),
    ]
    names = ["step", "response", "reward", "n_response_tokens"]
    steps = by_step(pl.DataFrame(rows[::-1], schema=names, orient="row"))
    assert steps.rows() == [(1, pytest.approx(2 / 3), 30.0, 30.0), (2, 0.0, None, 7.0)]
