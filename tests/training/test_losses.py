"""Losses compared with scalar loops and with cases computed by hand."""

import math

import pytest
import torch

from training.losses import explained_variance, policy_loss, value_loss


def flat(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_policy_loss_matches_the_loop():
    new, old, advantages = flat(200, seed=1) * 0.3, flat(200, seed=2) * 0.3, flat(200, seed=3)
    total, n_clipped, kl_sum = 0.0, 0, 0.0
    for n, o, a in zip(new.tolist(), old.tolist(), advantages.tolist(), strict=True):
        ratio = math.exp(n - o)
        clipped = min(max(ratio, 0.8), 1.2) * a
        total -= min(ratio * a, clipped)
        n_clipped += clipped < ratio * a
        kl_sum += ratio - 1 - (n - o)
    loss, clips, kl = policy_loss(new, old, advantages, 0.2, 200)
    assert loss.item() == pytest.approx(total / 200, abs=1e-9)
    assert clips.item() == n_clipped > 0
    assert kl.item() == pytest.approx(kl_sum, abs=1e-9)


def test_value_loss_matches_the_loop():
    new, old, returns = flat(200, seed=4), flat(200, seed=5), flat(200, seed=6)
    total = 0.0
    for v, o, r in zip(new.tolist(), old.tolist(), returns.tolist(), strict=True):
        clipped = o + min(max(v - o, -0.2), 0.2)
        total += 0.5 * max((v - r) ** 2, (clipped - r) ** 2)
    assert value_loss(new, old, returns, 0.2, 200).item() == pytest.approx(total / 200, abs=1e-9)


def test_on_policy_gradient_is_the_policy_gradient():
    logprobs = flat(10, seed=7).requires_grad_()
    advantages = flat(10, seed=8)
    policy_loss(logprobs, logprobs.detach(), advantages, 0.2, 10)[0].backward()
    assert torch.allclose(logprobs.grad, -advantages / 10)


def test_clipped_token_has_no_gradient():
    logprobs = torch.tensor([math.log(1.5)], requires_grad=True)
    policy_loss(logprobs, torch.zeros(1), torch.ones(1), 0.2, 1)[0].backward()
    assert logprobs.grad.item() == 0


def test_splitting_tokens_does_not_change_the_sum():
    new, old, advantages = flat(64, seed=9) * 0.3, flat(64, seed=10) * 0.3, flat(64, seed=11)
    whole = policy_loss(new, old, advantages, 0.2, 64)[0]
    parts = [
        policy_loss(n, o, a, 0.2, 64)[0]
        for n, o, a in zip(new.split(9), old.split(9), advantages.split(9), strict=True)
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), abs=1e-12)


@pytest.mark.parametrize(
    "returns, values, expected",
    [
        pytest.param([0.0, 1.0], [0.0, 1.0], 1.0, id="perfect"),
        pytest.param([0.0, 1.0], [0.5, 0.5], 0.0, id="the mean explains nothing"),
        pytest.param([0.0, 1.0], [1.0, 0.0], -3.0, id="worse than the mean"),
        pytest.param([1.0, 1.0], [0.3, 0.4], 0.0, id="constant returns"),
    ],
)
def test_explained_variance(returns, values, expected):
    r, v = torch.tensor(returns, dtype=torch.float64), torch.tensor(values, dtype=torch.float64)
    e = r - v
    sums = torch.stack([torch.tensor(2.0).double(), r.sum(), (r**2).sum(), e.sum(), (e**2).sum()])
    assert explained_variance(sums) == pytest.approx(expected)
