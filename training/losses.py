"""The two losses of PPO and the measures logged with them, over flat response tokens [tokens].

Each loss is a sum divided by a token count that the caller passes: that of the whole minibatch on all ranks.
Gradients then do not depend on how the tokens were divided into micro-batches, packs or ranks.
"""

import torch
from torch import Tensor

from training.sections.ppo import KLEstimator


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    clip_eps: float,
    n_tokens: Tensor | int,
    clip_eps_high: float | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Clipped surrogate loss (Schulman et al. 2017, equation 7; ORZ paper, equation 3).

    `clip_eps_high` widens the clip above 1 (DAPO, Yu et al. 2025, section 3.1); `weights` scale each token's
    term. Shapes: [tokens] each. Returns the loss, the number of tokens whose term the clip decided, and the
    sum of the KL estimate r - 1 - log r; the last two are detached.
    """
    log_ratio = logprobs - old_logprobs
    ratio = log_ratio.exp()
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - clip_eps, 1 + (clip_eps_high or clip_eps)) * advantages
    gains = torch.minimum(unclipped, clipped)
    if weights is not None:
        gains = gains * weights
    loss = -gains.sum() / n_tokens
    with torch.no_grad():
        n_clipped = (clipped < unclipped).sum()
        kl = (ratio - 1 - log_ratio).sum()
    return loss, n_clipped, kl


def value_loss(
    values: Tensor,
    old_values: Tensor,
    returns: Tensor,
    clip_eps: float,
    n_tokens: Tensor | int,
    weights: Tensor | None = None,
) -> Tensor:
    """Clipped value loss 0.5 * max((V - R)^2, (V_clipped - R)^2), ORZ paper, equation 4; over [tokens].

    `weights` scale each token's term.
    """
    clipped = old_values + (values - old_values).clamp(-clip_eps, clip_eps)
    errors = torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)
    if weights is not None:
        errors = errors * weights
    return 0.5 * errors.sum() / n_tokens


def positive_lm_loss(logprobs: Tensor, is_right: Tensor, n_tokens: Tensor | int) -> Tensor:
    """Mean of -log p over the tokens of right responses (VAPO, arXiv 2504.05118, equation 10).

    Shapes: [tokens] each; `is_right` is 1 on tokens of right responses, of which the minibatch has `n_tokens`
    on all ranks.
    """
    return -(logprobs * is_right).sum() / n_tokens


def kl_estimate(logprobs: Tensor, ref_logprobs: Tensor, estimator: KLEstimator) -> Tensor:
    """Estimate KL(policy || reference) at each sampled token, in nats: [tokens] -> [tokens].

    With d = log policy - log reference (Schulman 2020, "Approximating KL divergence"): k1 = d, unbiased but
    sometimes negative; k2 = d^2 / 2, biased, but its gradient is that of the KL; k3 = exp(-d) - 1 + d,
    unbiased and never negative.

    >>> [round(kl_estimate(torch.tensor(-1.0), torch.tensor(-1.5), k).item(), 4) for k in ("k1", "k2", "k3")]
    [0.5, 0.125, 0.1065]
    """
    difference = logprobs - ref_logprobs
    if estimator == "k1":
        return difference
    if estimator == "k2":
        return 0.5 * difference**2
    return torch.exp(-difference) - 1 + difference


def importance_weights(logprobs: Tensor, engine_logprobs: Tensor, cap: float) -> Tensor:
    """Truncated importance weights for tokens sampled from a slightly different policy (Yao et al. 2025).

    min(policy / engine, cap) at each token, detached: [tokens] -> [tokens].
    """
    return torch.exp(logprobs.detach() - engine_logprobs).clamp(max=cap)


def explained_variance(sums: Tensor) -> float:
    """1 - Var(e) / Var(R) from the sums (n, R, R^2, e, e^2), where e = R - V; 0 when R is constant."""
    n, total, squares, error, error_squares = sums.tolist()
    if not n:
        return 0.0
    variance = squares / n - (total / n) ** 2
    residual = error_squares / n - (error / n) ** 2
    return 1 - residual / variance if variance > 1e-12 else 0.0
