"""Advantages compared with slow loops, hand-computed numbers and the paper's closed form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.gae import compute_gae, discounted_suffix_sum, whiten


def loop_gae(rewards, values, length, gamma, lam):
    """The textbook recursion, one token at a time."""
    advantages, last = [0.0] * len(rewards), 0.0
    for t in reversed(range(length)):
        next_value = values[t + 1] if t + 1 < length else 0.0
        last = rewards[t] + gamma * next_value - values[t] + gamma * lam * last
        advantages[t] = last
    return advantages


def random_batch(dtype, seed=0, n=7, width=33):
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.rand(n, width, generator=generator, dtype=dtype)
    values = torch.randn(n, width, generator=generator, dtype=dtype)
    lengths = torch.randint(1, width + 1, (n,), generator=generator)
    return rewards, values, torch.arange(width) < lengths.unsqueeze(1), lengths


@pytest.mark.parametrize(
    "dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 2e-5)], ids=["f64", "f32"]
)
@pytest.mark.parametrize("gamma, lam", [(1.0, 1.0), (1.0, 0.95), (0.99, 0.9), (0.0, 0.5), (1.0, 0.0)])
def test_gae_matches_the_recursion(dtype, tolerance, gamma, lam):
    rewards, values, mask, lengths = random_batch(dtype)
    advantages, returns = compute_gae(rewards, values, mask, gamma, lam)
    for i, length in enumerate(lengths.tolist()):
        expected = torch.tensor(
            loop_gae(rewards[i].double().tolist(), values[i].double().tolist(), length, gamma, lam)
        )
        assert torch.allclose(advantages[i].double(), expected.double(), atol=tolerance)
        assert torch.allclose(returns[i, :length], (advantages + values)[i, :length], atol=tolerance)
    assert not advantages[~mask].any() and not returns[~mask].any()


def test_hand_worked_two_tokens():
    rewards, values = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.25]])
    # delta_2 = 1 - 0.25 = 0.75; delta_1 = 0.9 * 0.25 - 0.5 = -0.275; A_1 = -0.275 + 0.9 * 0.8 * 0.75 = 0.265
    advantages, returns = compute_gae(rewards, values, torch.ones(1, 2), gamma=0.9, gae_lambda=0.8)
    assert advantages.tolist() == [[pytest.approx(0.265), pytest.approx(0.75)]]
    assert returns.tolist() == [[pytest.approx(0.765), pytest.approx(1.0)]]


def test_orz_case_is_reward_minus_value():
    _, values, mask, lengths = random_batch(torch.float64)
    rewards = torch.zeros_like(values)
    rewards[torch.arange(len(lengths)), lengths - 1] = 1.0
    advantages, returns = compute_gae(rewards, values, mask, gamma=1.0, gae_lambda=1.0)
    assert torch.allclose(advantages, (1.0 - values) * mask)
    assert torch.allclose(returns, mask.double())


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 70), st.floats(0, 1), st.integers(0, 10_000))
def test_suffix_sum_matches_the_double_loop(width, discount, seed):
    x = torch.randn(2, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = [
        [sum(discount**k * row[t + k] for k in range(width - t)) for t in range(width)] for row in x.tolist()
    ]
    assert torch.allclose(
        discounted_suffix_sum(x, discount), torch.tensor(expected, dtype=torch.float64), atol=1e-9
    )


def test_whitening_uses_population_moments_over_the_mask():
    x, mask = torch.tensor([[1.0, 2.0, 99.0], [3.0, 99.0, 99.0]]), torch.tensor([[1, 1, 0], [1, 0, 0]])
    result = whiten(x, torch.tensor(2.0), torch.tensor(2 / 3), mask)
    kept = result[mask.bool()]
    assert kept.mean().item() == pytest.approx(0, abs=1e-6)
    assert kept.pow(2).mean().item() == pytest.approx(1, abs=1e-5)
    assert not result[~mask.bool()].any()


@pytest.mark.parametrize("gamma, lam", [(1.0, 0.5), (0.9, 0.8), (1.0, 1.0)])
def test_tokens_off_the_mask_are_passed_over(gamma, lam):
    """A row with holes (tool output) has the numbers of the row without them; hand-worked for 1 and 0.5."""
    holes = torch.tensor([[0, 1, 0, 0, 1, 1, 0]], dtype=torch.bool)
    rewards, values = torch.full((1, 7), 3.0), torch.full((1, 7), 9.0)
    rewards[holes], values[holes] = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.5, 0.25, 0.75])
    found = compute_gae(rewards, values, holes, gamma, lam)
    dense = compute_gae(rewards[holes][None], values[holes][None], torch.ones(1, 3), gamma, lam)
    for row, expected in zip(found, dense, strict=True):
        assert torch.equal(row[holes], expected[0]) and not row[~holes].any()
    if (gamma, lam) == (1.0, 0.5):
        # Deltas 0.25 - 0.5, 0.75 - 0.25, 1 - 0.75; advantages from the last: 0.25, 0.625, 0.0625.
        assert found[0][holes].tolist() == [0.0625, 0.625, 0.25]
