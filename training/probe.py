"""A check, at every step, that the rollout engine samples from the policy that is being trained."""

import logging

import torch
from torch import Tensor

from training.config import TrainingConfig
from training.ranks import Ranks

logger = logging.getLogger(__name__)

MAX_MISMATCH = {"fp32": 1e-3, "bf16": 0.1}
"""Largest mean |log-prob difference| by precision, in nats. Measured: fp32 engines agree to 1e-5; in bf16
SmolLM2-135M, whose entropy is 2.4 nats, differs by 0.03 to 0.046 on an H200 with the right weights (random
models: 0.001); stale weights are off by 0.2 or more."""


class OutOfSync(RuntimeError):
    """The rollout engine does not have the trained weights."""


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
        self.limit = config.rollout.max_mismatch or MAX_MISMATCH[config.deepspeed.precision]
        self.action = config.rails.out_of_sync
        self.ranks = ranks

    def check(self, step: int, logprobs: Tensor) -> dict[str, float | None]:
        """Compare with the trainer's log-probabilities [n, longest response], over all ranks.

        Returns the largest and the mean |difference|, and the mismatch KL: the mean of r - 1 - log r with
        r = trainer / engine. OutOfSync, on all ranks, when the mean exceeds the limit.
        """
        log_ratio = (logprobs - self.engine)[self.asked].double()
        gaps = log_ratio.abs()
        sums = torch.stack([torch.ones_like(gaps).sum(), gaps.sum(), (log_ratio.exp() - 1 - log_ratio).sum()])
        n, total, kl = self.ranks.sum(sums).tolist()
        largest = self.ranks.largest(gaps.max().item() if len(gaps) else 0.0)
        if n == 0:
            return {"mismatch_max": None, "mismatch_mean": None, "mismatch_kl": None}
        if not total / n <= self.limit:  # also catches NaN
            message = (
                f"step {step}: the rollout engine does not have the trained weights: mean "
                f"|log-prob difference| {total / n:.3g} over {n:.0f} tokens exceeds "
                f"{self.limit:g} (training.rollout.max_mismatch)"
            )
            if self.action == "stop":
                raise OutOfSync(message)
            logger.warning("rail=out_of_sync action=warn %s", message)
        return {"mismatch_max": largest, "mismatch_mean": total / n, "mismatch_kl": kl / n}
