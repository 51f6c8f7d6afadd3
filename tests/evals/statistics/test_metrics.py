import polars as pl
import pytest

from evals.statistics.compare import compare, gate
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
