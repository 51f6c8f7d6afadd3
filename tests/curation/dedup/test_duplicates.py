"""Duplicates: what merges and what must not, which row is kept, and union-find against a slow loop."""

import random

import numpy as np
import polars as pl
import pytest

from curation.dedup.__main__ import main
from curation.dedup.clusters import DedupConfig, dedup_texts, deduplicate
from curation.dedup.duplicates import DuplicateConfig, find_duplicates
from curation.dedup.union_find import find_roots

FILLER = [
    "A bakery sells 14 loaves in the morning and 23 in the afternoon. How many loaves does it sell that day?",
    "Find the largest prime divisor of 2431.",
    "How many ways are there to seat 6 people around a round table?",
    "The sides of a right triangle are 9 and 12. What is the hypotenuse?",
    "小明有15个苹果，给了小红6个，还剩多少个？",
    "Let $f(x) = x^3 - 4x + 1$. What is $f(2) + f(-2)$?",
    "A car uses 8 litres of fuel for 100 km. How much fuel does it need for 350 km?",
]


def are_merged(one: str, other: str, **answers) -> bool:
    texts = pl.Series([*FILLER, one, other])
    keys = pl.Series([""] * len(FILLER) + answers["answers"]) if answers else None
    roots = find_duplicates(texts, DuplicateConfig(), keys)
    assert roots[: len(FILLER)].tolist() == list(range(len(FILLER)))
    return bool(roots[-1] == roots[-2])


GARDEN = "A gardener plants 7 rows of 12 tulips and 3 rows of 9 roses. How many flowers are planted in all?"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(
            r"How many rows of the table of $\lnot p$ with 4 letters are true?",
            "How many rows of the table of $p$ with 4 letters are true?",
            False,
            id="a negated formula",
        ),
        pytest.param(
            r"How many sets $X$ have $X \subset \{1,2,3,4\}$ and at least two elements?",
            r"How many sets $X$ have $X \supset \{1,2,3,4\}$ and at least two elements?",
            False,
            id="subset and superset",
        ),
        pytest.param(
            r"Count the elements of $(A \cup B) \cap C$ for A = {1,2}, B = {2,3}, C = {3,4}.",
            "Count the elements of (A ∩ B) ∪ C for A = {1,2}, B = {2,3}, C = {3,4}.",
            False,
            id="union and intersection exchanged",
        ),
        pytest.param(
            "In how many ways can 5 boys and 3 girls stand in a row if the girls must stand together?",
            "In how many ways can 5 boys and 3 girls stand in a row if the girls must not stand together?",
            False,
            id="not together",
        ),
        pytest.param(
            "In how many ways can 5 boys and 3 girls stand in a row if the girls must stand together?",
            "In how many ways can 5 girls and 3 boys stand in a row if the girls must stand together?",
            False,
            id="boys and girls exchanged",
        ),
        pytest.param(
            "How many integers lie between 10 and 50, inclusive?",
            "How many integers lie between 10 and 50, exclusive?",
            False,
            id="inclusive",
        ),
        pytest.param(
            "How many 3-digit codes have digits 1 to 5 if a digit may be repeated?",
            "How many 3-digit codes have digits 1 to 5 if a digit may not be repeated?",
            False,
            id="repeated or not",
        ),
        pytest.param(
            "In how many ways can 5 boys and 3 girls stand in a row if the girls must not stand together?",
            "Find the number of ways in which 5 boys and 3 girls can stand in a row if the girls must not be "
            "together.",
            True,
            id="both negated",
        ),
        pytest.param(
            "Find the largest integer $n$ such that $n^2$ does not exceed 500.",
            "Determine the largest integer n such that $n^2$ doesn't exceed 500.",
            True,
            id="not, contracted",
        ),
        pytest.param(
            r"Let $A \cup B = {1,2,3}$ and $|A|=2$. Find the least |B|.",
            "Suppose that A∪B={1,2,3}, |A|=2. Find the least value of |B|.",
            True,
            id="union in two notations",
        ),
        pytest.param(
            r"Lines cut the plane into 63 equilateral triangles of side $2/\sqrt{3}$. Find the total area.",
            r"Lines cut the plane into 63 equilateral triangles of side $\tfrac{2}{\sqrt{3}}$. "
            "Find the total area.",
            True,
            id="a fraction with a root",
        ),
    ],
)
def test_contraries_without_answers(one, other, same):
    assert are_merged(one, other) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(GARDEN, GARDEN.upper(), id="casing"),
        pytest.param(
            GARDEN,
            "In a garden there are 7 rows of 12 tulips and 3 rows of 9 roses planted by a gardener. "
            "What is the total number of flowers planted?",
            id="reworded",
        ),
        pytest.param(
            GARDEN, f"{GARDEN} Please think about it carefully and show each step.", id="unknown wrapper"
        ),
        pytest.param(
            r"Compute $\dfrac{3}{4} \cdot 120 - 18$.",
            r"Determine \( \frac{3}{4} \times 120 - 18 \).",
            id="notation",
        ),
        pytest.param(
            "The largest of 5 consecutive integers is 3 times the smallest. What is the smallest?",
            "The greatest of five consecutive integers is three times the smallest. What is the smallest?",
            id="same meaning",
        ),
    ],
)
def test_the_same_problem_merges(one, other):
    assert are_merged(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(GARDEN, GARDEN.replace("12", "13"), id="one number"),
        pytest.param(GARDEN, GARDEN.replace("7 rows of 12", "12 rows of 7"), id="numbers exchanged"),
        pytest.param("What is 17 + 25 - 8?", "What is 17 - 25 + 8?", id="signs exchanged"),
        pytest.param("27+58=?", "58+27=?", id="operands exchanged"),
        pytest.param("27+58=?", "27-58=?", id="sign"),
        pytest.param("8-(3-2)=?", "(8-3)-2=?", id="brackets"),
        pytest.param(
            "Find the smallest positive integer n with 7 divisors and n > 50.",
            "Find the largest positive integer n with 7 divisors and n > 50.",
            id="contrary",
        ),
        pytest.param(
            "A circle has radius 14 and center at the origin. What is its area?",
            "A circle has diameter 14 and center at the origin. What is its area?",
            id="radius and diameter",
        ),
        pytest.param(
            "半径为14的圆的面积是多少？请计算。", "半径为14的圆的周长是多少？请计算。", id="Chinese contrary"
        ),
        pytest.param("[asy]", "![]", id="nothing but symbols"),
    ],
)
def test_look_alikes_stay_apart(one, other):
    assert not are_merged(one, other)


