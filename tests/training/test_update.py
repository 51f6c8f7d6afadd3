"""The whole update compared with plain loops over responses and tokens, with ORZ's semantics."""

import math

import pytest
import torch

from tests.training.conftest import tiny_config
from training.batching import Responses
from training.model import Critic, Policy, ValueHead, build_scratch
from training.ppo import PPO
from training.probe import OutOfSync, Probe, Recheck
from training.ranks import Ranks
from training.sections.model import ScratchConfig

ALONE = Ranks(0, 1, torch.device("cpu"))
SHAPE = ScratchConfig(hidden=32, n_layers=1, n_heads=1, intermediate=32, max_tokens=40)
PROMPTS = [[5, 6], [7, 8, 9], [5, 6], [4]]
TOKENS = [[3, 4, 5, 1], [9, 9], [3, 8, 8, 8, 8, 8, 8], [2]]
# The second is wrong; the third was cut off at the limit: it gets no reward and is still trained on.
REWARDS = [1.0, 0.0, 0.0, 1.0]


class PlainEngine:
    """A module with plain SGD that has the engine methods the update calls; gradients accumulate."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.rates = module, []
        self.optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
        self.optimizer.register_step_pre_hook(self.record)

    def __call__(self, *inputs):
        return self.module(*inputs)

    def zero_optimization_stage(self) -> int:
        return 0

    def set_gradient_accumulation_boundary(self, is_boundary: bool) -> None:
        self.is_boundary = is_boundary

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def record(self, optimizer: torch.optim.Optimizer, *_) -> None:
        assert self.is_boundary
        self.rates.append(optimizer.param_groups[0]["lr"])


def networks():
    """Policy and critic with sharp distributions and values away from zero, in float64."""
    model = build_scratch(SHAPE, 12, 0, 1, seed=0).eval().double()
    backbone = build_scratch(SHAPE, 12, 0, 1, seed=1).model.eval().double()
    head = ValueHead(SHAPE.hidden, torch.float64)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in [*model.parameters(), *backbone.parameters(), *head.parameters()]:
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(0.3 * noise)
    return Policy(model, 1.0, 3), Critic(backbone, head)


def settings(**ppo):
    rate = {"lr": 0.25, "warmup_steps": 0, "max_grad_norm": 1e9}
    return tiny_config(
        ppo={"critic_minibatches": 1, "policy_minibatches": 1, "micro_batch_tokens": 14} | ppo,
        actor=rate,
        critic=rate,
    )


def update(config, step=1, engine_logprobs=None):
    policy, critic = networks()
    ppo = PPO(PlainEngine(policy), PlainEngine(critic), config, 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    metrics, times = ppo.update(step, responses, REWARDS, engine_logprobs or [None] * 4)
    return ppo, metrics, times


def by_hand(gamma, gae_lambda, whitens=True):
    """Gradients, losses and entropy of the first update: loops, no padding, no micro-batches."""
    policy, critic = networks()
    rows = []
    for prompt, tokens, reward in zip(PROMPTS, TOKENS, REWARDS, strict=True):
        ids, start = torch.tensor([prompt + tokens]), len(prompt)
        logits = policy.model(input_ids=ids).logits[0]
        states = critic.backbone(input_ids=ids).last_hidden_state[0]
        values = [critic.head(states[start + t - 1]) for t in range(len(tokens))]
        logs = [torch.log_softmax(logits[start + t - 1], -1) for t in range(len(tokens))]
        old, advantages, later = [v.item() for v in values], [0.0] * len(tokens), 0.0
        for t in reversed(range(len(tokens))):
            paid = reward if t == len(tokens) - 1 else 0.0
            following = old[t + 1] if t + 1 < len(tokens) else 0.0
            later = paid + gamma * following - old[t] + gamma * gae_lambda * later
            advantages[t] = later
        rows.append((tokens, logs, values, advantages))
    flat = [a for *_, advantages in rows for a in advantages]
    n, mean = len(flat), sum(flat) / len(flat)
    deviation = math.sqrt(sum((a - mean) ** 2 for a in flat) / n)
    policy_loss = value_loss = entropy = 0.0
    for tokens, logs, values, advantages in rows:
        for token, log, value, advantage in zip(tokens, logs, values, advantages, strict=True):
            whitened = (advantage - mean) / deviation if whitens else advantage
            policy_loss = policy_loss - (log[token] - log[token].detach()).exp() * whitened / n
            value_loss = value_loss + 0.5 * (value - (advantage + value.detach())) ** 2 / n
            entropy -= (log.exp() * log).sum().item() / n
    policy_loss.backward()
    value_loss.backward()
    losses = {"policy_loss": policy_loss.item(), "value_loss": value_loss.item(), "entropy": entropy}
    return policy, critic, losses


def movement(trained, start):
    pairs = zip(trained.parameters(), start.parameters(), strict=True)
    return torch.cat([(a - b).detach().flatten() for a, b in pairs])


def slope(module):
    return torch.cat([p.grad.flatten() for p in module.parameters()])


@pytest.mark.parametrize(
    "gamma, gae_lambda, whitens", [(1.0, 1.0, True), (0.95, 0.9, True), (1.0, 1.0, False)]
)
def test_one_update_is_the_loops_gradient_step(gamma, gae_lambda, whitens):
    ppo, metrics, _ = update(settings(gamma=gamma, gae_lambda=gae_lambda, whiten_advantages=whitens))
    policy, critic, expected = by_hand(gamma, gae_lambda, whitens)
    for engine, loops, start in ((ppo.actor, policy, networks()[0]), (ppo.critic, critic, networks()[1])):
        moved, gradient = movement(engine.module, start), slope(loops)
        assert gradient.norm() > 1e-2
        assert (moved + 0.25 * gradient).norm() <= 2e-5 * 0.25 * gradient.norm()
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert metrics["actor_grad_norm"] == pytest.approx(slope(policy).norm().item(), rel=1e-4)
    assert metrics["critic_grad_norm"] == pytest.approx(slope(critic).norm().item(), rel=1e-4)
    assert metrics["clip_fraction"] == 0 and metrics["approx_kl"] == pytest.approx(0, abs=1e-9)


def test_the_value_clip_counts_from_the_values_before_the_whole_update():
    """Later minibatches see a moved critic; a narrow clip then changes their gradients, a wide one never."""
    ppo, _, _ = update(settings(critic_minibatches=4, value_clip_eps=1e-6))
    free, _, _ = update(settings(critic_minibatches=4, value_clip_eps=1e6))
    assert len(ppo.critic.rates) == 4 and len(ppo.actor.rates) == 1
    assert movement(ppo.critic.module, free.critic.module).norm() > 1e-4


@pytest.mark.parametrize("step, expected", [(1, [0.25, 0.5, 0.75, 1.0]), (2, [1.0] * 4)])
def test_the_rate_warms_up_over_optimizer_steps_and_resumes_where_it_was(step, expected):
    config = settings(critic_minibatches=4).model_copy(
        update={"critic": settings().critic.model_copy(update={"lr": 1.0, "warmup_steps": 4})}
    )
    ppo, metrics, _ = update(config, step=step)
    assert ppo.critic.rates == pytest.approx(expected)
    assert metrics["critic_lr"] == pytest.approx(expected[-1])


def test_padding_budget_does_not_change_the_update():
    whole, metrics, _ = update(settings(micro_batch_tokens=1000))
    cut, cut_metrics, _ = update(settings(micro_batch_tokens=1))
    for name in ("actor", "critic"):
        moved = movement(getattr(whole, name).module, getattr(cut, name).module)
        assert moved.norm() < 1e-6
    for name, value in metrics.items():
        expected = None if value is None else pytest.approx(value, rel=1e-5, abs=1e-7)
        assert cut_metrics[name] == expected, name


def test_the_probe_passes_its_own_policy_and_stops_another():
    policy, _ = networks()
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    with torch.no_grad():
        flat, _ = policy(*responses.inputs([0], pad=0))
    for parts in (1, 2):
        config = settings(policy_minibatches=parts)
        _, metrics, _ = update(config, engine_logprobs=[flat.tolist(), None, None, None])
        assert metrics["mismatch_max"] < 1e-6
        near = (flat + 2e-4).tolist()
        _, metrics, _ = update(config, engine_logprobs=[near, None, None, None])
        assert metrics["mismatch_mean"] == pytest.approx(2e-4, rel=1e-2)
        # r - 1 - log r is half the squared gap for small gaps.
        assert metrics["mismatch_kl"] == pytest.approx(2e-8, rel=0.05)
        for wrong in ((flat + 0.01).tolist(), [float("nan")] * 4):
            with pytest.raises(OutOfSync, match=r"step 3: .* over 4 tokens exceeds 0\.001"):
                update(config, step=3, engine_logprobs=[wrong, None, None, None])


def blamed(ours, theirs, again=None):
    """What the probe says of two lists of log-probabilities."""
    mask = torch.ones(1, len(ours), dtype=torch.bool)
    with pytest.raises(OutOfSync) as caught:
        Probe(mask, [theirs], tiny_config(), ALONE).check(3, torch.tensor([ours]), again)
    return str(caught.value)


NAN = float("nan")


@pytest.mark.parametrize(
    "ours, theirs, found, cause",
    [
        ([-1.0, NAN], [-1.0, -1.0], None, "not finite, the trainer's (1)"),
        ([-1.0, -1.0], [NAN, NAN], Recheck(9.0, 9.0, 9.0), "not finite, the engine's (2)"),
        ([-1.0, -2.0], [-2.0, -1.0], Recheck(0.5, 0.0, 0.5), 'training.ppo.packing = "padded"'),
        ([-1.0, -2.0], [-2.0, -1.0], Recheck(0.0, 0.5, 0.0), "attention or head differs"),
        ([-1.0, -2.0], [-2.0, -1.0], Recheck(0.0, 0.5, 0.4), "all differ"),
        ([-1.0, -2.0], [-0.9, -1.8], Recheck(0.0, 0.0, 0.2), "narrower distribution"),
        ([-1.0, -2.0], [-1.1, -2.2], Recheck(0.0, 0.0, 0.2), "does not have the trained weights"),
        ([-1.0, -2.0], [-2.0, -1.0], Recheck(0.0, 0.0, 0.5), "own model with these weights agrees"),
        ([-1.0, -2.0], [-2.0, -1.0], Recheck(0.0, None, None), "does not have the trained weights"),
        ([-1.0, -2.0], [-1.0015, -1.9985], None, "rounding in fp32, or other weights"),
    ],
)
def test_the_probe_says_what_it_knows(ours, theirs, found, cause):
    assert cause in blamed(ours, theirs, lambda row: found)


def test_a_head_that_the_trainer_leaves_out_is_found_by_the_models_own_forward_pass():
    """The engine has it right; the trainer's scores are spoiled as they were for scaled logits."""
    policy, _ = networks()
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    inputs = responses.inputs([0], pad=0)
    right = policy.plain_logprobs(inputs[0], inputs[2])
    assert (policy(*inputs)[0] - right).abs().max() < 1e-5
    ppo = PPO(PlainEngine(policy), PlainEngine(networks()[1]), settings(), 0, ALONE)
    forward = policy.forward
    policy.forward = lambda *rows: tuple(x * 1.5 for x in forward(*rows))
    with pytest.raises(OutOfSync, match="the trainer's attention or head differs"):
        ppo.update(1, responses, REWARDS, [right.tolist(), None, None, None])


