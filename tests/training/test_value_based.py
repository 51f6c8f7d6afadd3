"""What VC-PPO and VAPO add to PPO, each field compared with loops over tokens."""

import math

import pytest
import torch
from pydantic import ValidationError

from tests.training.conftest import tiny_config
from tests.training.test_gae import loop_gae, random_batch
from tests.training.test_switches import moves_along, tokens_by_hand, whitened
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
from training.advantages import advantage_reach, estimate, first_advantage, pay_tokens
from training.batching import Responses
from training.gae import adaptive_lambda, compute_gae
from training.losses import positive_lm_loss
from training.ppo import PPO
from training.sections.ppo import PPOConfig

RIGHT = [reward == 1.0 for reward in REWARDS]
CUT = [False, False, True, False]


def update(config, **facts):
    policy, critic = networks()
    ppo = PPO(PlainEngine(policy), PlainEngine(critic), config, 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    metrics, _ = ppo.update(1, responses, REWARDS, [None] * 4, is_right=RIGHT, is_truncated=CUT, **facts)
    return policy, critic, metrics


def values_by_hand():
    """The critic, and its value with gradient at every token by response."""
    _, critic = networks()
    rows = []
    for prompt, tokens in zip(PROMPTS, TOKENS, strict=True):
        states = critic.backbone(input_ids=torch.tensor([prompt + tokens])).last_hidden_state[0]
        rows.append([critic.head(states[len(prompt) + t - 1]) for t in range(len(tokens))])
    return critic, rows


def gains_by_hand(values, lam):
    """Advantages by response and token; `lam` by response length."""
    rows = []
    for own, reward in zip(values, REWARDS, strict=True):
        paid = [0.0] * (len(own) - 1) + [reward]
        rows.append(loop_gae(paid, [v.item() for v in own], len(own), 1.0, lam(len(own))))
    return rows


@pytest.mark.parametrize("alpha", [0.05, 0.4, 3.0])
def test_lambda_by_length_matches_the_recursion(alpha):
    rewards, values, mask, lengths = random_batch(torch.float64)
    lam = adaptive_lambda(lengths, alpha)
    advantages, _ = compute_gae(rewards, values, mask, 0.99, lam)
    for i, length in enumerate(lengths.tolist()):
        own = max(0.0, 1 - 1 / (alpha * length))
        expected = loop_gae(rewards[i].tolist(), values[i].tolist(), length, 0.99, own)
        assert advantages[i].tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "fields, policy_lambda, target_lambda, is_warmup",
    [
        ({"gae_lambda": 0.9}, lambda n: 0.9, 0.9, False),
        ({"gae_lambda": 0.9, "critic_lambda": 1.0}, lambda n: 0.9, 1.0, False),
        ({"adaptive_lambda": 0.3}, lambda n: max(0.0, 1 - 1 / (0.3 * n)), 1.0, False),
        ({"adaptive_lambda": 0.3, "critic_lambda": 0.8}, lambda n: max(0.0, 1 - 1 / (0.3 * n)), 0.8, False),
        ({"gae_lambda": 0.9, "critic_warmup_steps": 2}, lambda n: 0.9, 1.0, True),
    ],
)  # fmt: skip
def test_policy_and_critic_have_lambdas_of_their_own(fields, policy_lambda, target_lambda, is_warmup):
    rewards, values, mask, lengths = random_batch(torch.float64, seed=3)
    config = PPOConfig(whiten_advantages=False, **fields)
    paid = rewards * mask
    found = estimate(config, paid, paid.sum(1), values, mask, mask, 1, ALONE, is_warmup)
    for i, n in enumerate(lengths.tolist()):
        paid, own = rewards[i].tolist(), values[i].tolist()
        assert found.advantages[i].tolist() == pytest.approx(
            loop_gae(paid, own, n, 1.0, policy_lambda(n)), abs=1e-9
        )
        target = loop_gae(paid, own, n, 1.0, target_lambda)
        expected = [a + v for a, v in zip(target[:n], own[:n], strict=True)]
        assert found.returns[i, :n].tolist() == pytest.approx(expected, abs=1e-9)


def test_the_loss_on_right_responses_is_the_mean_over_their_tokens():
    logprobs = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    is_right = torch.tensor([float(i % 3 == 0) for i in range(50)])
    expected = -sum(x for i, x in enumerate(logprobs.tolist()) if i % 3 == 0) / 17
    assert positive_lm_loss(logprobs, is_right, 17).item() == pytest.approx(expected, abs=1e-9)


