"""One PPO update, top to bottom: score, estimate advantages, fit the critic, improve the policy.

Paper: arXiv 2503.24290, section 2.2. Differs from the reference code in that every mean is over the tokens
of the whole global batch, so micro-batching and the number of ranks do not change the gradient, and
advantages are computed and whitened in float32.
"""

import time
from typing import Any

import torch
from torch import Tensor

from rewards.generation import derive_seed
from training.batching import Responses, micro_batches, minibatches
from training.config import TrainingConfig
from training.engines import learning_rate, optimizer_step
from training.gae import compute_gae, whiten
from training.losses import explained_variance, policy_loss, value_loss
from training.ranks import Ranks

Metrics = dict[str, float]


class PPO:
    """The update of one step's responses on this rank; `actor` and `critic` are DeepSpeed engines."""

    def __init__(self, actor: Any, critic: Any, config: TrainingConfig, pad: int, ranks: Ranks) -> None:
        self.actor, self.critic = actor, critic
        self.config, self.ppo = config, config.ppo
        self.pad, self.ranks = pad, ranks

    def update(
        self, step: int, responses: Responses, rewards: list[float], engine_logprobs: list[list[float] | None]
    ) -> tuple[Metrics, Metrics]:
        """Run the whole update; returns (metrics, phase times in seconds).

        `rewards[i]` is paid on the last token of response i. `engine_logprobs[i]` is the rollout engine's
        view of response i where it was probed; RuntimeError when it is not the policy being trained.
        """
        clock = time.perf_counter()
        old_logprobs = self._no_grad(self.actor, responses, first_output=True)
        values = self._no_grad(self.critic, responses, first_output=False)
        metrics = self._check_sync(step, responses, old_logprobs, engine_logprobs)
        advantages, returns, measured = self._advantages(responses, rewards, values)
        metrics |= measured
        times = {"forward_s": time.perf_counter() - clock}

        clock = time.perf_counter()
        metrics |= self._update_critic(step, responses, values, returns)
        times["critic_s"] = time.perf_counter() - clock

        clock = time.perf_counter()
        metrics |= self._update_policy(step, responses, old_logprobs, advantages)
        times["policy_s"] = time.perf_counter() - clock
        return metrics, times

    def _no_grad(self, engine: Any, responses: Responses, first_output: bool) -> Tensor:
        """Log-probabilities or values of all response tokens: [n, longest response], 0 off the mask."""
        result = torch.zeros(responses.mask.shape, device=self.ranks.device)
        rows = list(range(len(responses)))
        micro = micro_batches(responses, rows, self.ppo.micro_batch_tokens)
        # Sharded engines gather weights in every forward pass, so all ranks run equally many.
        micro += micro[-1:] * (self.ranks.max(len(micro)) - len(micro))
        with torch.no_grad():
            for group in micro:
                output = engine(*responses.inputs(group, self.pad))
                put(result, responses.mask, group, output[0] if first_output else output)
        return result

    def _check_sync(
        self,
        step: int,
        responses: Responses,
        logprobs: Tensor,
        engine_logprobs: list[list[float] | None],
    ) -> Metrics:
        """Compare the rollout engine's log-probabilities with the trainer's on the probed responses."""
        differences = [
            (logprobs[row, : len(probed)] - torch.tensor(probed, device=logprobs.device)).abs()
            for row, probed in enumerate(engine_logprobs)
            if probed is not None
        ]
        if not differences:
            return {"mismatch_max": 0.0, "mismatch_mean": 0.0}
        gaps = torch.cat(differences)
        largest, mean = gaps.max().item(), gaps.mean().item()
        limit = self.config.rollout.max_mismatch
        limit = limit or {"fp32": 1e-3, "bf16": 0.05}[self.config.deepspeed.precision]
        if not mean <= limit:  # also catches NaN
            raise RuntimeError(
                f"step {step}: the rollout engine does not hold the trained weights: mean "
                f"|log-prob difference| {mean:.3g} over {gaps.numel()} tokens exceeds "
                f"{limit:g} (training.rollout.max_mismatch)"
            )
        return {"mismatch_max": largest, "mismatch_mean": mean}

    def _advantages(
        self, responses: Responses, rewards: list[float], values: Tensor
    ) -> tuple[Tensor, Tensor, Metrics]:
        """Advantages (whitened over the global batch) and returns: [n, longest response] each, float32."""
        mask = responses.mask
        paid = torch.zeros_like(values)
        last = mask.sum(1) - 1
        paid[torch.arange(len(responses)), last] = torch.tensor(rewards, device=values.device)
        advantages, returns = compute_gae(paid, values, mask, self.ppo.gamma, self.ppo.gae_lambda)
        error = (returns - values)[mask].double()
        target = returns[mask].double()
        moments = torch.stack(
            [torch.ones_like(target).sum(), target.sum(), (target**2).sum(), error.sum(), (error**2).sum()]
        )
        metrics = {"explained_variance": explained_variance(self.ranks.sum(moments))}
        if self.ppo.whiten_advantages:
            flat = advantages[mask].double()
            sums = self.ranks.sum(torch.stack([torch.ones_like(flat).sum(), flat.sum()]))
            mean = sums[1] / sums[0]
            variance = self.ranks.sum(((flat - mean) ** 2).sum()) / sums[0]
            advantages = whiten(advantages, mean.float(), variance.float(), mask)
        return advantages, returns, metrics

    def _update_critic(self, step: int, responses: Responses, old_values: Tensor, returns: Tensor) -> Metrics:
        """Fit the critic first, over many minibatches (paper, section 2.3: 12)."""
        seed = derive_seed(self.config.seed, "critic", step, self.ranks.rank)
        parts = minibatches(len(responses), self.ppo.critic_minibatches, seed)
        total, norms, lr = 0.0, 0.0, 0.0
        for number, rows in enumerate(parts):
            n_tokens = self._count(responses, rows)

            def loss_of(group: list[int], n_tokens: Tensor = n_tokens) -> tuple[Tensor, Tensor]:
                values = self.critic(*responses.inputs(group, self.pad))
                old, target = take(old_values, responses.mask, group), take(returns, responses.mask, group)
                loss = value_loss(values, old, target, self.ppo.value_clip_eps, n_tokens)
                return loss, loss.unsqueeze(0)

            lr = learning_rate(self.config.critic, (step - 1) * len(parts) + number)
            micro = micro_batches(responses, rows, self.ppo.micro_batch_tokens)
            norm, sums = optimizer_step(self.critic, micro, loss_of, lr, self.ranks)
            norms, total = norms + norm, total + self.ranks.sum(sums).item()
        return {"value_loss": total / len(parts), "critic_grad_norm": norms / len(parts), "critic_lr": lr}

    def _update_policy(
        self, step: int, responses: Responses, old_logprobs: Tensor, advantages: Tensor
    ) -> Metrics:
        """Improve the policy; one minibatch is the strictly on-policy update (paper, section 2.3)."""
        seed = derive_seed(self.config.seed, "policy", step, self.ranks.rank)
        parts = minibatches(len(responses), self.ppo.policy_minibatches, seed)
        # loss, clipped tokens, KL, entropy, tokens
        totals = torch.zeros(5, dtype=torch.float64, device=self.ranks.device)
        norms, lr = 0.0, 0.0
        for number, rows in enumerate(parts):
            n_tokens = self._count(responses, rows)

            def loss_of(group: list[int], n_tokens: Tensor = n_tokens) -> tuple[Tensor, Tensor]:
                logprobs, entropy = self.actor(*responses.inputs(group, self.pad))
                old, target = (
                    take(old_logprobs, responses.mask, group),
                    take(advantages, responses.mask, group),
                )
                loss, n_clipped, kl = policy_loss(logprobs, old, target, self.ppo.clip_eps, n_tokens)
                n_seen = torch.tensor(logprobs.numel(), device=loss.device)
                return loss, torch.stack([loss, n_clipped, kl, entropy.sum(), n_seen])

            lr = learning_rate(self.config.actor, (step - 1) * len(parts) + number)
            micro = micro_batches(responses, rows, self.ppo.micro_batch_tokens)
            norm, sums = optimizer_step(self.actor, micro, loss_of, lr, self.ranks)
            norms, totals = norms + norm, totals + self.ranks.sum(sums)
        loss, n_clipped, kl, entropy, seen = totals.tolist()
        return {
            "policy_loss": loss / len(parts),
            "clip_fraction": n_clipped / seen,
            "approx_kl": kl / seen,
            "entropy": entropy / seen,
            "actor_grad_norm": norms / len(parts),
            "actor_lr": lr,
        }

    def _count(self, responses: Responses, rows: list[int]) -> Tensor:
        """Response tokens of a minibatch over all ranks."""
        return self.ranks.sum(responses.mask[rows].sum().double()).float()


def take(x: Tensor, mask: Tensor, rows: list[int]) -> Tensor:
    """Masked entries of `rows`, flat and in row order: the order in which the networks return them."""
    return x[rows][mask[rows]]


def put(x: Tensor, mask: Tensor, rows: list[int], flat: Tensor) -> None:
    """Write flat entries back to `rows`; the inverse of `take`."""
    block = torch.zeros_like(x[rows])
    block[mask[rows]] = flat
    x[rows] = block