def test_a_critic_whose_values_depend_on_the_other_rows_is_found_once_it_says_anything():
    def update_with(critic):
        ppo = PPO(PlainEngine(networks()[0]), PlainEngine(critic), settings(), 0, ALONE)
        ppo.update(4, Responses.build(PROMPTS, TOKENS, ALONE.device), REWARDS, [None] * 4)
        return ppo.has_proven_critic

    assert update_with(networks()[1])
    silent = networks()[1]
    torch.nn.init.zeros_(silent.head.weight), torch.nn.init.zeros_(silent.head.bias)
    assert not update_with(silent), "values of zero prove nothing"
    leaky, forward = networks()[1], Critic.forward
    leaky.forward = lambda ids, *masks: forward(leaky, ids, *masks) + 0.1 * len(ids)
    with pytest.raises(OutOfSync, match="step 4: the critic gives a response other values alone"):
        update_with(leaky)


def test_a_probe_that_fails_leaves_the_policy_as_it_was():
    policy, _ = networks()
    ppo = PPO(PlainEngine(policy), PlainEngine(networks()[1]), settings(), 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    with pytest.raises(OutOfSync):
        ppo.update(1, responses, REWARDS, [[0.0] * 4, None, None, None])
    assert not movement(policy, networks()[0]).any()


def test_values_made_in_parts_beforehand_are_those_of_the_whole_pass():
    """Prompt by prompt, and part by part of a prompt's responses; then the same update follows."""
    policy, critic = networks()
    ppo = PPO(PlainEngine(policy), PlainEngine(critic), settings(), 0, ALONE)
    responses = Responses.build(PROMPTS, TOKENS, ALONE.device)
    whole = ppo._no_grad(ppo.critic, responses, first_output=False)
    early: list[list[float]] = [[] for _ in TOKENS]
    for rows in ([0, 2], [1], [3]):
        values = ppo.values(PROMPTS[rows[0]], [TOKENS[row] for row in rows])
        for row, found in zip(rows, values, strict=True):
            assert found == pytest.approx(whole[row, : len(TOKENS[row])].tolist(), rel=1e-6)
            assert found != [0.0] * len(found)
            early[row] = found
    metrics, _ = ppo.update(1, responses, REWARDS, [None] * 4, early)
    _, expected, _ = update(settings())
    for name, value in expected.items():
        assert metrics[name] == (None if value is None else pytest.approx(value, rel=1e-5, abs=1e-7)), name
    other, _, _ = update(settings())
    assert movement(ppo.critic.module, other.critic.module).norm() < 1e-6


def test_without_a_probe_nothing_is_claimed():
    _, metrics, _ = update(settings())
    assert metrics["mismatch_max"] is None and metrics["mismatch_kl"] is None


def test_every_phase_is_timed():
    _, _, times = update(settings())
    assert set(times) == {"forward_s", "critic_s", "policy_s"}
