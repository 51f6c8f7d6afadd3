import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from evals.benchmarks import from_frame, load, protected, registered
from evals.benchmarks.rows import Row
from evals.config import BenchmarkConfig, EvalsConfig

GPQA_HUB = {"Question": "Which?", "Correct Answer": "this"} | {
    f"Incorrect Answer {number}": f"not {number}" for number in (1, 2, 3)
}


def write_lines(path: Path, rows: list[dict | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "row", "problem", "answer"),
    [
        pytest.param("aime2024", {"id": 60, "problem": "P", "answer": "204"}, "P", "204", id="aime2024"),
        pytest.param(
            "aime2024",
            {"prompt": [{"from": "user", "value": "P"}], "final_answer": "73"},
            "P",
            "73",
            id="aime2024-orz",
        ),
        pytest.param("aime2025", {"id": "I-1", "problem": "P", "answer": "70"}, "P", "70", id="aime2025"),
        pytest.param("amc23", {"problem": "P", "answer": 27.0}, "P", "27", id="amc23-float"),
        pytest.param("amc23", {"problem": "P", "answer": 2.5}, "P", "2.5", id="amc23-fraction"),
        pytest.param(
            "math500", {"problem": "P", "answer": "x", "level": 3, "subject": "S"}, "P", "x", id="math500"
        ),
        pytest.param(
            "gsm8k", {"question": "P", "answer": "a <<1+1=2>>2\n#### 1,200"}, "P", "1200", id="gsm8k"
        ),
        pytest.param(
            "minerva", {"problem": "P", "solution": r"\boxed{1}, \boxed{a_{2}}"}, "P", "a_{2}", id="minerva"
        ),
        pytest.param("hmmt_feb_2025", {"problem": "P", "solution": r"\boxed{103}"}, "P", "103", id="hmmt"),
        pytest.param("hmmt_feb_2025", {"problem": "P", "answer": "103"}, "P", "103", id="hmmt-hub"),
        pytest.param(
            "olympiadbench",
            {"question": "P", "context": "C", "final_answer": ["$69$,$84$"]},
            "C\n\nP",
            "69,84",
            id="olympiadbench",
        ),
        pytest.param(
            "mmlu", {"question": "P", "choices": ["a", "b"], "answer": 1}, "P\n\nA. a\nB. b", "B", id="mmlu"
        ),
        pytest.param(
            "mmlu_pro",
            {"question": "P", "options": ["a", "b"], "answer": "B"},
            "P\n\nA. a\nB. b",
            "B",
            id="mmlu_pro",
        ),
        pytest.param(
            "aime2026", {"problem_idx": 1, "problem": "P", "answer": 277}, "P", "277", id="aime2026"
        ),
        pytest.param(
            "amo_bench", {"question_id": 1, "prompt": "P", "answer": r"\boxed{7}"}, "P", "7", id="amo_bench"
        ),
        pytest.param("beyond_aime", {"problem": "P", "answer": 2025}, "P", "2025", id="beyond_aime"),
        pytest.param(
            "gpqa_diamond",
            {
                "prompt": [{"role": "user", "content": "P"}],
                "final_answer": "A",
                "choices": {"A": "x", "B": "y"},
            },
            "P",
            "A",
            id="gpqa-orz",
        ),
    ],
)
def test_row_to_question(name, row, problem, answer):
    question = registered()[name].parse(Row(row, "file", 1))
    assert (question.problem, question.answer) == (problem, answer)


