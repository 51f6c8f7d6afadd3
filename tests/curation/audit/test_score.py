"""Gold audit: votes of siblings, agreement of samples, the score, and the error rate of a source."""

import polars as pl
import pytest

from curation.audit.samples import AGREEMENT, agreement
from curation.audit.score import error_rates, scored_votes, suspects_of_samples, suspects_of_votes, unsolved
from curation.audit.siblings import sibling_votes


def rows(*golds: tuple[str, str]) -> pl.DataFrame:
    """Rows of one problem: (source, gold) each."""
    return pl.DataFrame(
        [
            {"row": n, "root": 0, "source": source, "source_id": str(n), "problem": "p", "answer": gold}
            for n, (source, gold) in enumerate(golds)
        ]
    )


@pytest.mark.parametrize(
    ("golds", "verdicts"),
    [
        pytest.param([("a", "3"), ("b", "3"), ("c", "4")], ["backed", "backed", "suspect"], id="two to one"),
        pytest.param([("a", "3"), ("b", "4")], ["disputed", "disputed"], id="one to one"),
        pytest.param(
            [("a", "1/2"), ("b", "0.5"), ("c", r"\frac12")], ["agreed"] * 3, id="the same to the verifier"
        ),
        pytest.param([("a", "3"), ("a", "4")], [], id="one source is no sibling"),
        pytest.param(
            [("a", "3"), ("a", "3"), ("a", "3"), ("b", "4"), ("c", "4")],
            ["suspect"] * 3 + ["backed"] * 2,
            id="a source has one vote",
        ),
    ],
)
def test_siblings_vote(golds, verdicts):
    assert scored_votes(sibling_votes(rows(*golds)))["verdict"].to_list() == verdicts


def test_suspects_come_with_their_evidence():
    table = suspects_of_votes(sibling_votes(rows(("a", "3"), ("b", "3"), ("c", "4"))))
    assert table.select("source", "gold", "other_gold", "verdict").row(0) == ("c", "4", "3", "suspect")
    assert table["evidence"][0] == "2 of 3 sources give 3; 1 give this gold"


def test_error_rate_of_a_source():
    rates = error_rates(sibling_votes(rows(("a", "3"), ("b", "3"), ("c", "4"))))
    assert rates.select("source", "n_evidence", "n_suspect").rows() == [("a", 1, 0), ("b", 1, 0), ("c", 1, 1)]
    assert rates["ci95_low"][2] < 0.3 and rates["ci95_high"][2] == 1


def samples(name: str, gold: str, answers: list[str | None]) -> list[tuple]:
    return [(name, gold, one, "correct" if one == gold else "wrong") for one in answers]


def test_samples_that_agree_on_another_answer_make_a_gold_suspect():
    found = agreement(
        pl.DataFrame(
            [
                *samples("wrong gold", "3", ["5"] * 7 + ["5.0"]),
                *samples("hard", "3", ["1", "2", "4", "5", "6", "7", "8", "9"]),
                *samples("right", "3", ["3"] * 7 + ["2"]),
                *samples("few", "3", ["5"] * 3),
                *samples("cut", "3", [None] * 8),
            ],
            schema=["problem_id", "gold", "extracted", "reason"],
            orient="row",
        )
    )
    assert found.schema == AGREEMENT and found["problem_id"].to_list() == [
        "few",
        "hard",
        "right",
        "wrong gold",
    ]
    row = found.filter(pl.col("problem_id") == "wrong gold").row(0, named=True)
    assert (row["n_samples"], row["n_right"], row["other_answer"], row["n_other"]) == (8, 0, "5", 8)
    problems = found.select("problem_id", source=pl.lit("s"), source_id="problem_id", problem=pl.lit("p"))
    suspects = suspects_of_samples(found, problems)
    assert suspects["source_id"].to_list() == ["wrong gold"]
    why = dict(unsolved(found).select("problem_id", "why").iter_rows())
    assert why == {"few": "hard", "hard": "hard", "wrong gold": "suspect"}
