import polars as pl
import pytest

from evals.statistics.compare import compare, gate, unlike
from evals.statistics.metrics import breakdown, curves, summarize


def test_summary_of_a_hand_worked_benchmark(make_completions):
    """Questions with 2 of 2, 1 of 2 and 0 of 2 samples right; the wrong ones are longer."""
    row = summarize(make_completions({"a": "11", "b": "10", "c": "00"})).row(0, named=True)
    assert (row["n_questions"], row["n_samples"]) == (3, 2)
    assert row["accuracy"] == pytest.approx(0.5)
    assert row["stderr"] == pytest.approx((0.5 / 2 / 3) ** 0.5)
    assert row["pass_at_k"] == pytest.approx(2 / 3)
    assert row["maj_at_k"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert (row["response_tokens_correct"], row["response_tokens_wrong"]) == (10.0, 20.0)
    assert row["response_tokens_correct_std"] == 0.0
    assert row["response_tokens_std"] == pytest.approx(5.0)
    assert (row["truncated"], row["formatted"]) == (0.0, 1.0)


def test_all_wrong_leaves_correct_length_empty(make_completions):
    row = summarize(make_completions({"a": "00", "b": "00"})).row(0, named=True)
    assert row["response_tokens_correct"] is None
    assert row["ci95_low"] == 0.0 < row["ci95_high"]


def test_only_wrong_answers_of_one_class_vote_together(make_completions):
    frame = make_completions({"a": "1000"})
    apart = frame.with_columns(answer_class=pl.Series([0, 1, 2, 3]))
    assert curves(frame)["maj_at_k"][3] == 0.0
    assert curves(apart)["maj_at_k"][3] == 0.25


def test_curve_starts_at_accuracy_and_ends_at_any(make_completions):
    curve = curves(make_completions({"a": "1100", "b": "0001", "c": "0000"}))
    assert curve["k"].to_list() == [1, 2, 3, 4]
    assert curve["pass_at_k"][0] == curve["maj_at_k"][0] == pytest.approx(3 / 12)
    assert curve["pass_at_k"][3] == pytest.approx(2 / 3)


def test_breakdown_by_level_and_length(make_completions):
    frame = make_completions({"a": "11", "b": "00", "c": "10"}, levels={"a": "1", "b": "2", "c": "2"})
    levels = breakdown(frame, "level")
    assert dict(zip(levels["group"], levels["accuracy"], strict=True)) == {"1": 1.0, "2": 0.25}
    quartiles = breakdown(make_completions(dict.fromkeys("abcd", "10")), "length")
    assert quartiles["group"].to_list() == ["Q1", "Q2", "Q3", "Q4"]
    assert quartiles["accuracy"].to_list() == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("samples", [pytest.param({"a": "11", "b": "1"}, id="uneven")])
def test_unfinished_sampling_is_refused(make_completions, samples):
    with pytest.raises(ValueError, match="question 'b' has 1 samples, others have more"):
        summarize(make_completions(samples))


def test_repeated_sample_is_refused(make_completions):
    frame = make_completions({"a": "1"})
    with pytest.raises(ValueError, match="question 'a' has sample 0 twice"):
        summarize(pl.concat([frame, frame]))


def test_comparison_pairs_questions(make_completions):
    before = make_completions({"a": "00", "b": "10", "c": "11"})
    after = make_completions({"c": "10", "a": "11", "b": "11"})
    row = compare(before, after).row(0, named=True)
    assert row["delta"] == pytest.approx((1.0 + 0.5 - 0.5) / 3)
    assert (row["n_better"], row["n_worse"]) == (2, 1)
    assert row["ci95_low"] < row["delta"] < row["ci95_high"]
    assert row["p_value"] == row["p_holm"] == pytest.approx(6 / 8)  # |+-1 +-.5 +-.5| >= 1 in 6 of 8 ways


def test_other_questions_under_the_same_ids_are_refused(make_completions):
    before, after = make_completions({"1": "1", "2": "0"}), make_completions({"1": "0", "2": "0"})
    other = after.with_columns(gold=pl.lit("7"), prompt=pl.lit("Times 7?"))
    with pytest.raises(
        ValueError, match="toy: question '1' has the reference answer '4' in the first set and '7'"
    ):
        compare(before, other)
    reworded = after.with_columns(prompt=pl.lit("Q: ") + pl.col("prompt"))  # another template
    assert compare(before, reworded)["delta"][0] == -0.5
    assert unlike(before, reworded) == ["2 of 2 questions have other prompts before and after"]
    assert unlike(before, after) == []


def test_a_mirror_with_other_ids_is_paired_by_its_prompts(make_completions):
    before, after = make_completions({"a": "1", "b": "0"}), make_completions({"b": "1", "a": "1"})
    mirror = after.with_columns(question_id=pl.Series(["61", "60"]))
    assert compare(before, mirror)["delta"][0] == 0.5
    numbered = after.with_columns(question_id=pl.Series(["a", "b"]))  # the same ids, in another order
    assert compare(before, numbered)["delta"][0] == 0.5


def test_one_more_on_one_side_is_named_and_left_out_on_request(make_completions):
    before = make_completions({"a": "10", "b": "10"})
    after = pl.concat([make_completions({"a": "1"}), make_completions({"z": "1"}, benchmark="other")])
    with pytest.raises(ValueError, match="--shared"):
        compare(before, after)
    assert compare(before, after, shared=True).select("benchmark", "n_questions", "delta").rows() == [
        ("toy", 1, 0.5)
    ]
    assert unlike(before, after) == [
        "toy: 2 samples a question before, 1 after",
        "toy: 1 questions are only in the first set",
        "other: 1 questions are only in the second set",
    ]
    with pytest.raises(ValueError, match="no question is in both"):
        compare(before, make_completions({"z": "11"}), shared=True)


def test_gate_stops_only_a_significant_regression(make_completions):
    names = [f"q{number}" for number in range(12)]
    good, bad = make_completions(dict.fromkeys(names, "11")), make_completions(dict.fromkeys(names, "00"))
    slightly = make_completions({**dict.fromkeys(names, "11"), "q3": "10"})
    assert gate(compare(bad, good)).is_ok
    assert gate(compare(good, slightly)).is_ok
    refused = gate(compare(good, bad))
    assert (refused.is_ok, refused.regressions) == (False, ("toy",))
    assert "toy -1.000" in refused.reason


def test_comparison_corrects_over_benchmarks(make_completions):
    names = [f"q{number}" for number in range(8)]
    frames = []
    for outcome in ("00", "11"):
        moving = make_completions(dict.fromkeys(names, outcome))
        still = make_completions(dict.fromkeys(names, "10"), benchmark="still")
        frames.append(pl.concat([moving, still]))
    table = compare(*frames)
    assert table["p_value"].to_list() == [2 / 256, 1.0]
    assert table["p_holm"].to_list() == [4 / 256, 1.0]
    assert table["minimal_detectable_effect"].to_list() == [None, None]


def test_comparison_refuses_different_questions(make_completions):
    with pytest.raises(ValueError, match="question 'b' and 0 more are missing from the second"):
        compare(make_completions({"a": "1", "b": "1"}), make_completions({"a": "1"}))
