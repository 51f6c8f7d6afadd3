"""Group estimators against their formulas, one response at a time."""

import statistics

import pytest
import torch

from training.advantages import group_advantages, spread

SCORES = [1.0, 0.0, 0.0, 1.0, 0.25, 0.5, 0.0, 0.0, 0.0]


def test_grpo_is_the_z_score_within_the_group():
    found = group_advantages(torch.tensor(SCORES, dtype=torch.float64), 3, "grpo").tolist()
    for start in range(0, 9, 3):
        group = SCORES[start : start + 3]
        mean, deviation = statistics.mean(group), statistics.stdev(group)
        expected = [(score - mean) / (deviation + 1e-6) for score in group]
        assert found[start : start + 3] == pytest.approx(expected, abs=1e-9)


def test_rloo_compares_with_the_others():
    found = group_advantages(torch.tensor(SCORES, dtype=torch.float64), 3, "rloo").tolist()
    for index, score in enumerate(SCORES):
        start = index // 3 * 3
        others = [SCORES[i] for i in range(start, start + 3) if i != index]
        assert found[index] == pytest.approx(score - statistics.mean(others), abs=1e-9)


@pytest.mark.parametrize("estimator", ["grpo", "rloo"])
def test_a_group_of_equals_teaches_nothing(estimator):
    assert not group_advantages(torch.tensor([1.0, 1.0, 0.0, 0.0]), 2, estimator).any()


def test_every_token_gets_its_responses_number():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert spread(torch.tensor([2.0, -1.0]), mask).tolist() == [[2, 2, 0], [-1, 0, 0]]
