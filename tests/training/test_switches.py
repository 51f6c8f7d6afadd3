"""The ablation switches, each compared with loops over tokens; with all of them off the update is plain."""

import math

import pytest
import torch

from tests.training.test_update import (
    ALONE,
    PROMPTS,
    REWARDS,
    TOKENS,
    PlainEngine,
    movement,
    networks,
    settings,
    slope,
)
from training.batching import Responses
from training.losses import importance_weights, kl_estimate, policy_loss
from training.ppo import PPO

GENERATOR = torch.Generator().manual_seed(5)
NEW, OLD, GAINS = (torch.randn(300, generator=GENERATOR, dtype=torch.float64) * s for s in (0.3, 0.3, 1.0))


def reference():
    """Another policy, as the base model of the KL terms."""
    policy, _ = networks()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return policy.requires_grad_(False)


def update(config, engine_logprobs=None, critic=True):
    policy, values = networks()
    ppo = PPO(
        PlainEngine(policy),
        PlainEngine(values) if critic else None,
        config,
        0,
        ALONE,
        reference() if config.ppo.kl_coef else None,
    )
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    metrics, _ = ppo.update(1, responses, REWARDS, engine_logprobs or [None] * 4)
    return policy, metrics


def tokens_by_hand():
    """The policy, and (response, log-prob with gradient, entropy, reference log-prob) of every token."""
    (policy, _), other, rows = networks(), reference(), []
    for index, (prompt, tokens) in enumerate(zip(PROMPTS, TOKENS, strict=True)):
        ids, start = torch.tensor([prompt + tokens]), len(prompt)
        logits, base = (p.model(input_ids=ids).logits[0] for p in (policy, other))
        for t, token in enumerate(tokens):
            log = torch.log_softmax(logits[start + t - 1], -1)
            entropy = -(log.exp() * log).sum()
            rows.append((index, log[token], entropy, torch.log_softmax(base[start + t - 1], -1)[token]))
    return policy, rows


def moves_along(policy, expected, loss):
    """The update was one step of rate 0.25 down the gradient of `loss`."""
    loss.backward()
    moved, gradient = movement(policy, networks()[0]), slope(expected)
    assert gradient.norm() > 1e-3
    assert (moved + 0.25 * gradient).norm() <= 3e-5 * 0.25 * gradient.norm()


def whitened(values):
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    return [(v - mean) / deviation for v in values]


def test_clip_higher_lets_good_tokens_grow_further():
    total = 0.0
    for n, o, a in zip(NEW.tolist(), OLD.tolist(), GAINS.tolist(), strict=True):
        ratio = math.exp(n - o)
        total -= min(ratio * a, min(max(ratio, 0.8), 1.28) * a)
    assert policy_loss(NEW, OLD, GAINS, 0.2, 300, 0.28)[0].item() == pytest.approx(total / 300, abs=1e-9)
    assert policy_loss(NEW, OLD, GAINS, 0.2, 300)[0].item() != pytest.approx(total / 300, abs=1e-6)


def test_importance_weights_are_capped_ratios_without_gradient():
    new = NEW.clone().requires_grad_()
    weights = importance_weights(new, OLD, 1.1)
    expected = [min(math.exp(n - o), 1.1) for n, o in zip(NEW.tolist(), OLD.tolist(), strict=True)]
    assert weights.tolist() == pytest.approx(expected, abs=1e-9) and not weights.requires_grad
    loss = policy_loss(new, new.detach(), GAINS, 0.2, 300, weights=weights)[0]
    loss.backward()
    assert torch.allclose(new.grad, -GAINS * weights / 300)


def test_kl_estimates_are_those_of_a_known_pair():
    """Over p, k1 and k3 average to KL(p || q), k3 is never negative, and k2's gradient is the KL's."""
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.3, 0.5]).double()
    exact = (p * (p / q).log()).sum().item()
    for name in ("k1", "k3"):
        assert (p * kl_estimate(p.log(), q.log(), name)).sum().item() == pytest.approx(exact, abs=1e-12)
    assert kl_estimate(p.log(), q.log(), "k3").min() >= 0
    logits = p.log().clone().requires_grad_()
    log_p = torch.log_softmax(logits, -1)
    (p * kl_estimate(log_p, q.log(), "k2")).sum().backward()
    found = logits.grad.clone()
    logits.grad = None
    log_p = torch.log_softmax(logits, -1)
    (log_p.exp() * (log_p - q.log())).sum().backward()
    assert torch.allclose(found, logits.grad, atol=1e-12)