def test_near_texts_with_different_numeric_answers_stay_apart():
    one = "Paco had 26 salty and 17 sweet cookies. He ate 14 sweet and 9 salty ones. How many salty are left?"
    other = one.replace("How many salty", "How many sweet")
    assert are_merged(one, other)
    assert not are_merged(one, other, answers=["17", "3"])


def test_union_find_against_a_slow_loop():
    rng = random.Random(0)
    pairs = [(rng.randrange(60), rng.randrange(60)) for _ in range(45)]
    label = list(range(60))
    for _ in range(60):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    left, right = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    assert find_roots(60, left, right).tolist() == label


def rows(*answers, licenses=None, solutions=None):
    n = len(answers)
    return pl.DataFrame(
        {
            "row": list(range(10, 10 + n)),
            "root": [10] * n,
            "problem": ["p"] * n,
            "source": ["s"] * n,
            "source_id": [str(i) for i in range(n)],
            "answer": list(answers),
            "license": licenses or ["MIT"] * n,
            "solution": solutions or [None] * n,
            "has_vote": [True] * n,
        },
        schema_overrides={"license": pl.String, "solution": pl.String},
    )


@pytest.mark.parametrize(
    ("frame", "conflicts", "kept", "reasons"),
    [
        pytest.param(rows("4", "4"), "majority", [10], ["duplicate"], id="first row"),
        pytest.param(
            rows("4", "4", solutions=[None, "s"]), "majority", [11], ["duplicate"], id="with solution"
        ),
        pytest.param(
            rows("4", "4", licenses=[None, "MIT"]), "majority", [11], ["duplicate"], id="with license"
        ),
        pytest.param(rows(r"8.8\%", "8.8"), "majority", [10], ["duplicate"], id="percent sign"),
        pytest.param(rows("0.5", "1/2"), "majority", [10], ["duplicate"], id="decimal and fraction"),
        pytest.param(rows("(1,2)", "12"), "majority", [], ["answer_conflict"] * 2, id="a pair is no number"),
        pytest.param(rows(r"\frac{1}{2}", "1/2"), "majority", [10], ["duplicate"], id="notation agrees"),
        pytest.param(rows("5", "4", "4"), "majority", [11], ["outvoted_answer", "duplicate"], id="majority"),
        pytest.param(rows("5", "4"), "majority", [], ["answer_conflict"] * 2, id="tie"),
        pytest.param(rows("5", "4", "4"), "drop", [], ["answer_conflict"] * 3, id="drop"),
        pytest.param(rows("5", "4"), "keep", [10], ["duplicate"], id="keep"),
    ],
)
def test_which_row_of_a_cluster_is_kept(frame, conflicts, kept, reasons):
    result = deduplicate(frame, DedupConfig(conflicts=conflicts))
    assert sorted(set(frame["row"]) - set(result.removed["row"])) == kept
    assert result.removed["reason"].to_list() == reasons


def test_learned_wrappers_help_to_merge():
    wrapped = [f"Kindly ponder this little riddle. {text}" for text in FILLER]
    roots = dedup_texts(pl.Series(FILLER + wrapped), DuplicateConfig())
    assert roots.to_list() == list(range(7)) * 2


def test_command_writes_kept_ids_and_removals(tmp_path, capsys):
    table = pl.DataFrame({"id": [f"r{i}" for i in range(8)], "text": [*FILLER, FILLER[0].lower()]})
    table.write_ndjson(tmp_path / "in.jsonl")
    main([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "kept.parquet")])
    assert pl.read_parquet(tmp_path / "kept.parquet")["id"].to_list() == [f"r{i}" for i in range(7)]
    removed = pl.read_parquet(tmp_path / "kept.removed.parquet").to_dicts()
    assert removed == [{"id": "r7", "reason": "duplicate", "detail": None, "matched": "r0"}]
    assert "read=8 kept=7 removed=1" in capsys.readouterr().out
