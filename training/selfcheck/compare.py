"""The trainer's numbers against those of transformers' own model, one row at a time."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from training.batching import Responses
from training.model import Critic, Policy, ValueHead, recompute_activations
from training.packed.packing import Layout

EXACT_NATS, EXACT_GRADIENT = 1e-5, 1e-4
"""Largest mean difference of log-probabilities and values, and of gradients relative to their norm, that is
rounding. The toys' weights are sharp: right ones differ by 1e-6 at most, wrong ones by 1e-2 at least."""
MOST_AMPLIFIED = 1e-3
CHUNK = 16

Scores = Callable[[], Tensor]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a layout is from the plain model."""

    logprobs: float
    values: float
    gradients: float
    """Of policy and critic, relative; the larger one."""

    rounding: float = 0.0
    """How far log-probabilities move when each weight is changed by what float32 leaves out."""

    @property
    def is_exact(self) -> bool:
        # Deep models with sharp weights amplify rounding. Written so that NaN is not exact.
        most = max(1.0, min(MOST_AMPLIFIED, 10 * self.rounding) / EXACT_NATS)
        return (
            max(self.logprobs, self.values) <= EXACT_NATS * most and self.gradients <= EXACT_GRADIENT * most
        )

    def __str__(self) -> str:
        return f"log-probs {self.logprobs:.0e} nats, values {self.values:.0e}, gradients {self.gradients:.0e}"


def rows(n_tokens: int, seed: int = 0) -> Responses:
    """Responses to three prompts, the first of which two rows share; lengths from 8 to 40 tokens."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> list[int]:
        return torch.randint(2, n_tokens, (n,), generator=generator).tolist()

    first = draw(5)
    prompts = [first, first, draw(3), draw(21)]
    answers = [draw(n) for n in (16, 3, 11, 19)]
    return Responses.build(prompts, answers, torch.device("cpu"))


class Reference:
    """What transformers' own model gives for some rows: log-probabilities, values, and their gradients."""

    def __init__(self, model: Any, backbone: Any, batch: Responses) -> None:
        """`model` and `backbone` compute attention eagerly, and stay as they are."""
        self.model, self.backbone, self.batch = model, backbone, batch
        width = backbone(input_ids=torch.tensor([[2, 3]]), use_cache=False).last_hidden_state.shape[-1]
        self.head = ValueHead(width, torch.float32)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(2)
            self.head.weight.normal_(std=width**-0.5)
        self.logprobs, self.policy_gradient = with_gradient(model, self._logprobs, batch)
        critic = nn.ModuleList([backbone, self.head])
        self.values, self.critic_gradient = with_gradient(critic, self._values, batch)

    def gap(self, layout: Layout, recomputes: bool = False) -> Gap:
        """Compare a policy and a critic of `layout`; raises whatever the model's classes raise."""
        policy, critic = self.networks(layout)
        if recomputes:
            recompute_activations(policy.model)
            recompute_activations(critic.backbone)
        inputs = self.batch.inputs(list(range(len(self.batch))), pad=0)
        logprobs, by_policy = with_gradient(policy.model, lambda: policy(*inputs)[0], self.batch)
        values, by_critic = with_gradient(
            nn.ModuleList([critic.backbone, critic.head]), lambda: critic(*inputs), self.batch
        )
        return Gap(
            (logprobs - self.logprobs).abs().mean().item(),
            (values - self.values).abs().mean().item(),
            max(
                relative(by_policy, self.policy_gradient),
                relative(by_critic, self.critic_gradient),
            ),
            self.rounding,
        )

    @cached_property
    def rounding(self) -> float:
        generator = torch.Generator().manual_seed(0)
        nudged, kept = copy.deepcopy(self.model), self.model
        with torch.no_grad():
            for parameter in nudged.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.mul_(1 + noise * torch.finfo(torch.float32).eps)
            self.model = nudged
            try:
                return (self._logprobs() - self.logprobs).abs().mean().item()
            finally:
                self.model = kept

    def networks(self, layout: Layout) -> tuple[Policy, Critic]:
        """Copies of the models, as the trainer wraps them."""
        policy = Policy(copy.deepcopy(self.model), 1.0, CHUNK, layout)
        return policy, Critic(copy.deepcopy(self.backbone), copy.deepcopy(self.head), layout)

    def _logprobs(self) -> Tensor:
        found = []
        for ids, start in self._whole_rows():
            logits = self.model(input_ids=ids, use_cache=False).logits[0, start - 1 : -1].float()
            found.append(torch.log_softmax(logits, -1).gather(-1, ids[0, start:, None])[:, 0])
        return torch.cat(found)

    def _values(self) -> Tensor:
        found = []
        for ids, start in self._whole_rows():
            states = self.backbone(input_ids=ids, use_cache=False).last_hidden_state[0]
            found.append(self.head(states[start - 1 : -1]))
        return torch.cat(found)

    def _whole_rows(self) -> list[tuple[Tensor, int]]:
        """Each row's tokens, unpadded, and where its response begins."""
        pairs = zip(self.batch.prompts, self.batch.tokens, strict=True)
        return [(torch.tensor([prompt + answer]), len(prompt)) for prompt, answer in pairs]


def with_gradient(module: nn.Module, scores: Scores, batch: Responses) -> tuple[Tensor, list[Tensor]]:
    """Scores of all response tokens, and the gradient of a weighted sum of them by parameter."""
    module.zero_grad()
    found = scores()
    (found * torch.linspace(-1, 1, int(batch.mask.sum()))).sum().backward()
    gradients = [torch.zeros(()) if p.grad is None else p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    return found.detach(), gradients


def relative(found: list[Tensor], expected: list[Tensor]) -> float:
    """Norm of the difference of two gradients, relative to that of the second."""
    pairs = zip(found, expected, strict=True)
    difference = sum((a.double() - b.double()).square().sum() for a, b in pairs)
    return float((difference / sum(b.double().square().sum() for b in expected)) ** 0.5)
