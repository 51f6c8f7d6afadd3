"""The metrics of a step, counted one response at a time."""

import pytest
import torch

from rewards.contracts.engine import Completion
from rewards.contracts.records import METRIC, ROLLOUT
from rewards.grader import score_batch
from training.data import Prompt
from training.measures import N_BINS, response_metrics, rollout_rows
from training.ranks import Ranks

ALONE = Ranks(0, 1, torch.device("cpu"))
RIGHT, WRONG = "</think><answer>\\boxed{4}</answer>", "</think><answer>\\boxed{5}</answer>"
PROMPTS = [Prompt("a", "2+2=?<think>", [1, 2, 3], "4"), Prompt("b", "8/2=?<think>", [1, 2], "4")]


def step(samples):
    """Metrics and rows of (tokens, text, finish reason), two samples per prompt."""
    completions = [Completion(list(range(n)), text, finish) for n, text, finish in samples]
    asked = [prompt for prompt in PROMPTS for _ in range(2)]
    verdicts = score_batch(
        [(p.gold, c.text, c.finish_reason) for p, c in zip(asked, completions, strict=True)]
    )
    rewards = [verdict.reward for verdict in verdicts]
    rows = rollout_rows(3, asked, [10, 11, 12, 13], completions, verdicts, rewards, 2)
    metrics, _ = response_metrics(completions, verdicts, rewards, 2, 63, ALONE)
    return metrics, rows


def test_measures_by_hand():
    metrics, _ = step(
        [(10, RIGHT, "stop"), (20, WRONG, "stop"), (30, "no answer", "stop"), (40, RIGHT, "length")]
    )
    # A right answer in a truncated response gets no reward (paper: truncated = 0).
    assert metrics["reward"] == 0.25
    assert metrics["pass_at_n"] == 0.5
    assert metrics["response_tokens"] == 25
    assert metrics["response_tokens_std"] == pytest.approx(125**0.5)
    assert metrics["response_tokens_correct"] == 10
    assert metrics["response_tokens_wrong"] == 30
    assert metrics["response_tokens_wrong_std"] == pytest.approx((200 / 3) ** 0.5)
    assert metrics["response_tokens_correct_std"] == 0
    assert metrics["accuracy"] == 0.25 and metrics["timeouts"] == 0
    assert metrics["reflection_rate"] is None and metrics["repetition"] is None
    assert metrics["truncated"] == 0.25
    assert metrics["formatted"] == 0.75
    assert set(metrics) <= set(METRIC.names)


@pytest.mark.parametrize(
    "text, absent", [(RIGHT, "response_tokens_wrong"), (WRONG, "response_tokens_correct")]
)
def test_a_length_without_responses_is_absent_and_not_zero(text, absent):
    metrics, _ = step([(10, text, "stop")] * 4)
    assert metrics[absent] is None
    assert metrics["response_tokens_std"] == 0


def test_both_samples_of_one_prompt_count_once_for_the_pass_rate():
    both, _ = step([(1, RIGHT, "stop"), (1, RIGHT, "stop"), (1, WRONG, "stop"), (1, WRONG, "stop")])
    one_each, _ = step([(1, RIGHT, "stop"), (1, WRONG, "stop"), (1, WRONG, "stop"), (1, RIGHT, "stop")])
    assert (both["reward"], both["pass_at_n"]) == (0.5, 0.5)
    assert (one_each["reward"], one_each["pass_at_n"]) == (0.5, 1.0)


def test_rows_have_the_schema_and_say_which_sample_of_which_problem():
    _, rows = step(
        [(10, RIGHT, "stop"), (20, WRONG, "stop"), (30, "no answer", "stop"), (40, RIGHT, "length")]
    )
    frame = ROLLOUT.frame(rows)
    assert frame.select("problem_id", "sample", "seed").rows() == [
        ("a", 0, 10),
        ("a", 1, 11),
        ("b", 0, 12),
        ("b", 1, 13),
    ]
    assert frame["reason"].to_list() == ["correct", "wrong", "no_answer", "truncated"]
    assert frame["reward"].to_list() == [1.0, 0.0, 0.0, 0.0]
    assert frame["n_prompt_tokens"].to_list() == [3, 3, 2, 2]
    assert frame["n_response_tokens"].to_list() == [10, 20, 30, 40]


def test_readings_are_averaged_and_lengths_fall_into_their_bins():
    completions = [Completion(list(range(n)), RIGHT if n < 35 else WRONG, "stop") for n in (10, 20, 30, 40)]
    asked = [prompt for prompt in PROMPTS for _ in range(2)]
    verdicts = score_batch([(p.gold, c.text, "stop") for p, c in zip(asked, completions, strict=True)])
    rewards = [verdict.reward for verdict in verdicts]
    read = [(True, 0.5), (False, 0.1), (True, 0.2), (True, 0.4)]
    metrics, histograms = response_metrics(completions, verdicts, rewards, 2, 63, ALONE, lambda _: read)
    assert metrics["reflection_rate"] == 0.75
    assert metrics["correct_reflection_tokens"] == 20  # Of 10 and 30; the fourth is wrong.
    assert metrics["repetition"] == pytest.approx(0.3)
    # 64 lengths in 32 bins: two per bin.
    expected = {"response_tokens": [5, 10, 15, 20], "response_tokens_correct": [5, 10, 15]}
    expected["response_tokens_wrong"] = [20]
    for name, bins in expected.items():
        assert [i for i in range(N_BINS) if histograms[name][i]] == bins
        assert sum(histograms[name]) == len(bins)
