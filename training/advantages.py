"""Advantages without a critic, for ablations: one number per response, relative to its prompt's others."""

import torch
from torch import Tensor

from training.config import Estimator


def group_advantages(scores: Tensor, n_samples: int, estimator: Estimator) -> Tensor:
    """Compare each response with the others to its prompt; responses to one prompt are adjacent.

    grpo: (score - mean) / standard deviation of the group (Shao et al. 2024, section 4.1.2);
    rloo: score - mean of the others (Ahmadian et al. 2024, equation 5).
    Shapes: [responses] -> [responses]. A group whose scores are all equal gets 0.

    >>> group_advantages(torch.tensor([1.0, 0.0, 0.0, 0.0]), 4, "rloo").tolist()
    [1.0, -0.3333333432674408, -0.3333333432674408, -0.3333333432674408]
    """
    groups = scores.view(-1, n_samples)
    centered = groups - groups.mean(1, keepdim=True)
    if estimator == "grpo":
        return (centered / (groups.std(1, keepdim=True, correction=1) + 1e-6)).flatten()
    if estimator == "rloo":
        # r - (sum - r) / (n - 1) = (r - mean) * n / (n - 1)
        return (centered * n_samples / (n_samples - 1)).flatten()
    raise ValueError(f"{estimator} does not compare the responses of a group")


def spread(per_response: Tensor, mask: Tensor) -> Tensor:
    """Copy each response's number to its tokens: [responses], mask [responses, seq] -> [responses, seq]."""
    return per_response.unsqueeze(1) * torch.as_tensor(mask, dtype=per_response.dtype)
