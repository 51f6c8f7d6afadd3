"""Two evaluations on the disk: what is compared, and what is said or refused where they differ."""

from pathlib import Path

import polars as pl
import pytest

from evals.benchmarks import from_frame
from evals.benchmarks.content import listed
from evals.benchmarks.registry import ask_choices
from pipelines.comparison import compare_runs
from rewards.contracts.files import write_json
from rewards.contracts.records import COMPLETION

CONDITIONS: dict = {"profile": "plain", "temperature": 1.0, "max_new_tokens": 100, "mode": "lenient"}


def evaluation(folder: Path, rows: list[dict], marks: str, **conditions) -> Path:
    """An evaluation with one response a question, right where its mark is 1."""
    benchmark = from_frame("mine", pl.DataFrame(rows, infer_schema_length=None))
    folder.mkdir()
    completions = [
        {
            "key": f"{row['question_id']}",
            "benchmark": "mine",
            "question_id": row["question_id"],
            "sample": 0,
            "prompt": f"Asked: {row['problem']}",
            "response": "x",
            "gold": row["answer"],
            "extracted": "x",
            "reason": "correct" if mark == "1" else "wrong",
            "is_correct": mark == "1",
            "is_formatted": True,
        }
        for row, mark in zip(benchmark.questions.iter_rows(named=True), marks, strict=True)
    ]
    full = [{**dict.fromkeys(COMPLETION.names), **row} for row in completions]
    COMPLETION.frame(full).write_parquet(folder / "completions.parquet")
    listed(benchmark).write_parquet(folder / "questions.parquet")
    write_json(folder / "conditions.json", {"mine": CONDITIONS | conditions})
    return folder


def asked(*texts: str, first_id: int = 1, answer: str = "5") -> list[dict]:
    return [{"id": str(n), "problem": text, "answer": answer} for n, text in enumerate(texts, first_id)]


def test_questions_are_paired_by_what_they_say_whatever_their_ids(tmp_path):
    """Cases cmp3 and cmp4: a mirror with other ids, spaces and spellings, and a question more."""
    before = evaluation(tmp_path / "a", asked("Is $x$?", "Is $y$?", "Is $z$?", answer="070"), "100")
    mirror = asked("Is  y?", "Is \\(x\\)?", first_id=60, answer="70")
    found = compare_runs(before, evaluation(tmp_path / "b", mirror, "11"))
    assert found.table.select("n_questions", "before", "after").row(0) == (2, 0.5, 1.0)
    assert "mine: 1 questions are only in the first set" in found.notes
    with pytest.raises(ValueError, match="missing from the second set"):
        compare_runs(before, tmp_path / "b", shared=False)


def test_the_same_ids_with_other_texts_are_other_questions(tmp_path):
    """Case cmp1: row numbers as ids, and even the same answers."""
    before = evaluation(tmp_path / "a", asked("What is 1+4?", "What is 2+3?"), "11")
    after = evaluation(tmp_path / "b", asked("What is 10/2?", "What is 8-3?"), "00")
    with pytest.raises(ValueError, match="no question is in both"):
        compare_runs(before, after)


def test_options_in_another_order_are_the_same_question(tmp_path):
    sides = []
    for name, choices, answer in (("a", ["3", "4"], "B"), ("b", ["4", "3"], "A")):
        row = {"problem": ask_choices("Even?", tuple(choices)), "answer": answer, "choices": choices}
        sides.append(evaluation(tmp_path / name, [row], "1"))
    assert compare_runs(*sides).table["n_questions"].to_list() == [1]
    row["answer"] = "B"  # of the same two options another is called right
    with pytest.raises(ValueError, match="has the reference answer '4' in the first set and '3'"):
        compare_runs(sides[0], evaluation(tmp_path / "c", [row], "1"))


@pytest.mark.parametrize(
    "changed, note",
    [
        ({"temperature": 0.6}, "mine: temperature is 1.0 before, 0.6 after"),
        ({"max_new_tokens": 50}, "another budget"),
        ({"profile": "chat"}, "other prompts"),
        ({"model": "other", "seed": 7, "chat_template": "x"}, None),
    ],
)
def test_other_conditions_are_said(tmp_path, changed, note):
    """Case cmp2."""
    sides = [
        evaluation(tmp_path / name, asked("a", "b"), "10", **more)
        for name, more in (("a", {}), ("b", changed))
    ]
    notes = " ".join(compare_runs(*sides).notes)
    assert note in notes if note else notes == ""


def test_another_judge_is_refused(tmp_path):
    before = evaluation(tmp_path / "a", asked("a"), "1")
    after = evaluation(tmp_path / "b", asked("a"), "0", mode="orz")
    with pytest.raises(ValueError, match="mode is 'lenient' before, 'orz' after .*score --mode.*--anyway"):
        compare_runs(before, after)
    assert compare_runs(before, after, anyway=True).table["delta"][0] == -1
    (after / "conditions.json").unlink()
    assert "does not say under what conditions" in compare_runs(before, after).notes[0]
