"""Case sa1: samples of other tools are scored, with the same verdicts in every layout."""

import json
import re

import polars as pl
import pytest

from evals.benchmarks import from_frame
from evals.benchmarks.loading import load
from evals.config import BenchmarkConfig
from evals.foreign.matching import gather, match
from evals.foreign.reading import read_files
from evals.scoring import score
from tests.evals.foreign.conftest import LAYOUTS, ROWS, VERDICTS, lighteval, lm_eval, plain


def verdicts(matched) -> list[bool]:
    return score(matched.responses, matched.benchmark, mode="lenient").completions["is_correct"].to_list()


@pytest.mark.parametrize("write", LAYOUTS, ids=lambda write: write.__name__)
def test_every_layout_gets_the_same_verdicts(write, benchmark_file, tmp_path):
    told = []
    responses = list(read_files([write(tmp_path)], lambda *file: told.append(file)))
    assert len(told) == 1
    own = gather(responses, "mine")
    assert verdicts(own) == VERDICTS and own.benchmark.questions.height == len(ROWS)
    entry = BenchmarkConfig(name="math", kind="custom", file=str(benchmark_file))
    matched = match(responses, load(entry))
    assert verdicts(matched) == VERDICTS and matched.strangers == []
    assert matched.responses["question_id"].to_list() == [f"m{n // 2}" for n in range(10)]
    assert matched.responses["sample"].to_list() == [0, 1] * 5
    assert matched.notes == ["math: 1 of 6 questions have no response"]


def test_what_the_files_say_is_kept_and_what_they_do_not_is_null(tmp_path):
    matched = gather(list(read_files([lighteval(tmp_path)])), "mine")
    assert matched.responses["n_response_tokens"].to_list() == [3, 1] * 5
    assert matched.responses["finish_reason"].null_count() == 10
    done = score(matched.responses, matched.benchmark, mode="lenient").completions
    assert done["is_truncated"].null_count() == done["seed"].null_count() == 10
    stated = {one.conditions["temperature"] for one in read_files([lm_eval(tmp_path)])}
    assert stated == {0.5}


def test_multiple_choice_of_other_tools(tmp_path):
    """Log-probabilities, an index, and options in another order than the benchmark's."""
    doc = {"question": "Which is even?", "choices": ["4", "3", "5"]}
    rows = [
        {
            "doc_id": 0,
            "doc": doc,
            "target": "0",
            "resps": [[["-1.5", "False"]], [["-9", "False"]], [["-2", "x"]]],
        },
        {
            "doc_id": 1,
            "doc": {**doc, "question": "Which is odd?"},
            "target": "(C)",
            "resps": [["(C)"], ["(A)"]],
        },
    ]
    (tmp_path / "samples_quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    responses = list(read_files([tmp_path / "samples_quiz.jsonl"]))
    assert [one.text for one in responses] == ["A", "(C)", "(A)"]
    questions = [
        {"problem": f"Which is {word}?\n\nA. 5\nB. 4\nC. 3", "answer": answer, "choices": ["5", "4", "3"]}
        for word, answer in (("even", "B"), ("odd", "A"))
    ]
    matched = match(responses, from_frame("quiz", pl.DataFrame(questions)))
    assert matched.benchmark.questions["answer"].to_list() == ["A", "C"]  # in the order that the model saw
    assert verdicts(matched) == verdicts(gather(responses, "quiz")) == [True, True, False]
    letters = {"doc": {"query": "Which?\nA) 3\nB) 4", "choices": [" A", " B"], "gold_index": 1, "id": "0"}}
    rows = [{**letters, "model_response": {"text": ["Answer: B", "\\boxed{A}"], "input": None}}]
    pl.DataFrame(rows).write_parquet(tmp_path / "details.parquet")
    found = gather(list(read_files([tmp_path / "details.parquet"])), "quiz")
    assert verdicts(found) == [True, False]


def test_the_same_id_with_another_text_is_no_match(tmp_path):
    rows = [
        {"id": "1", "problem": "What is 2+3?", "response": "\\boxed{5}"},
        {"id": "2", "problem": "What is 12+3?", "response": "\\boxed{15}"},
        {"id": "2", "response": "\\boxed{7}"},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame = pl.DataFrame(
        {"id": ["1", "2"], "problem": ["What is 2+3?", "What is 3+4?"], "answer": ["5", "7"]}
    )
    matched = match(list(read_files([path])), from_frame("sums", frame))
    assert verdicts(matched) == [True, True]
    assert [one.problem for one in matched.strangers] == ["What is 12+3?"]


def test_two_runs_are_refused_and_a_response_stored_twice_counts_once(tmp_path):
    """Case sa2: the same samples with other texts."""
    first = lm_eval(tmp_path)
    (tmp_path / "copy.jsonl").write_text(first.read_text())
    assert gather(list(read_files([first, tmp_path / "copy.jsonl"])), "mine").responses.height == 10
    (tmp_path / "copy.jsonl").write_text(first.read_text().replace("boxed{5}", "boxed{6}"))
    with pytest.raises(
        ValueError, match="samples_mine.*, row 1: another text for the sample that .*two runs"
    ):
        gather(list(read_files([tmp_path])), "mine")
    row = '{"benchmark": "b", "question_id": "1", "sample": 0, "seed": 4, "response": "%s", "gold": "1"}\n'
    for name, text in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.jsonl").write_text(row % text)
    with pytest.raises(ValueError, match="b.jsonl, row 1: another text"):
        gather(list(read_files([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])), "b")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.jsonl", '{"x": 1}', "the layout is not known; its first row has 'x'"),
        ("a.jsonl", "", "the file is empty"),
        ("a.jsonl", '{"response": "1"}', "row 1: it has neither a problem"),
        ("a.jsonl", '{"id": 1, "response": {"y": 2}}', "row 1: field 'response' holds dict"),
        ("a.jsonl", '{"id": 1, "response": "2"}\n{"id": 2}', "row 2: it has another layout"),
        ("a.jsonl", '{"id": 1, "response": "2"}', "row 1: it has no answer .*--benchmarks"),
        (
            "a.jsonl",
            '{"doc_id": 0, "doc": {}, "target": "1", "resps": [[[-1.0, false]]]}',
            "field 'resps' holds no",
        ),
        (
            "a.jsonl",
            '{"id": 1, "response": "2", "answer": "7", "choices": ["1", "2"]}',
            "'7' names none of the 2",
        ),
        ("a.json", '{"eval": {}, "samples": []}', "pip install inspect_ai"),
        ("a.eval", "PK", "pip install inspect_ai"),
    ],
)
def test_what_cannot_be_read_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / name)) + ".*" + message):
        gather(list(read_files([tmp_path / name])), "mine")


def test_two_answers_to_one_question_are_refused(tmp_path):
    path = plain(tmp_path)
    path.write_text(path.read_text() + '{"problem": "What is $2+3$?", "answer": "6", "response": "5"}\n')
    with pytest.raises(
        ValueError, match="row 6: the answer is '6', but .*row 1 has '5' for the same question"
    ):
        gather(list(read_files([path])), "mine")
