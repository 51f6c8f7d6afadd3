"""From a step's rewards to the advantages of its tokens: with a critic, or by comparing responses.

With a critic (paper, section 2.2), policy and critic may have lambdas of their own, the policy's by response
length (VC-PPO, arXiv 2503.01491; VAPO, arXiv 2504.05118).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.gae import adaptive_lambda, compute_gae, whiten
from training.losses import explained_variance
from training.ranks import Ranks
from training.sections.ppo import Estimator, PPOConfig

EARLY = 0.1
"""The part of a response, from its beginning, whose advantages `advantage_reach` looks at."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Advantages, whitened over the global batch, and the critic's targets: float32 [n, longest response]."""

    advantages: Tensor
    returns: Tensor
    metrics: dict[str, float | None]


def pay_tokens(mask: Tensor, rewards: list[float], penalty: Tensor | None = None) -> Tensor:
    """Reward of each token: the response's reward on its last token, minus `penalty` (a KL term) on all.

    Shapes: mask and penalty [n, longest response] -> the same.
    """
    paid = torch.zeros(mask.shape, device=mask.device)
    if penalty is not None:
        paid -= penalty * mask
    last = (mask * torch.arange(mask.shape[1], device=mask.device)).argmax(1)
    paid[torch.arange(len(mask)), last] += torch.tensor(rewards, device=mask.device)
    return paid


def estimate(
    ppo: PPOConfig,
    paid: Tensor,
    rewards: Tensor,
    values: Tensor | None,
    mask: Tensor,
    kept: Tensor,
    n_samples: int,
    ranks: Ranks,
    is_warmup: bool = False,
) -> Estimate:
    """Estimate advantages and the critic's targets; responses to one prompt are adjacent.

    `paid` is the reward by token, `rewards` that of the whole responses, without a KL term. `kept` is `mask`
    without the responses that are left out of the losses; whitening and the metrics are over it. In the
    critic's warm-up, its targets are whole returns (VC-PPO, section 4.1). Shapes: [n, longest response] each,
    `rewards` [n].
    """
    if ppo.advantages in ("grpo", "rloo"):
        scores = group_advantages(paid.sum(1), n_samples, ppo.advantages)
        return Estimate(spread(scores, mask), torch.zeros_like(paid), {})
    metrics: dict[str, float | None] = {}
    if values is None:  # reinforce_pp: the discounted rewards still to come, whitened below.
        advantages, returns = compute_gae(paid, torch.zeros_like(paid), mask, ppo.gamma, 1.0)
    else:
        lam: float | Tensor = ppo.gae_lambda
        if ppo.adaptive_lambda is not None:
            lam = adaptive_lambda(mask.sum(1), ppo.adaptive_lambda)
        advantages, returns = compute_gae(paid, values, mask, ppo.gamma, lam)
        target = 1.0 if is_warmup else ppo.target_lambda
        if isinstance(lam, Tensor) or target != lam:
            _, returns = compute_gae(paid, values, mask, ppo.gamma, target)
        metrics["explained_variance"] = _fit(values, returns, kept, ranks)
        metrics["advantage_reach"] = advantage_reach(advantages, rewards, kept, ranks)
        metrics["first_advantage"] = first_advantage(advantages, rewards, kept, ranks)
    if ppo.whiten_advantages:
        flat = advantages[kept].double()
        sums = ranks.sum(torch.stack([torch.ones_like(flat).sum(), flat.sum()]))
        n_tokens = sums[0].clamp(min=1)
        mean = sums[1] / n_tokens
        variance = ranks.sum(((flat - mean) ** 2).sum()) / n_tokens
        advantages = whiten(advantages, mean.float(), variance.float(), mask)
    return Estimate(advantages, returns, metrics)


def _fit(values: Tensor, returns: Tensor, kept: Tensor, ranks: Ranks) -> float:
    """How much of the returns' variance the values explain, over all ranks."""
    error, target = (returns - values)[kept].double(), returns[kept].double()
    moments = [torch.ones_like(target), target, target**2, error, error**2]
    return explained_variance(ranks.sum(torch.stack([moment.sum() for moment in moments])))


def advantage_reach(advantages: Tensor, rewards: Tensor, kept: Tensor, ranks: Ranks) -> float | None:
    """Does the reward reach the beginning of the responses? The correlation, over responses, of the reward
    with the mean advantage of the first tenth of the tokens.

    Near 1 where lambda is 1; near 0 where lambda**length is, so that the critic alone decides about early
    tokens. None when the rewards or these advantages are all equal. Shapes: [n, longest response], [n].
    """
    lengths = kept.sum(1)
    places = torch.arange(kept.shape[1], device=kept.device)
    early = kept & (places < (EARLY * lengths).ceil().unsqueeze(1))
    used = lengths > 0
    mean = ((advantages * early).double().sum(1) / early.sum(1).clamp(min=1))[used]
    spread_r, spread_a, shared = _moments(rewards.double()[used], mean, ranks)
    return shared / (spread_r * spread_a) ** 0.5 if spread_r * spread_a > 1e-18 else None


def first_advantage(advantages: Tensor, rewards: Tensor, kept: Tensor, ranks: Ranks) -> float | None:
    """How much of the reward reaches the first token of a response: of a unit of it, the part that is in the
    token's advantage (before whitening).

    The slope of a line of the first advantage against the reward, over responses; with rewards of 0 and 1,
    the mean first advantage of rewarded responses less that of the others. With lambda and gamma 1, it is 1
    less what the critic foresees before the token. With a smaller lambda, lambda**(length - 1) takes the
    place of the 1, and what the critic foresees after it is added. None when the rewards are all equal.
    Shapes: [n, longest response], [n].
    """
    used = kept.any(1)
    first = advantages.gather(1, kept.int().argmax(1, keepdim=True)).squeeze(1)
    spread_r, _, shared = _moments(rewards.double()[used], first.double()[used], ranks)
    return shared / spread_r if spread_r > 1e-12 else None


def _moments(x: Tensor, y: Tensor, ranks: Ranks) -> list[float]:
    """Variances of x and y and their covariance, over all ranks; 0 of no values. Shapes: [n], float64."""
    sums = ranks.sum(torch.stack([torch.ones_like(x).sum(), x.sum(), y.sum()]))
    n = sums[0].clamp(min=1)
    x, y = x - sums[1] / n, y - sums[2] / n
    return (ranks.sum(torch.stack([(x * x).sum(), (y * y).sum(), (x * y).sum()])) / n).tolist()


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
