"""One PPO update, top to bottom: score, estimate advantages, fit the critic, improve the policy.

Paper: arXiv 2503.24290, section 2.2. Differs from the reference code in two ways: every mean is over the
tokens of the whole global batch, so micro-batching and the number of ranks do not change the gradient; and
advantages are computed and whitened in float32.
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rewards.contracts.engine import derive_seed
from training.advantages import estimate, pay_tokens
from training.balance import TokenScores, balance
from training.batching import Responses, micro_batches, minibatches, padding_factor, put, take
from training.config import OptimConfig, TrainingConfig
from training.engines import forward_of, learning_rate, optimizer_step
from training.losses import importance_weights, kl_estimate, policy_loss, positive_lm_loss, value_loss
from training.probe import MAX_MISMATCH, OutOfSync, Probe, Recheck, recheck
from training.ranks import Ranks

logger = logging.getLogger(__name__)

Metrics = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class PolicyBatch:
    """What the policy's losses need: [n, longest response] each."""

    old_logprobs: Tensor | None
    """None when strictly on-policy: the update's own forward pass gives them."""
    reference: Tensor | None
    advantages: Tensor
    kept: Tensor
    of_right: Tensor | None


class PPO:
    """The PPO update on one step's responses of this rank.

    `actor` and `critic` are DeepSpeed engines. `critic` is None for estimators that need none; `reference`,
    the base model, is None unless a KL term is on.
    """

    def __init__(
        self,
        actor: Any,
        critic: Any | None,
        config: TrainingConfig,
        pad: int,
        ranks: Ranks,
        reference: Any | None = None,
        is_packed: bool = True,
    ) -> None:
        """`is_packed` is that of the networks' layout (`training.packed.packing.Layout`)."""
        self.actor, self.critic, self.reference = actor, critic, reference
        self.is_packed, self.has_said_factor, self.has_proven_critic = is_packed, is_packed, False
        self.config, self.ppo = config, config.ppo
        self.pad, self.ranks = pad, ranks
        self.side_stream: torch.cuda.Stream | None = None

    @property
    def engines(self) -> dict[str, Any]:
        """The trained engines by name."""
        return {"actor": self.actor} | ({} if self.critic is None else {"critic": self.critic})

    def update(
        self,
        step: int,
        responses: Responses,
        rewards: list[float],
        engine_logprobs: TokenScores,
        early_values: list[list[float]] | None = None,
        *,
        is_right: Sequence[bool] | None = None,
        is_truncated: Sequence[bool] | None = None,
        n_warmup: int = 0,
        is_warmup: bool = False,
    ) -> tuple[Metrics, dict[str, float]]:
        """Run the whole update; returns (metrics, phase times in seconds).

        Responses to one prompt are adjacent. `rewards[i]` is paid on the last token of response i.
        `engine_logprobs[i]` are the rollout engine's log-probabilities of response i, None where it was not
        probed; training.probe.OutOfSync when they are not those of the policy being trained. `early_values`
        are the critic's values by token, if they were computed during sampling. `is_right` and `is_truncated`
        tell about each response what ppo.positive_lm_coef and ppo.mask_truncated need. In the critic's
        warm-up the policy stays as it is; `n_warmup` steps of it have passed.
        """
        clock = time.perf_counter()
        self._say_factor(responses)
        known: TokenScores = [None] * len(responses) if early_values is None else [*early_values]
        nothing = [False] * len(responses)
        facts = [rewards, is_right or nothing, is_truncated or nothing]
        responses, (rewards, right, cut), (engine_logprobs, known) = balance(
            responses,
            facts,
            [engine_logprobs, known],
            self.config.rollout.samples_per_prompt,
            self.ranks,
        )
        probe = Probe(responses.mask, engine_logprobs, self.config, self.ranks)
        metrics: Metrics = {}
        old_logprobs = reference = values = None
        # Strictly on-policy, the update's own forward pass gives the old log-probabilities.
        if self.ppo.policy_minibatches > 1 or self.ppo.kl_place == "reward" and self.reference is not None:
            network = forward_of(self.actor, self.ranks)
            old_logprobs = self._no_grad(network, responses, first_output=True)
            metrics |= probe.check(step, old_logprobs, partial(self._again, responses, old_logprobs, probe))
        if self.reference is not None:
            reference = self._no_grad(self.reference, responses, first_output=True)
        if early_values is not None:
            values = torch.zeros(responses.mask.shape, device=self.ranks.device)
            flat = [value for row in known for value in row or []]
            values[responses.mask] = torch.tensor(flat, device=self.ranks.device)
        elif self.critic is not None:
            network = forward_of(self.critic, self.ranks)
            values = self._no_grad(network, responses, first_output=False)
        if values is not None:
            self._probe_critic(step, responses, values)
        kept = self._kept(responses, cut)
        penalty = None
        if reference is not None and old_logprobs is not None and self.ppo.kl_place == "reward":
            penalty = self.ppo.kl_coef * kl_estimate(old_logprobs, reference, self.ppo.kl_estimator)
        paid = pay_tokens(responses.mask, rewards, penalty)
        n_samples = self.config.rollout.samples_per_prompt
        scores = torch.tensor(rewards, device=paid.device)
        found = estimate(
            self.ppo, paid, scores, values, responses.mask, kept, n_samples, self.ranks, is_warmup
        )
        metrics |= found.metrics
        times = {"forward_s": time.perf_counter() - clock}

        clock = time.perf_counter()
        if values is not None:
            metrics |= self._update_critic(step, responses, values, found.returns, kept)
        times["critic_s"] = time.perf_counter() - clock

        clock = time.perf_counter()
        if not is_warmup:
            batch = PolicyBatch(old_logprobs, reference, found.advantages, kept, self._of_right(kept, right))
            metrics |= self._update_policy(step, n_warmup, responses, batch, probe)
        times["policy_s"] = time.perf_counter() - clock
        return metrics, times

    def _say_factor(self, responses: Responses) -> None:
        """Say once what padded rows cost."""
        if self.has_said_factor:
            return
        self.has_said_factor = True
        factor = padding_factor(responses, self.ppo.micro_batch_tokens)
        logger.warning("padded rows: this update computes %.1f times the tokens of packed ones", factor)

    def _again(self, responses: Responses, logprobs: Tensor, probe: Probe, row: int) -> Recheck:
        """A response that the engine was asked about, computed once more, when the two disagree."""
        n = len(responses.tokens[row])
        inputs = responses.inputs([row], self.pad)
        return recheck(self.actor, inputs, logprobs[row, :n], probe.engine[row, :n])

    def _probe_critic(self, step: int, responses: Responses, values: Tensor) -> None:
        """Once, when the critic has left zero: has a response the same values alone and among others?

        OutOfSync, on all ranks, when it has not.
        """
        if self.has_proven_critic or not self.config.rollout.probe_responses:
            return
        if not self.ranks.largest(float(values.any())):
            return
        self.has_proven_critic = True
        row = min(range(len(responses)), key=responses.length)
        with torch.no_grad():
            alone = self.critic(*responses.inputs([row], self.pad))  # type: ignore[misc]
        far = self.ranks.largest((alone - values[row, : len(alone)]).abs().mean().item())
        if not far <= MAX_MISMATCH[self.config.deepspeed.precision]:
            raise OutOfSync(
                f"step {step}: the critic gives a response other values alone than among others (mean "
                f'difference {far:.2g}): set training.ppo.packing = "padded"'
            )

    def values(self, prompt: list[int], tokens: list[list[int]]) -> list[list[float]]:
        """Critic values of the tokens of some responses to one prompt, as a pass over the batch would give.

        For a thread that runs while other responses are still sampled: it only reads the critic, which must
        be whole on this rank, waits for no other rank, and uses a separate CUDA stream.
        """
        assert self.critic is not None
        self.ranks.use_device()
        responses = Responses.build([prompt] * len(tokens), tokens, self.ranks.device)
        with self._aside():
            found = self._no_grad(self.critic.module, responses, first_output=False, alone=True)
            return [row[: len(own)] for row, own in zip(found.tolist(), tokens, strict=True)]

    def _aside(self) -> AbstractContextManager:
        """A context in which kernels run concurrently with those of the sampler, not queued behind them."""
        if self.ranks.device.type != "cuda":
            return nullcontext()
        self.side_stream = self.side_stream or torch.cuda.Stream(self.ranks.device)
        self.side_stream.wait_stream(torch.cuda.default_stream(self.ranks.device))
        return torch.cuda.stream(self.side_stream)

    def _no_grad(self, network: Any, responses: Responses, first_output: bool, alone: bool = False) -> Tensor:
        """Log-probabilities or values of all response tokens: [n, longest response], 0 off the mask."""
        result = torch.zeros(responses.mask.shape, device=self.ranks.device)
        rows = list(range(len(responses)))
        micro = self._micro_batches(responses, rows)
        if not alone:
            # Sharded engines gather weights in every forward pass, so all ranks must run equally many.
            micro += micro[-1:] * (self.ranks.max(len(micro)) - len(micro))
        with torch.no_grad():
            for group in micro:
                output = network(*responses.inputs(group, self.pad))
                put(result, responses.mask, group, output[0] if first_output else output)
        return result

    def _kept(self, responses: Responses, cut: Sequence[float]) -> Tensor:
        """Response tokens that enter the losses: [n, longest response], bool."""
        if not self.ppo.mask_truncated:
            return responses.mask
        return responses.mask & ~torch.tensor(cut, device=responses.mask.device).bool().unsqueeze(1)

    def _of_right(self, kept: Tensor, right: Sequence[float]) -> Tensor | None:
        """1 on the tokens of right responses: [n, longest response]; None when no loss asks for it."""
        if not self.ppo.positive_lm_coef:
            return None
        return kept * torch.tensor(right, device=kept.device).float().unsqueeze(1)

    def _update_critic(
        self, step: int, responses: Responses, old_values: Tensor, returns: Tensor, kept: Tensor
    ) -> Metrics:
        """Fit the critic over several minibatches (paper, section 2.3: 12)."""
        critic = self.critic
        assert critic is not None
        forward = forward_of(critic, self.ranks)
        seed = derive_seed(self.config.seed, "critic", step, self.ranks.rank)
        parts = minibatches(len(responses), self.ppo.critic_minibatches, seed)
        total, lr, norms = 0.0, 0.0, []
        counts = self._counts(kept, parts)
        for number, rows in enumerate(parts):

            def loss_of(group: list[int], n_tokens: Tensor = counts[number]) -> tuple[Tensor, Tensor]:
                values = forward(*responses.inputs(group, self.pad))
                old, target = take(old_values, responses.mask, group), take(returns, responses.mask, group)
                weights = take(kept, responses.mask, group) if self.ppo.mask_truncated else None
                loss = value_loss(values, old, target, self.ppo.value_clip_eps, n_tokens, weights)
                return loss, loss.unsqueeze(0)

            lr = self._rate(self.config.critic, step, number, len(parts))
            micro = self._micro_batches(responses, rows)
            norm, sums = optimizer_step(
                critic, micro, loss_of, lr, self.config.critic.max_grad_norm, self.ranks
            )
            norms.append(norm)
            total += self.ranks.sum(sums).item()
        return {
            "value_loss": total / len(parts),
            "critic_grad_norm": finite_mean(norms),
            "critic_skipped": n_skipped(norms),
            "critic_lr": lr,
        }

    def _update_policy(
        self, step: int, n_warmup: int, responses: Responses, batch: PolicyBatch, probe: Probe
    ) -> Metrics:
        """Improve the policy; with one minibatch the update is strictly on-policy (paper, section 2.3)."""
        seed = derive_seed(self.config.seed, "policy", step, self.ranks.rank)
        parts = minibatches(len(responses), self.ppo.policy_minibatches, seed)
        old_logprobs, reference = batch.old_logprobs, batch.reference
        forward = forward_of(self.actor, self.ranks)
        # Loss, clipped tokens, KL to the old policy, entropy, ratio, KL to the base model, tokens.
        totals = torch.zeros(7, dtype=torch.float64, device=self.ranks.device)
        current = torch.zeros(responses.mask.shape, device=self.ranks.device)
        lr, norms, metrics = 0.0, [], {}
        counts = self._counts(batch.kept, parts)
        counts_right = counts if batch.of_right is None else self._counts(batch.of_right, parts)
        for number, rows in enumerate(parts):

            def loss_of(
                group: list[int], n_tokens: Tensor = counts[number], n_right: Tensor = counts_right[number]
            ) -> tuple[Tensor, Tensor]:
                logprobs, entropy = forward(*responses.inputs(group, self.pad))
                put(current, responses.mask, group, logprobs.detach())
                old = logprobs.detach() if old_logprobs is None else take(old_logprobs, responses.mask, group)
                gains = take(batch.advantages, responses.mask, group)
                inside = take(batch.kept, responses.mask, group) if self.ppo.mask_truncated else 1.0
                weights, cap = None, self.ppo.max_importance_weight
                if cap is not None:
                    weights = importance_weights(old, take(probe.engine, responses.mask, group), cap)
                loss, n_clipped, moved = policy_loss(
                    logprobs,
                    old,
                    gains * inside,
                    self.ppo.clip_eps,
                    n_tokens,
                    self.ppo.clip_eps_high,
                    weights,
                )
                kl = torch.zeros_like(logprobs)
                if reference is not None:
                    base = take(reference, responses.mask, group)
                    kl = kl_estimate(logprobs, base, self.ppo.kl_estimator)
                    if self.ppo.kl_place == "loss":
                        loss = loss + self.ppo.kl_coef * (kl * inside).sum() / n_tokens
                if self.ppo.entropy_coef:
                    loss = loss - self.ppo.entropy_coef * (entropy * inside).sum() / n_tokens
                if batch.of_right is not None:
                    of_right = take(batch.of_right, responses.mask, group)
                    loss = loss + self.ppo.positive_lm_coef * positive_lm_loss(logprobs, of_right, n_right)
                ratio = (logprobs.detach() - old).exp().sum()
                n_seen = torch.tensor(logprobs.numel(), device=loss.device)
                return loss, torch.stack([loss, n_clipped, moved, entropy.sum(), ratio, kl.sum(), n_seen])

            def check_sync(number: int = number) -> None:
                if old_logprobs is None and number == 0:
                    metrics.update(
                        probe.check(step, current, partial(self._again, responses, current, probe))
                    )

            lr = self._rate(self.config.actor, step, number, len(parts), n_warmup)
            micro = self._micro_batches(responses, rows)
            max_norm = self.config.actor.max_grad_norm
            norm, sums = optimizer_step(self.actor, micro, loss_of, lr, max_norm, self.ranks, check_sync)
            norms.append(norm)
            totals += self.ranks.sum(sums)
        loss, n_clipped, moved, entropy, ratio, kl, seen = totals.tolist()
        return metrics | {
            "policy_loss": loss / len(parts),
            "clip_fraction": n_clipped / seen,
            "approx_kl": moved / seen,
            "ratio": ratio / seen,
            "entropy": entropy / seen,
            "kl_to_base": None if reference is None else kl / seen,
            "actor_grad_norm": finite_mean(norms),
            "actor_skipped": n_skipped(norms),
            "actor_lr": lr,
        }

    def _micro_batches(self, responses: Responses, rows: list[int]) -> list[list[int]]:
        return micro_batches(responses, rows, self.ppo.micro_batch_tokens, self.is_packed)

    def _rate(self, optim: OptimConfig, step: int, number: int, n_parts: int, n_warmup: int = 0) -> float:
        """Learning rate of update `number` of `n_parts` in `step`; the schedule begins after `n_warmup`."""
        n_main = (self.config.n_steps - n_warmup) * n_parts
        n_anneal = self.config.anneal.n_steps * n_parts
        return learning_rate(optim, (step - 1 - n_warmup) * n_parts + number, n_main, n_anneal)

    def _counts(self, kept: Tensor, parts: list[list[int]]) -> Tensor:
        """Tokens of each minibatch over all ranks that enter the loss; at least 1: [parts]."""
        of_rows = kept.sum(1).tolist()
        counts = [sum(of_rows[row] for row in rows) for rows in parts]
        found = self.ranks.sum(torch.tensor(counts, dtype=torch.float64, device=kept.device))
        return found.float().clamp(min=1)


def finite_mean(norms: list[float]) -> float | None:
    """Mean gradient norm of the updates that were not skipped; None when all were."""
    finite = [norm for norm in norms if math.isfinite(norm)]
    return sum(finite) / len(finite) if finite else None


def n_skipped(norms: list[float]) -> int:
    """Number of updates skipped because a gradient was not finite."""
    return sum(not math.isfinite(norm) for norm in norms)
