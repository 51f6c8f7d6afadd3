"""A check, at every step, that the rollout engine samples from the policy that is being trained.

When it fails, the probe says what it knows instead of guessing: whether numbers are not finite, whether the
trainer computes a response otherwise alone or through transformers' own model, whether the engine's
distribution is narrower, whether rounding can explain it; what is left are other weights.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.config import TrainingConfig
from training.ranks import Ranks

logger = logging.getLogger(__name__)

MAX_MISMATCH = {"fp32": 1e-3, "bf16": 0.1}
"""Largest mean |log-prob difference| by precision, in nats. Measured: fp32 engines agree to 1e-5; in bf16
SmolLM2-135M, whose entropy is 2.4 nats, differs by 0.03 to 0.046 on an H200 with the right weights (random
models: 0.001); stale weights are off by 0.2 or more."""
ROUNDING = {"fp32": 2e-3, "bf16": 0.2}
"""Differences beyond the limit that rounding can still explain, in nats."""
ONE_SIDED = 0.9
"""Share of the mean |difference| that its mean has when nearly all differences have one sign."""


def mismatch_limit(config: TrainingConfig) -> float:
    """The configured limit of the mean |log-prob difference|, or its precision's."""
    return config.rollout.max_mismatch or MAX_MISMATCH[config.deepspeed.precision]


class OutOfSync(RuntimeError):
    """The rollout engine's distribution is not that of the policy being trained."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """One probed response, computed again: mean |log-prob difference|, in nats."""

    alone: float
    """The trainer with the response alone, from the trainer with it among others."""
    plain: float | None
    """Transformers' own model with the trainer's weights, from the trainer; None if they are sharded."""
    plain_from_engine: float | None


def recheck(actor: Any, inputs: tuple[Tensor, Tensor, Tensor], together: Tensor, engine: Tensor) -> Recheck:
    """Compute one response again, without others and with the plain model.

    `inputs` are those of one row; `together` and `engine` are the two log-probabilities of its tokens. Every
    rank calls it, since sharded weights are gathered.
    """

    def gap(a: Tensor, b: Tensor) -> float:
        return (a - b).abs().double().mean().item()

    with torch.no_grad():
        alone = actor(*inputs)[0]
        if actor.zero_optimization_stage() == 3:
            return Recheck(gap(alone, together), None, None)
        plain = actor.module.plain_logprobs(inputs[0], inputs[2])
    return Recheck(gap(alone, together), gap(plain, alone), gap(plain, engine))


class Probe:
    """The rollout engine's log-probabilities of one step's responses on this rank, where it was probed."""

    def __init__(
        self, mask: Tensor, engine_logprobs: list[list[float] | None], config: TrainingConfig, ranks: Ranks
    ) -> None:
        self.engine = torch.full(mask.shape, float("nan"), device=mask.device)
        """[n, longest response]; NaN where the engine was not probed."""
        self.asked = torch.zeros_like(mask)
        for row, probed in enumerate(engine_logprobs):
            if probed is not None:
                self.engine[row, : len(probed)] = torch.tensor(probed, device=mask.device)
                self.asked[row, : len(probed)] = True
        self.precision = config.deepspeed.precision
        self.limit = mismatch_limit(config)
        self.action = config.rails.out_of_sync
        self.ranks = ranks

    def check(
        self, step: int, logprobs: Tensor, again: Callable[[int], Recheck] | None = None
    ) -> dict[str, float | None]:
        """Compare with the trainer's log-probabilities [n, longest response], over all ranks.

        Returns the largest and the mean |difference|, and the mismatch KL: the mean of r - 1 - log r with
        r = trainer / engine. OutOfSync, on all ranks, when the mean exceeds the limit. `again(row)` computes
        a response once more, to find the cause.
        """
        log_ratio = (logprobs - self.engine)[self.asked].double()
        gaps = log_ratio.abs()
        ours, theirs = logprobs[self.asked], self.engine[self.asked]
        sums = torch.stack(
            [
                torch.ones_like(gaps).sum(),
                gaps.sum(),
                (log_ratio.exp() - 1 - log_ratio).sum(),
                log_ratio.sum(),
                (~torch.isfinite(ours)).sum().double(),
                (~torch.isfinite(theirs)).sum().double(),
            ]
        )
        n, total, kl, signed, n_ours, n_theirs = self.ranks.sum(sums).tolist()
        largest = self.ranks.largest(gaps.max().item() if len(gaps) else 0.0)
        if n == 0:
            return {"mismatch_max": None, "mismatch_mean": None, "mismatch_kl": None}
        if not total / n <= self.limit:  # also catches NaN
            rows = self.asked.any(1).nonzero().flatten().tolist()
            found = again(rows[0] if rows else 0) if again is not None else None
            cause = self._cause(total / n, signed / n, int(n_ours), int(n_theirs), found)
            message = (
                f"step {step}: {cause}: mean |log-prob difference| {total / n:.3g} over {n:.0f} tokens "
                f"exceeds {self.limit:g} (training.rollout.max_mismatch)"
            )
            if self.action == "stop":
                raise OutOfSync(message)
            logger.warning("rail=out_of_sync action=warn %s", message)
        return {"mismatch_max": largest, "mismatch_mean": total / n, "mismatch_kl": kl / n}

    def _cause(self, mean: float, signed: float, n_ours: int, n_theirs: int, found: Recheck | None) -> str:
        """What is known about a difference, the surest first."""
        if n_ours or n_theirs:
            of = [f"the trainer's ({n_ours})"] * bool(n_ours) + [f"the engine's ({n_theirs})"] * bool(
                n_theirs
            )
            return (
                f"log-probs that are not finite, {' and '.join(of)}: weights or activations have overflowed; "
                "see the gradient norms before, and lower training.actor.lr"
            )
        if found is not None and not found.alone <= self.limit:
            return (
                "the trainer gives a response other log-probs alone than among others "
                f'({found.alone:.2g} nats): set training.ppo.packing = "padded"'
            )
        plain, from_engine = (found.plain, found.plain_from_engine) if found is not None else (None, None)
        if plain is not None and from_engine is not None and not plain <= self.limit:
            if from_engine <= self.limit:
                return (
                    f"the trainer's attention or head differs from transformers' own ({plain:.2g} nats), the "
                    "engine does not: reasoner-zero doctor --model checks it"
                )
            return (
                "trainer, engine and transformers' own model all differ "
                f"({plain:.2g} and {from_engine:.2g} nats from the last)"
            )
        if signed <= -ONE_SIDED * mean:
            return (
                "the rollout engine samples from a narrower distribution (a nucleus, top-k, another "
                "temperature or scale of the logits)"
            )
        if mean <= ROUNDING[self.precision]:
            return (
                f"rounding in {self.precision}, or other weights: raise training.rollout.max_mismatch if "
                "this model is that sharp from the first step on"
            )
        right = (
            "" if plain is None else "; transformers' own model with these weights agrees with the trainer"
        )
        return f"the rollout engine does not have the trained weights, or computes otherwise with them{right}"
