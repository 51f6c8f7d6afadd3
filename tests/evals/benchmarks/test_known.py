"""Known texts: mirrors that only format differently agree, and an edited copy is named."""

import json

import polars as pl
import pytest

from evals.benchmarks import known, load, registered
from evals.benchmarks.known import known_hashes, question_hash, unknown_questions
from evals.config import BenchmarkConfig


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Find $17_b$.", "Find  $17_{b}.$", id="braces-and-place-of-the-stop"),
        pytest.param(r"an angle of $60^{\circ}$", "an angle of 60°", id="degrees"),
        pytest.param(r"\[x \le \dfrac{1}{2}\] holds", r"$x\leq \frac12$ holds,", id="latex"),
        pytest.param(r"the set $\left\{1,\ldots,n\right\}$", r"the set \(\{1, \dots, n\}\)", id="dots"),
        pytest.param("as shown. [asy]draw(A);[/asy]", "as shown.", id="drawing"),
    ],
)
def test_formatting_does_not_matter(one: str, other: str) -> None:
    assert question_hash(one, "70") == question_hash(other, "070")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(r"$\angle ABC = 60$", r"$\angle ZBA = 60$", id="letters"),
        pytest.param("2 red and 2 blue sides", "2 red and blue sides", id="a-number-is-missing"),
        pytest.param("x < 3", "x > 3", id="relation"),
        pytest.param("a + b", "a - b", id="operator"),
        pytest.param("the 10th", "the 100th", id="digits"),
    ],
)
def test_what_is_asked_does(one: str, other: str) -> None:
    assert question_hash(one, "70") != question_hash(other, "70")
    assert question_hash(one, "70") != question_hash(one, "71")


def test_options_count_in_any_order_and_the_right_one_by_its_text() -> None:
    plain = question_hash("Which?\n\nA. x\nB. y", "A", ("x", "y"))
    assert plain == question_hash("Which?\n\nA. y\nB. x", "B", ("y", "x"))
    assert plain != question_hash("Which?\n\nA. x\nB. y", "B", ("x", "y"))


def test_an_edited_copy_is_named(tmp_path, monkeypatch, caplog) -> None:
    rows = [
        {"id": f"I-{n}", "problem": f"Find angle A{n} in the figure.", "answer": str(n)} for n in range(30)
    ]
    hashes = {"aime2025": "".join(question_hash(row["problem"], row["answer"]) for row in rows)}
    monkeypatch.setattr(known, "FILE", tmp_path / "known.json")
    known.FILE.write_text(json.dumps(hashes))
    known_hashes.cache_clear()
    try:
        path = tmp_path / "mirror.jsonl"
        config = BenchmarkConfig(name="aime2025", file=str(path))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        load(config)
        assert caplog.text == ""
        rows[14]["problem"] = "Find angle Z14 in it."
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert load(config, seed=1).remark in caplog.text
        assert "aime2025: 1 of 30 questions differs from the published text: I-14;" in caplog.text
    finally:
        known_hashes.cache_clear()


def test_the_stored_hashes_are_of_registered_benchmarks_and_enough() -> None:
    for name, hashes in known_hashes().items():
        spec = registered()[name]
        # Some questions of MMLU and MMLU-Pro occur twice; contests have several mirrors.
        assert len(hashes) >= 0.98 * min(spec.n_questions), name
    nothing = pl.DataFrame({"question_id": ["1"], "problem": ["P"], "answer": ["1"], "choices": [None]})
    assert unknown_questions("no-such-benchmark", nothing) == []
    assert unknown_questions("gsm8k", nothing) == ["1"]