def test_all_fields_together_are_the_loops_gradient_step():
    """Lambda by length for the policy, whole returns for the critic, the loss on right responses, and the
    truncated response left out of all losses."""
    fields = {"adaptive_lambda": 0.4, "positive_lm_coef": 0.1, "mask_truncated": True, "value_clip_eps": 1e9}
    policy, critic, metrics = update(settings(**fields))
    loops, values = values_by_hand()
    advantages = gains_by_hand(values, lambda n: max(0.0, 1 - 1 / (0.4 * n)))
    targets = gains_by_hand(values, lambda n: 1.0)
    kept = [i for i in range(4) if not CUT[i]]
    flat = [a for i in kept for a in advantages[i]]
    mean = sum(flat) / len(flat)
    deviation = math.sqrt(sum((a - mean) ** 2 for a in flat) / len(flat))

    expected, rows = tokens_by_hand()
    places: dict[int, int] = {}
    n_right = sum(len(TOKENS[i]) for i in kept if RIGHT[i])
    loss = torch.zeros((), dtype=torch.float64)
    for index, log, *_ in rows:
        place = places[index] = places.get(index, -1) + 1
        if index in kept:
            gain = (advantages[index][place] - mean) / deviation
            loss = loss - (log - log.detach()).exp() * gain / len(flat)
            loss = loss - 0.1 * log * RIGHT[index] / n_right
    moves_along(policy, expected, loss)

    value_loss = sum(
        0.5 * (v - (t + v.detach())) ** 2 / len(flat)
        for i in kept
        for v, t in zip(values[i], targets[i], strict=True)
    )
    value_loss.backward()
    moved, gradient = movement(critic, networks()[1]), slope(loops)
    assert (moved + 0.25 * gradient).norm() <= 3e-5 * 0.25 * gradient.norm()
    assert metrics["value_loss"] == pytest.approx(value_loss.item(), rel=1e-4)