@pytest.mark.parametrize("estimator", ["grpo", "rloo"])
def test_group_advantages_replace_the_critic(estimator):
    config = settings(advantages=estimator)
    config = config.model_copy(
        update={"rollout": config.rollout.model_copy(update={"samples_per_prompt": 2})}
    )
    policy, metrics = update(config, critic=False)
    expected, rows = tokens_by_hand()
    scale = {"rloo": 1.0, "grpo": 0.5 / (0.5**0.5 + 1e-6)}[estimator]
    gains = [scale * (1 if reward else -1) for reward in REWARDS]
    loss = -sum((log - log.detach()).exp() * gains[i] for i, log, *_ in rows) / len(rows)
    moves_along(policy, expected, loss)
    assert "value_loss" not in metrics and "explained_variance" not in metrics


def test_reinforce_pp_whitens_the_rewards_over_all_tokens():
    policy, _ = update(settings(advantages="reinforce_pp"), critic=False)
    expected, rows = tokens_by_hand()
    gains = whitened([REWARDS[i] for i, *_ in rows])
    loss = -sum((r[1] - r[1].detach()).exp() * g for r, g in zip(rows, gains, strict=True)) / len(rows)
    moves_along(policy, expected, loss)


@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_kl_and_entropy_in_the_loss(estimator):
    switches = {"kl_coef": 0.3, "kl_estimator": estimator, "entropy_coef": 0.2}
    policy, metrics = update(settings(advantages="reinforce_pp", **switches), critic=False)
    expected, rows = tokens_by_hand()
    gains, loss, kl_sum = whitened([REWARDS[i] for i, *_ in rows]), 0.0, 0.0
    for (_, log, entropy, base), gain in zip(rows, gains, strict=True):
        d = log - base
        kl = d**2 / 2 if estimator == "k2" else torch.exp(-d) - 1 + d
        kl_sum += kl.item()
        loss = loss + (-(log - log.detach()).exp() * gain + 0.3 * kl - 0.2 * entropy) / len(rows)
    moves_along(policy, expected, loss)
    assert metrics["kl_to_base"] == pytest.approx(kl_sum / len(rows), rel=1e-4)


def test_kl_in_the_reward_is_taken_off_token_by_token():
    switches = {"kl_coef": 0.3, "kl_estimator": "k1", "kl_place": "reward"}
    policy, _ = update(settings(advantages="reinforce_pp", **switches), critic=False)
    expected, rows = tokens_by_hand()
    to_go = []
    for index, reward in enumerate(REWARDS):
        costs = [0.3 * (log - base).item() for i, log, _, base in rows if i == index]
        to_go += [reward - sum(costs[t:]) for t in range(len(costs))]
    gains = whitened(to_go)
    loss = -sum((r[1] - r[1].detach()).exp() * g for r, g in zip(rows, gains, strict=True)) / len(rows)
    moves_along(policy, expected, loss)


def test_importance_weights_correct_the_engines_view():
    _, rows = tokens_by_hand()
    engine = [[(log + 5e-4).item() for i, log, *_ in rows if i == index] for index in range(4)]
    config = settings(advantages="reinforce_pp", max_importance_weight=2.0)
    policy, metrics = update(config, engine, critic=False)
    expected, rows = tokens_by_hand()
    gains = whitened([REWARDS[i] for i, *_ in rows])
    weight = math.exp(-5e-4)
    loss = -sum(weight * (r[1] - r[1].detach()).exp() * g for r, g in zip(rows, gains, strict=True)) / len(
        rows
    )
    moves_along(policy, expected, loss)
    assert metrics["mismatch_mean"] == pytest.approx(5e-4, rel=1e-2)


def test_later_policy_minibatches_are_off_policy_and_say_so():
    _, once = update(settings())
    _, twice = update(settings(policy_minibatches=2))
    assert once["ratio"] == 1 and once["approx_kl"] == 0
    assert twice["approx_kl"] > 1e-4 and twice["ratio"] != 1