def test_gpqa_from_the_hub_has_a_fixed_order_that_is_not_always_a():
    parse = registered()["gpqa_diamond"].parse
    letters = {}
    for number in range(40):
        row = Row(GPQA_HUB | {"Question": f"Which {number}?"}, "hub", number)
        question = parse(row)
        assert question == parse(row)
        assert f"{question.answer}. this" in question.problem
        letters[number] = question.answer
    assert set(letters.values()) == set("ABCD")


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        pytest.param("gsm8k", {"question": "P", "answer": "12"}, "must end in '#### number'", id="gsm8k"),
        pytest.param("minerva", {"problem": "P", "solution": "12"}, "has no balanced .boxed", id="no-box"),
        pytest.param(
            "minerva", {"problem": "P", "solution": r"\boxed{1"}, "has no balanced .boxed", id="open-box"
        ),
        pytest.param(
            "mmlu", {"question": "P", "choices": ["a"], "answer": 4}, "expected an index below 1", id="mmlu"
        ),
        pytest.param(
            "mmlu_pro", {"question": "P", "options": ["a"], "answer": "F"}, "there are 1 options", id="pro"
        ),
        pytest.param("math500", {"problem": "P", "answer": ""}, "field 'answer' is empty", id="empty"),
        pytest.param("math500", {"problem": "P", "answer": None}, "field 'answer' is empty", id="null"),
        pytest.param("math500", {"problem": "  ", "answer": "1"}, "field 'problem' is blank", id="blank"),
        pytest.param("math500", {"problem": ["P"], "answer": "1"}, "is list, expected text", id="type"),
    ],
)
def test_bad_row_names_file_row_and_field(name, row, message):
    with pytest.raises(ValueError, match=message) as caught:
        registered()[name].parse(Row(row, "eval/x.jsonl", 7))
    assert str(caught.value).startswith("eval/x.jsonl, row 7: ")


def aime_rows(n: int) -> list[dict]:
    return [{"id": f"I-{number}", "problem": f"Find {number}.", "answer": str(number)} for number in range(n)]


def test_registered_benchmark_is_found_below_the_data_root(tmp_path):
    write_lines(tmp_path / "eval/aime2025.jsonl.gz", aime_rows(30))
    benchmark = load(BenchmarkConfig(name="aime2025"), tmp_path)
    assert benchmark.questions.columns == ["question_id", "problem", "answer", "level", "subject", "choices"]
    assert benchmark.questions["question_id"][2] == "I-2"
    limited = load(BenchmarkConfig(name="aime2025", limit=4), tmp_path)
    assert limited.questions.height == 4 and limited.n_all == 30
    assert limited.fingerprint == benchmark.fingerprint


@pytest.mark.parametrize(
    ("name", "n"),
    [("aime2026", 30), ("hmmt_nov_2025", 30), ("brumo_2025", 30), ("cmimc_2025", 40), ("apex_2025", 12)]
    + [("amo_bench", 50), ("beyond_aime", 100)],
)
def test_contests_have_their_published_number_of_questions(tmp_path, name, n):
    rows = [
        {"problem_idx": i, "problem": f"Find {i}.", "answer": str(i), "problem_type": ["Algebra", "Geometry"]}
        for i in range(n)
    ]
    write_lines(tmp_path / f"eval/{name}.jsonl.gz", rows)
    questions = load(BenchmarkConfig(name=name), tmp_path).questions
    assert questions.height == n and questions["answer"][3] == "3"
    assert questions["subject"][0] in ("Algebra, Geometry", None)
    spec = registered()[name]
    assert spec.n_questions == (n,) and spec.public >= "2025" and "/" in spec.hub.name
    write_lines(tmp_path / f"eval/{name}.jsonl.gz", rows[1:])
    with pytest.raises(ValueError, match=f"has {n} questions, found {n - 1}"):
        load(BenchmarkConfig(name=name), tmp_path)


def test_wrong_row_count_is_refused(tmp_path):
    write_lines(tmp_path / "eval/aime2025.jsonl.gz", aime_rows(29))
    with pytest.raises(ValueError, match="AIME 2025 has 30 questions, found 29"):
        load(BenchmarkConfig(name="aime2025"), tmp_path)


def test_named_part_of_a_registered_benchmark_is_taken_with_a_warning(tmp_path, caplog):
    write_lines(tmp_path / "part.jsonl", aime_rows(3))
    assert load(BenchmarkConfig(name="aime2025", file="part.jsonl"), tmp_path).questions.height == 3
    assert "questions=3 expected=30" in caplog.text


