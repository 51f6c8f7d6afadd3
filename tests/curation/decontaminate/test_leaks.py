"""Leaks: equal, wrapped, embedded, reworded and short benchmark problems go, similar ones stay."""

import polars as pl
import pytest

from curation.decontaminate.__main__ import main
from curation.decontaminate.benchmarks import leaks_in_texts, read_benchmarks
from curation.decontaminate.leaks import LeakConfig

EGGS = (
    "Nora's hens lay 18 eggs a day. She eats 4 for breakfast and bakes cakes for her neighbors with 5. "
    "She sells the rest at the village fair for 3 dollars an egg. How many dollars does she make every day?"
)
SQUARE = r"Let $ABCD$ be a square of side 7 and $E$ the midpoint of $AB$. Find the area of triangle $CDE$."
OPTIONS = "Which gas is set free by photosynthesis?\n(A) oxygen\n(B) nitrogen\n(C) argon\n(D) neon"
PROTECTED = pl.DataFrame(
    {
        "benchmark": ["eggs", "geometry", "short", "biology", *["phrase"] * 6],
        "question_id": ["7", "a/1", "1", "9", *"012345"],
        "problem": [
            EGGS,
            SQUARE,
            "Expand and simplify completely: $(x+3)(x-5)$",
            OPTIONS,
            "Which of the following is true?",
            *(
                f"Which of the following is true of {thing}?"
                for thing in ("whales", "copper", "rain", "Mars", "tea")
            ),
        ],
    }
)
OTHERS = [
    "Tom buys 3 books for 12 dollars each and pays with a 50 dollar note. How much change does he get?",
    "What is the sum of the digits of 2^{20}?",
    "A hen lays 5 eggs a week. How many eggs do 18 hens lay in 4 weeks?",
    "In how many ways can 8 rooks be placed on a chess board so that none attacks another?",
]


def leak_of(text: str, **config) -> tuple[str, str] | None:
    found = leaks_in_texts(pl.Series([*OTHERS, text]), PROTECTED, LeakConfig(**config)).to_dicts()
    assert all(leak["row"] == len(OTHERS) for leak in found)
    return (found[0]["reason"], found[0]["matched"]) if found else None


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        pytest.param(EGGS, "eggs:7", id="equal"),
        pytest.param(SQUARE.replace("$", "").upper(), "geometry:a/1", id="casing and delimiters"),
        pytest.param(
            f"Translate this into French, then answer. Task: {EGGS} Think twice!", "eggs:7", id="wrapped"
        ),
        pytest.param(
            f"(a) State the definition.\n(b) {SQUARE}\n(c) What changes in three dimensions?",
            "geometry:a/1",
            id="embedded",
        ),
        pytest.param(
            "(a) Recall the rule.\n(b) Expand and simplify completely: (x+3)(x-5)\n(c) Sketch it.",
            "short:1",
            id="short and embedded",
        ),
        pytest.param(
            "Every day the hens of Nora lay 18 eggs. She eats 4 for breakfast, and 5 go into cakes for her "
            "neighbors. The rest she sells for 3 dollars an egg at the village fair. What does she earn?",
            "eggs:7",
            id="reworded",
        ),
        pytest.param("Which gas is set free by photosynthesis?", "biology:9", id="options stripped"),
        pytest.param("Which of the following is true?", "phrase:0", id="a phrase as the whole row"),
    ],
)
def test_leaks_are_found_and_named(text, matched):
    found = leak_of(text)
    assert found is not None and found[1] == matched


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Let $ABCD$ be a square. Find the ratio of its diagonal to its side.", id="same topic"),
        pytest.param(EGGS.replace("18", "27").replace("3 dollars", "2 dollars"), id="number variant"),
        pytest.param("Events D and E are independent. Which of the following is true?", id="phrase inside"),
        pytest.param(r"Expand and simplify completely: $(x+4)(x-6)$", id="short with other numbers"),
    ],
)
def test_similar_problems_stay(text):
    assert leak_of(text) is None


def test_number_variants_are_a_switch():
    text = EGGS.replace("18", "27").replace("3 dollars", "2 dollars")
    assert leak_of(text, number_variants=True) == ("number_variant", "eggs:7")


def test_nothing_protected_or_nothing_to_check():
    assert leaks_in_texts(pl.Series(OTHERS), PROTECTED.clear()).is_empty()
    assert leaks_in_texts(pl.Series([], dtype=pl.String), PROTECTED).is_empty()


def test_command_reads_a_folder_of_benchmarks(tmp_path, capsys):
    folder = tmp_path / "eval"
    folder.mkdir()
    pl.DataFrame({"question": [EGGS], "id": ["q1"]}).write_ndjson(folder / "eggs.jsonl")
    pl.DataFrame({"prompt": [[{"from": "user", "value": SQUARE}]]}).write_ndjson(folder / "square.jsonl")
    assert read_benchmarks(folder).rows() == [("eggs", "q1", EGGS), ("square", "1", SQUARE)]
    pl.DataFrame({"id": [1, 2], "text": [OTHERS[0], EGGS]}).write_parquet(tmp_path / "in.parquet")
    main([str(tmp_path / "in.parquet"), "--benchmarks", str(folder), "--out", str(tmp_path / "kept.parquet")])
    assert pl.read_parquet(tmp_path / "kept.parquet")["id"].to_list() == ["1"]
    assert pl.read_parquet(tmp_path / "kept.removed.parquet")["matched"].to_list() == ["eggs:q1"]
    assert "removed=1" in capsys.readouterr().out
