import polars as pl
import pytest

from evals.benchmarks import from_frame
from evals.plan import make_plan
from evals.sampling import RESPONSE, sample
from evals.scoring import score
from evals.statistics.metrics import summarize


def responses(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Responses from (question_id, response, finish_reason)."""
    counts: dict[str, int] = {}
    made = []
    for number, (question, text, finish) in enumerate(rows):
        counts[question] = counts.get(question, -1) + 1
        made.append((str(number), "toy", question, counts[question], 1, "p", text, 1, len(text), finish))
    return pl.DataFrame(made, schema=RESPONSE, orient="row")


def boxed(answer: str) -> str:
    return f"hm</think><answer>\\boxed{{{answer}}}</answer>"


TOY = from_frame(
    "toy", pl.DataFrame({"id": ["half", "two"], "problem": ["1/2", "1+1"], "answer": ["1/2", "2"]})
)


@pytest.mark.parametrize(
    ("response", "finish", "reason", "is_correct", "is_formatted"),
    [
        pytest.param(boxed(r"\frac{1}{2}"), "stop", "correct", True, True, id="equivalent"),
        pytest.param(boxed("0.6"), "stop", "wrong", False, True, id="wrong"),
        pytest.param("It is one half.", "stop", "no_answer", False, False, id="no-answer"),
        pytest.param("It is one", "length", "truncated", False, False, id="cut"),
        pytest.param(r"so \boxed{1/2}", "stop", "no_answer", False, False, id="no-tags"),
    ],
)
def test_verdict_of_one_response(response, finish, reason, is_correct, is_formatted):
    row = score(responses(("half", response, finish)), TOY).completions.row(0, named=True)
    assert (row["reason"], row["is_correct"], row["is_formatted"]) == (reason, is_correct, is_formatted)
    assert row["is_truncated"] == (finish == "length")
    assert row["gold"] == "1/2"


def test_lenient_mode_reads_a_box_without_tags():
    scored = score(responses(("half", r"so \boxed{1/2}", "stop")), TOY, mode="lenient")
    assert scored.completions["is_correct"].to_list() == [True]
    assert scored.completions["is_formatted"].to_list() == [False]


def test_order_and_columns_survive():
    rows = [("two", boxed("2"), "stop"), ("half", boxed("1"), "stop"), ("two", boxed("3"), "stop")]
    completions = score(responses(*rows), TOY).completions
    assert completions["question_id"].to_list() == ["two", "half", "two"]
    assert completions["sample"].to_list() == [0, 0, 1]
    assert completions["extracted"].to_list() == ["2", "1", "3"]


def test_choices_are_read_as_letters():
    frame = pl.DataFrame({"problem": ["Which?"], "answer": ["B"], "choices": [["a dog", "a cat", "12"]]})
    rows = [("1", boxed(text), "stop") for text in ("B", "(b)", "a cat", "B. a cat", "C", "12")]
    completions = score(responses(*rows), from_frame("toy", frame)).completions
    assert completions["extracted"].to_list() == ["B", "B", "B", "B", "C", "C"]
    assert completions["is_correct"].to_list() == [True] * 4 + [False] * 2


def test_unusable_reference_is_set_aside_once():
    frame = pl.DataFrame({"id": ["bad", "good"], "problem": ["?", "1+1"], "answer": [r"$\ $", "2"]})
    rows = [("bad", boxed("2"), "stop"), ("bad", boxed("3"), "stop"), ("good", boxed("2"), "stop")]
    scored = score(responses(*rows), from_frame("toy", frame))
    assert scored.completions["question_id"].to_list() == ["good"]
    assert scored.rejects.select("reason", "source_id").rows() == [("empty_gold", "bad")]


def test_responses_of_another_benchmark_are_refused():
    with pytest.raises(ValueError, match="does not have, such as 'other'"):
        score(responses(("other", "x", "stop")), TOY)


def test_sampled_benchmark_scores_end_to_end(sums, config, toy_engine, tmp_path):
    plan = make_plan(sums, config.benchmarks[0], config)
    generated = sample(toy_engine(), plan, config=config, folder=tmp_path)
    completions = score(generated.responses, sums, mode=config.mode).completions
    by_hand = [
        f"\\boxed{{{sum(map(int, row['prompt'].removesuffix('<think>').split('+')))}}}" in row["response"]
        for row in completions.iter_rows(named=True)
    ]
    assert completions["is_correct"].to_list() == by_hand
    assert 0 < sum(by_hand) < 30
    assert summarize(completions)["accuracy"][0] == pytest.approx(sum(by_hand) / 30)


def test_answers_that_are_equal_share_a_class():
    texts = ["0.25", r"\frac{1}{4}", "1/4", "3", "0.5", r"\text{five}"]
    rows = [("half", boxed(text), "stop") for text in texts] + [("half", "none", "stop")]
    completions = score(responses(*rows), TOY).completions
    assert completions["answer_class"].to_list() == [1, 1, 1, 2, 0, 3, None]