def test_nested_fields_of_a_custom_file(tmp_path):
    row = {"prompt": [{"role": "user", "content": "1+1"}], "reward_model": {"ground_truth": "2"}}
    write_lines(tmp_path / "chat.jsonl", [row])
    fields = {"problem_field": "prompt.0.content", "answer_field": "reward_model.ground_truth"}
    config = BenchmarkConfig(name="chat", kind="custom", file="chat.jsonl", **fields)
    assert load(config, tmp_path).questions.row(0)[:3] == ("1", "1+1", "2")
    wrong = config.model_copy(update={"answer_field": "reward_model.truth"})
    with pytest.raises(ValueError, match="row 1: field 'reward_model.truth' is missing"):
        load(wrong, tmp_path)


def test_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="aime2025.jsonl.gz is not there; set `file`"):
        load(BenchmarkConfig(name="aime2025"), tmp_path)


def test_hub_data_set_is_read_through_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    write_lines(tmp_path / "home/test.jsonl", aime_rows(30))
    config = BenchmarkConfig(name="aime2025", hub=str(tmp_path / "home"))
    from_disk = BenchmarkConfig(name="aime2025", file="home/test.jsonl")
    assert load(config).fingerprint == load(from_disk, tmp_path).fingerprint


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".json", ".parquet"])
def test_custom_file(tmp_path, suffix):
    rows = [
        {"question": "1+1", "gold": 2.0, "stage": "easy"},
        {"question": "2+2", "gold": 4.0, "stage": "hard"},
    ]
    path = tmp_path / f"mine{suffix}"
    if suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        write_lines(path, list(rows))
    config = BenchmarkConfig(
        name="mine",
        kind="custom",
        file=path.name,
        problem_field="question",
        answer_field="gold",
        level_field="stage",
    )
    questions = load(config, tmp_path).questions
    assert list(questions.select("question_id", "problem", "answer", "level").iter_rows()) == [
        ("1", "1+1", "2", "easy"),
        ("2", "2+2", "4", "hard"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param([{"problme": "P"}], "row 1: field 'problem' is missing; did you mean", id="typo"),
        pytest.param([{"problem": "P", "answer": "1"}, "{broken"], "row 2: not valid JSON", id="json"),
        pytest.param([{"problem": "P", "answer": "1"}, "[1]"], "row 2: expected a JSON obj", id="list"),
        pytest.param([], "has no questions", id="no-rows"),
        pytest.param(
            [{"id": "a", "problem": "P", "answer": "1"}, {"id": "a", "problem": "Q", "answer": "1"}],
            "row 2: id 'a' was already used in row 1",
            id="same-id",
        ),
    ],
)  # fmt: skip
def test_bad_custom_file(tmp_path, rows, message):
    path = write_lines(tmp_path / "mine.jsonl", rows)
    with pytest.raises(ValueError, match=message):
        load(BenchmarkConfig(name="mine", kind="custom", file=str(path)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        # Explicit ids: a gzip header contains the time, and two test processes must collect the same names.
        pytest.param(
            "cut.jsonl.gz",
            gzip.compress(b'{"problem": "1", "answer": "1"}\n' * 99)[:-9],
            "ends or breaks",
            id="cut-gzip",
        ),
        pytest.param(
            "bytes.jsonl", b'{"problem": "1", "answer": "1"}\n\xff\xfe\n', "not UTF-8", id="not-utf-8"
        ),
        pytest.param("cut.json", b'[{"problem": "1", "ans', "not valid JSON", id="cut-json"),
        pytest.param("object.json", b'{"problem": "1"}', "expected a list of JSON objects", id="object"),
    ],
)
def test_damaged_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}.*{message}"):
        load(BenchmarkConfig(name="mine", kind="custom", file=name), tmp_path)


