"""Three judges: what ours, Math-Verify and ORZ's comparer say of the same responses."""

import polars as pl
import pytest

from evals import disagreements
from evals.disagreements import find_disagreements


@pytest.fixture
def completions(make_completions) -> pl.DataFrame:
    """Alike; ORZ accepts 1 for 1,2; ORZ refuses a percentage; no answer; a letter, which is left out."""
    rows = make_completions(dict.fromkeys(("alike", "list", "percent", "nothing", "letter"), "1"))
    given = {
        "gold": ["4", "1,2", "25\\%", "7", "B"],
        "extracted": ["4", "1", "0.25", None, "C"],
        "response": [r"\boxed{4}", r"\boxed{1}", r"\boxed{0.25}", "no idea", r"\boxed{C}"],
        "is_correct": [True, False, True, False, False],
    }
    return rows.with_columns(pl.Series(name, values) for name, values in given.items())


def test_rows_are_listed_where_one_of_three_differs(completions: pl.DataFrame) -> None:
    found = {row["question_id"]: row for row in find_disagreements(completions).to_dicts()}
    assert set(found) == {"list", "percent"}
    assert found["list"]["orz"] and not found["list"]["ours"]
    assert found["percent"]["ours"] and not found["percent"]["orz"] and found["percent"]["theirs"] is not None


def test_without_math_verify_two_judges_are_left(completions, monkeypatch, caplog) -> None:
    monkeypatch.setattr(disagreements, "is_available", lambda: False)
    found = find_disagreements(completions)
    assert found["question_id"].to_list() == ["list", "percent"] and found["theirs"].null_count() == 2
    assert "pip install math-verify" in caplog.text