def test_a_step_of_truncated_responses_alone_moves_nothing():
    config = settings(mask_truncated=True)
    policy, critic = networks()
    ppo = PPO(PlainEngine(policy), PlainEngine(critic), config, 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    metrics, _ = ppo.update(1, responses, REWARDS, [None] * 4, is_truncated=[True] * 4)
    assert movement(policy, networks()[0]).norm() == movement(critic, networks()[1]).norm() == 0
    assert metrics["advantage_reach"] is metrics["first_advantage"] is None


def test_in_its_warmup_the_critic_alone_is_trained_and_the_policys_schedule_waits():
    config = settings(critic_warmup_steps=3)
    policy, critic, metrics = update(config, is_warmup=True)
    assert movement(policy, networks()[0]).norm() == 0 < movement(critic, networks()[1]).norm()
    assert "policy_loss" not in metrics and metrics["explained_variance"] is not None
    rate = config.actor.model_copy(update={"lr": 1.0, "warmup_steps": 4})
    config = config.model_copy(update={"actor": rate})
    ppo = PPO(PlainEngine(networks()[0]), PlainEngine(networks()[1]), config, 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    metrics, _ = ppo.update(5, responses, REWARDS, [None] * 4, n_warmup=3)
    assert metrics["actor_lr"] == pytest.approx(0.5)  # its second update of four


def test_advantage_reach_is_the_correlation_at_the_beginning_of_responses():
    generator = torch.Generator().manual_seed(4)
    lengths = torch.randint(1, 40, (30,), generator=generator)
    mask = torch.arange(40) < lengths.unsqueeze(1)
    advantages = torch.randn(30, 40, generator=generator, dtype=torch.float64) * mask
    rewards = torch.randint(0, 2, (30,), generator=generator).double()
    first = [math.ceil(0.1 * n) for n in lengths.tolist()]
    early = [sum(a[:n]) / n for a, n in zip(advantages.tolist(), first, strict=True)]
    both = torch.tensor([early, rewards.tolist()])
    found = advantage_reach(advantages, rewards, mask, ALONE)
    assert found == pytest.approx(torch.corrcoef(both)[0, 1].item(), abs=1e-6)
    assert advantage_reach(advantages, torch.ones(30), mask, ALONE) is None
    # With lambda 1 and a critic that knows nothing, the reward reaches every token; with .5 it does not.
    paid = torch.zeros(30, 40, dtype=torch.float64)
    paid[torch.arange(30), lengths - 1] = rewards
    values = 0.1 * torch.randn(30, 40, generator=generator, dtype=torch.float64) * mask
    reach = [
        advantage_reach(compute_gae(paid, values, mask, 1.0, lam)[0], rewards, mask, ALONE)
        for lam in (1, 0.5)
    ]
    assert reach[0] > 0.95 > 0.7 > abs(reach[1])


def paid_at_the_end(seed, n=40):
    """Responses of 1 to 33 tokens, right ones paid 1 on their last token, and a penalty on every token."""
    _, values, mask, lengths = random_batch(torch.float64, seed, n)
    generator = torch.Generator().manual_seed(seed)
    rewards = torch.randint(0, 2, (n,), generator=generator).double()
    penalty = 0.1 * torch.randn(mask.shape, generator=generator, dtype=torch.float64) * mask
    paid = -penalty
    paid[torch.arange(n), lengths - 1] += rewards
    return paid, rewards, values, mask


@pytest.mark.parametrize("gamma, lam", [(1.0, 1.0), (1.0, 0.95), (0.99, 0.9), (1.0, 0.0)])
def test_the_first_advantage_is_that_of_rewarded_responses_less_that_of_the_others(gamma, lam):
    paid, rewards, values, mask = paid_at_the_end(seed=11)
    kept = mask.clone()
    kept[[0, 3, 5]] = False  # Left out of the losses, so that they say nothing.
    first = {0.0: [], 1.0: []}
    for i, n in enumerate(mask.sum(1).tolist()):
        if kept[i, 0]:
            own = loop_gae(paid[i].tolist(), values[i].tolist(), n, gamma, lam)
            first[rewards[i].item()].append(own[0])
    expected = sum(first[1.0]) / len(first[1.0]) - sum(first[0.0]) / len(first[0.0])
    config = PPOConfig(gamma=gamma, gae_lambda=lam)  # Whitens: the metric is of what was before.
    found = estimate(config, paid, rewards, values, mask, kept, 1, ALONE).metrics["first_advantage"]
    assert found == pytest.approx(expected, abs=1e-9)
    ones = estimate(config, paid, torch.ones(40), values, mask, kept, 1, ALONE)
    assert ones.metrics["first_advantage"] is None  # One kind, though what tokens are paid differs.


@pytest.mark.parametrize("lam", [1.0, 0.95, 0.9])
def test_without_a_critic_lambda_to_the_length_reaches_the_first_token(lam):
    mask = torch.ones(6, 150, dtype=torch.bool)
    rewards = [1.2, 0.0, 0.2, 1.0, 1.2, 0.2]  # With a format term: more than two kinds.
    gains, _ = compute_gae(pay_tokens(mask, rewards).double(), torch.zeros(6, 150).double(), mask, 1.0, lam)
    found = first_advantage(gains, torch.tensor(rewards), mask, ALONE)
    assert found == pytest.approx(lam**149, rel=1e-6)
    assert first_advantage(gains, torch.full((6,), 0.2), mask, ALONE) is None
    assert first_advantage(gains, torch.tensor(rewards), torch.zeros_like(mask), ALONE) is None


def test_whitening_is_over_what_the_losses_see():
    config = PPOConfig(mask_truncated=True)
    rewards, values, mask, lengths = random_batch(torch.float64, seed=8)
    kept = mask.clone()
    kept[2] = False
    paid = rewards * mask
    found = estimate(config, paid, paid.sum(1), values, mask, kept, 1, ALONE)
    plain, _ = compute_gae(rewards, values, mask, 1.0, 1.0)
    flat = plain[kept].tolist()
    assert found.advantages[kept].tolist() == pytest.approx(whitened(flat), abs=1e-6)


@pytest.mark.parametrize(
    "ppo, word",
    [
        ({"critic_lambda": 0.5, "advantages": "rloo"}, "critic_lambda needs a critic"),
        ({"critic_lambda": 0.0, "advantages": "grpo"}, "critic_lambda needs a critic"),
        ({"adaptive_lambda": 0.05, "advantages": "grpo"}, "adaptive_lambda needs a critic"),
        ({"critic_warmup_variance": 0.5}, "set ppo.critic_warmup_steps"),
        ({"critic_warmup_steps": 1}, "fewer than n_steps"),
    ],
)
def test_what_makes_no_sense_is_refused(ppo, word):
    with pytest.raises(ValidationError, match=word):
        tiny_config(n_steps=1, ppo=ppo)


def test_a_run_of_annealing_alone_has_no_warm_up():
    alone = {"n_steps": 0, "anneal": {"n_steps": 9}, "actor": {"lr": 1e-6, "final_lr": 0.0}}
    assert tiny_config(**alone).total_steps == 9
    with pytest.raises(ValidationError, match=r"critic_warmup_steps \(5\) must be fewer than n_steps \(0\)"):
        tiny_config(**alone, ppo={"critic_warmup_steps": 5})