def test_frame_of_curated_problems_keeps_its_ids():
    frame = pl.DataFrame(
        {"problem_id": ["f00", "f01"], "problem": ["1+1", "1+2"], "answer": ["2", "3"], "split": "v"}
    )
    benchmark = load(BenchmarkConfig(name="heldout", kind="frame", limit=1), frame=frame)
    assert benchmark.questions.rows() in (
        [("f00", "1+1", "2", None, None, None)],
        [("f01", "1+2", "3", None, None, None)],
    )
    assert benchmark.fingerprint == from_frame("heldout", frame).fingerprint
    assert benchmark.fingerprint != from_frame("heldout", frame.with_columns(answer=pl.lit("4"))).fingerprint


def test_frame_and_kind_must_agree():
    with pytest.raises(ValueError, match="a frame goes with kind = 'frame'"):
        load(BenchmarkConfig(name="heldout", kind="frame"))


def test_protected_lists_every_problem():
    benchmarks = [
        from_frame(name, pl.DataFrame({"problem": [f"{name}?"], "answer": ["1"]})) for name in ("a", "b")
    ]
    assert list(protected(benchmarks).iter_rows()) == [("a", "1", "a?"), ("b", "1", "b?")]
    assert protected([]).columns == ["benchmark", "question_id", "problem"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"benchmarks": [{"name": "x"}, {"name": "x"}]}, "named twice: x", id="twice"),
        pytest.param({"benchmarks": [{"name": "A b"}]}, "lowercase", id="name"),
        pytest.param({"benchmarks": [{"name": "x", "kind": "custom"}]}, "give file", id="custom"),
        pytest.param({"benchmarks": [{"name": "x", "n_samples": 0}]}, "at least 1", id="samples"),
        pytest.param({"temperature": 0.0}, "temperature 0 gives the same", id="greedy"),
        pytest.param({"top_p": 0.0}, "top_p must be in", id="top_p"),
        pytest.param({"topp": 1.0}, "Extra inputs", id="unknown"),
    ],
)
def test_config_is_checked_at_load(fields, message):
    with pytest.raises(ValueError, match=message):
        EvalsConfig.model_validate(fields)


def test_unknown_benchmark_lists_the_known():
    with pytest.raises(ValueError, match="known are aime2024, aime2025, aime2026, amc23"):
        load(BenchmarkConfig(name="aime1983"), Path("data"))


@pytest.mark.parametrize(
    ("answer", "choices", "expected"),
    [
        (1, ["4", "7"], "B"),
        ("7", ["4", "7"], "B"),
        ("b", ["4", "7"], "B"),
        ("(B)", ["4", "7"], "B"),
        ("B. 7", ["4", "7"], "B"),
        (7, ["4", "7"], "B"),
        (0, ["0", "7"], "A"),
        (r"\frac{1}{2}", ["0.25", "0.5"], "B"),
        (1, ["1", "2"], "the text of option A, or the index of option B"),
        (2, ["4", "7"], "names none of the 2 options"),
        ("C", ["4", "7"], "names none of the 2 options"),
        ("B. 4", ["4", "7"], "names none of the 2 options"),
        ("9", ["4", "7"], "names none of the 2 options"),
    ],
)
def test_the_right_option_of_a_custom_file_in_every_usual_form(tmp_path, answer, choices, expected):
    row = {"problem": "Which is prime?", "answer": answer, "choices": choices}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    config = BenchmarkConfig(name="mine", kind="custom", file="mine.jsonl")
    if len(expected) > 1:
        with pytest.raises(ValueError, match=f"mine.jsonl, row 1: field 'answer' is .*{expected}"):
            load(config, tmp_path)
        return
    question = load(config, tmp_path).questions.row(0, named=True)
    assert question["answer"] == expected
    assert question["problem"] == f"Which is prime?\n\nA. {choices[0]}\nB. {choices[1]}"


def test_options_that_the_problem_shows_are_not_shown_twice(tmp_path):
    shown = "Which is prime? (A) 4 (B) 7"
    row = {"problem": shown, "answer": "B", "choices": ["4", "7"]}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    config = BenchmarkConfig(name="mine", kind="custom", file="mine.jsonl")
    assert load(config, tmp_path).questions["problem"][0] == shown
