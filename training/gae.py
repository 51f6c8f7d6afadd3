"""Generalized advantage estimation and whitening over padded [batch, seq] tensors; a mask is 1 on tokens."""

import torch
from torch import Tensor


def discounted_suffix_sum(x: Tensor, discount: float | Tensor) -> Tensor:
    """y[:, t] = sum over k >= 0 of discount**k * x[:, t + k], without a loop over tokens.

    Doubling: after round i every position has the sum of its next 2**i terms, so log2(seq) rounds suffice.
    Shapes: [batch, seq] -> [batch, seq]; `discount` is a number, or [batch, 1].

    >>> discounted_suffix_sum(torch.tensor([[0.0, 0.0, 4.0]]), 0.5)
    tensor([[1., 2., 4.]])
    """
    result, reach, weight = x.clone(), 1, discount
    while reach < x.shape[1]:
        result[:, :-reach] += weight * result[:, reach:].clone()
        reach, weight = 2 * reach, weight * weight
    return result


def compute_gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, gae_lambda: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Advantages and returns of rows of one episode each, with no bootstrap after the last token.

    delta_t = r_t + gamma * V_{t+1} - V_t; A_t = sum_k (gamma * lambda)**k * delta_{t+k}; return = A + V
    (Schulman et al. 2016, equation 16; ORZ paper, section 2.2). With gamma = lambda = 1 the advantage is the
    sum of the rewards still to come minus the value. Shapes: all [batch, seq]. The next token of a token is
    the next one on the mask, wherever it is. Both results are 0 off the mask. `gae_lambda` is a number, or
    one for each row: [batch].
    """
    places = torch.argsort(~mask.bool(), dim=1, stable=True)  # The tokens first, in their order.
    mask = mask.to(values.dtype)
    rewards, values = (x.gather(1, places) for x in (rewards * mask, values * mask))
    is_token = mask.gather(1, places)
    next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = (rewards + gamma * next_values - values) * is_token
    discount = gamma * gae_lambda
    if isinstance(discount, Tensor):
        discount = discount.to(values.dtype).unsqueeze(1)
    advantages = discounted_suffix_sum(deltas, discount) * is_token
    returns = (advantages + values) * is_token

    def put_back(x: Tensor) -> Tensor:
        return torch.zeros_like(x).scatter(1, places, x)

    return put_back(advantages), put_back(returns)


def adaptive_lambda(n_tokens: Tensor, alpha: float) -> Tensor:
    """Lambda by response length, 1 - 1 / (alpha * length), at least 0: [batch] -> [batch].

    The weights of a response's TD errors then add up to alpha times its length (VAPO, arXiv
    2504.05118, section 4.2).

    >>> adaptive_lambda(torch.tensor([10, 200, 8000]), 0.05).tolist()
    [0.0, 0.9, 0.9975]
    """
    return (1 - 1 / (alpha * n_tokens.double())).clamp(min=0)


def whiten(x: Tensor, mean: Tensor, variance: Tensor, mask: Tensor, eps: float = 1e-8) -> Tensor:
    """Shift and scale masked entries by the mean and population variance of the whole (global) batch."""
    return (x - mean) * torch.rsqrt(variance + eps) * mask
