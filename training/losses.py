"""The two losses of PPO and the measures logged beside them, over flat response tokens [tokens].

Each loss is a sum divided by a token count handed in: the count of the whole minibatch over all ranks.
Gradients then do not depend on how the tokens were cut into micro-batches, packs or ranks.
"""

import torch
from torch import Tensor


def policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_eps: float, n_tokens: Tensor | int
) -> tuple[Tensor, Tensor, Tensor]:
    """Clipped surrogate loss (Schulman et al. 2017, equation 7; ORZ paper, equation 3).

    Shapes: [tokens] each. Returns the loss, and the sums over tokens of `clipped` (the clip decided the
    value) and of the KL estimate r - 1 - log r, both detached.
    """
    log_ratio = logprobs - old_logprobs
    ratio = log_ratio.exp()
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - clip_eps, 1 + clip_eps) * advantages
    loss = -torch.minimum(unclipped, clipped).sum() / n_tokens
    with torch.no_grad():
        n_clipped = (clipped < unclipped).sum()
        kl = (ratio - 1 - log_ratio).sum()
    return loss, n_clipped, kl


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, clip_eps: float, n_tokens: Tensor | int
) -> Tensor:
    """Clipped value loss 0.5 * max((V - R)^2, (V_clipped - R)^2) (ORZ paper, equation 4). Shapes:
    [tokens]."""
    clipped = old_values + (values - old_values).clamp(-clip_eps, clip_eps)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2).sum() / n_tokens


def explained_variance(sums: Tensor) -> float:
    """1 - Var(return - value) / Var(return) from the sums (n, R, R^2, e, e^2) with e = R - V; 0 if R is
    constant."""
    n, total, squares, error, error_squares = sums.tolist()
    variance = squares / n - (total / n) ** 2
    residual = error_squares / n - (error / n) ** 2
    return 1 - residual / variance if variance > 1e-12 else 0.0
