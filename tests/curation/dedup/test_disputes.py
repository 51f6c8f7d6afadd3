"""Disputes: near texts with equal numbers and different golds are one problem or two; which gold stays."""

import polars as pl
import pytest

from curation.config import CurationConfig
from curation.curate import curate
from curation.dedup.clusters import DedupConfig, deduplicate
from curation.dedup.disputes import is_dispute

NOTHING = pl.DataFrame(schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(
            "A motorcycle starts from point B with an acceleration of 32. Determine the greatest distance that can be "
            "between the car and the motorcycle during the first two hours of their movement.",
            "A motorcycle leaves point B with an acceleration of 32. Determine the maximum distance between the car "
            "and the motorcycle during the first two hours of their journey.",
            True,
            id="reworded",
        ),
        pytest.param(
            "Given that x is a root, find x.", "Let x be a root. Then find x.", True, id="small words"
        ),
        pytest.param(
            "BM is an altitude. Find BM.", "BM is a bisector. Find BM.", False, id="one word that counts"
        ),
        pytest.param(
            "There are 22 dogs in 5 houses on the old farm. How many dogs are in each house?",
            "There are 22 dogs in 5 houses on the farm. How many dogs are left?",
            False,
            id="another question",
        ),
        pytest.param(
            "How many arrangements are there of the letters in DOG, if all of them are used?",
            "How many distinct arrangements of all the letters of the word TREE exist, when all are used?",
            False,
            id="another word",
        ),
        pytest.param(
            "Let a, b, c be the real coefficients of P. Its roots are w, 2w, 3w. Find |a+b+c|.",
            "Let a, b and c be the coefficients, all real, of P. Its three roots are w, 2w, 3w. Find a+b+c.",
            False,
            id="bars",
        ),
        pytest.param(
            "How many ways are there to put balls in boxes if neither balls nor boxes are told apart?",
            "How many ways are there to put the balls into the boxes if both balls and boxes are told apart?",
            False,
            id="negation",
        ),
    ],
)
def test_one_problem_or_two(one, other, expected):
    assert is_dispute(one, other, 0.75, 2) == expected


SEVEN = (
    "For what smallest natural $k$ does the number 2016 $\\cdot$ 20162016 $\\cdot$ 201620162016 $\\cdot$... "
)
SEVEN += "20162016...2016( $k$ factors) divide without remainder by $3^{67}$?"
EIGHT = (
    "For what smallest natural $k$ is the number \\( 2016 \\cdot 20162016 \\cdot 201620162016 \\cdot \\ldots "
)
EIGHT += "\\cdot 20162016\\ldots2016 \\) (with $k$ factors) divisible by \\(3^{67}\\)?"


def test_a_dispute_is_reported_and_set_aside(tmp_path):
    rows = [
        {"id": "7", "problem": SEVEN, "answer": "27"},
        {"id": "8", "problem": EIGHT, "answer": "34"},
        {"id": "9", "problem": "A box holds 31 pens. How many pens are in 20 boxes?", "answer": "620"},
    ]
    pl.DataFrame(rows).write_ndjson(tmp_path / "r.jsonl")
    config = CurationConfig.model_validate({"sources": [{"name": "s", "file": "r.jsonl", "id": "id"}]})
    made = curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out")
    assert made.problems["source_id"].to_list() == ["9"]
    assert set(made.rejects["reason"]) == {"answer_conflict"}
    conflicts = pl.read_parquet(tmp_path / "out" / "conflicts.parquet")
    assert sorted(conflicts["answer"]) == ["27", "34"]


def cluster(*golds: tuple[str, str | None], unsure: tuple[int, ...] = ()) -> list[str]:
    """The answer that stays of rows of one problem: (gold, license) each; the rows `unsure` have no vote."""
    frame = pl.DataFrame(
        [
            {"row": n, "root": 0, "problem": "p", "answer": gold, "source": "s", "source_id": str(n),
             "license": license_, "solution": None, "has_vote": n not in unsure}
            for n, (gold, license_) in enumerate(golds)
        ],
        schema_overrides={"license": pl.String, "solution": pl.String},
    )  # fmt: skip
    result = deduplicate(frame, DedupConfig())
    return frame.join(result.removed, on="row", how="anti")["answer"].to_list()


@pytest.mark.parametrize(
    ("golds", "kept"),
    [
        pytest.param([("0.5", None), (r"\frac{1}{2}", None)], ["0.5"], id="equal under the verifier"),
        pytest.param([("3", None), ("4", None)], [], id="a draw"),
        pytest.param([("3", "MIT"), ("4", None), ("4", None)], ["4"], id="majority before license"),
        pytest.param(
            [
                (r"\begin{pmatrix}1&23&4\end{pmatrix}", "MIT"),
                *[(r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", None)] * 2,
            ],
            [r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"],
            id="lost row ends are outvoted",
        ),
        pytest.param(
            [
                (r"\begin{pmatrix}\frac12&2x&3\end{pmatrix}", "MIT"),
                *[(r"\begin{pmatrix}\frac12&2\\x&3\end{pmatrix}", None)] * 2,
            ],
            [r"\begin{pmatrix}\frac12&2\\x&3\end{pmatrix}"],
            id="row ends between a number and a letter",
        ),
        pytest.param(
            [
                (r"\begin{bmatrix} 1 & 2 \\[4pt] 3 & 4 \\ \end{bmatrix}", "MIT"),
                *[(r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", None)] * 2,
            ],
            [r"\begin{bmatrix} 1 & 2 \\[4pt] 3 & 4 \\ \end{bmatrix}"],
            id="notation of row ends does not matter",
        ),
        pytest.param([("4", None), ("4", "MIT")], ["4"], id="equal"),
        pytest.param(
            [("x=3", "MIT"), ("3", None), ("3", None)], ["x=3"], id="notation does not outvote a license"
        ),
    ],
)
def test_which_gold_stays(golds, kept):
    assert cluster(*golds) == kept


@pytest.mark.parametrize(
    ("golds", "unsure", "kept"),
    [
        pytest.param(["3"], (0,), [], id="nobody else states it"),
        pytest.param(["3", "3"], (0, 1), [], id="copies of one list"),
        pytest.param(["3", "3", "4"], (0, 1), ["4"], id="copies are outvoted"),
        pytest.param(["3", "4", "5"], (0, 1), ["5"], id="no dispute among voters"),
        pytest.param(["3", "4"], (0, 1), [], id="two that nobody supports"),
        pytest.param(["3", "3"], (0,), ["3"], id="another source agrees"),
        pytest.param(["0.5", r"\frac12"], (1,), ["0.5"], id="agrees in other notation"),
        pytest.param(["3", "4", "4"], (2,), [], id="one voter each"),
        pytest.param(["3"], (), ["3"], id="a voter alone"),
        pytest.param(["3", "4", "4"], (0,), ["4"], id="both voters"),
    ],
)
def test_golds_that_need_support(golds, unsure, kept):
    assert cluster(*((gold, None) for gold in golds), unsure=unsure) == kept
