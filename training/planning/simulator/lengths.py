"""Model of response lengths: log-normal, cut off at the limit, with a mean that grows over a run.

The growth follows the paper's figure 2 (arXiv 2503.24290): the 7B model from about 700 to over 2,000 tokens,
the 32B model to about 10,000. The spread, and how alike the responses to one prompt are, are assumptions
(the constants below).
"""

from dataclasses import dataclass

import numpy as np

VARIATION = 0.8
"""Standard deviation divided by mean of one step's lengths before the cutoff (assumed)."""
KINSHIP = 0.5
"""Share of the variance of log length that is between prompts: hard ones have long responses (assumed)."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Distribution of response lengths over a run."""

    means: tuple[tuple[int, float], ...]
    """(step, mean tokens before the cutoff), in order, with linear interpolation."""
    variation: float = VARIATION
    kinship: float = KINSHIP

    def mean(self, step: float) -> float:
        """Mean length at `step`, before the cutoff."""
        steps, means = zip(*self.means, strict=True)
        return float(np.interp(step, steps, means))

    def sample(self, step: float, n_prompts: int, n_samples: int, limit: int, seed: int) -> np.ndarray:
        """Lengths of one step's responses [n_prompts, n_samples], whole tokens from 1 to `limit`."""
        generator = np.random.default_rng([seed, round(step)])
        variance = np.log1p(self.variation**2)
        location = np.log(self.mean(step)) - variance / 2
        between = generator.standard_normal((n_prompts, 1)) * np.sqrt(variance * self.kinship)
        within = generator.standard_normal((n_prompts, n_samples)) * np.sqrt(variance * (1 - self.kinship))
        return np.clip(np.exp(location + between + within).round(), 1, limit).astype(np.int64)


PAPER = {
    "Qwen/Qwen2.5-0.5B": Lengths(((0, 400), (1000, 900))),
    "Qwen/Qwen2.5-1.5B": Lengths(((0, 500), (1000, 1200))),
    "Qwen/Qwen2.5-7B": Lengths(((0, 700), (1000, 2200))),
    "Qwen/Qwen2.5-32B": Lengths(((0, 700), (1000, 10000))),
}
"""Growth by base model. 7B and 32B: the paper's figure 2; the two smaller ones are our assumptions."""


def measured(lengths: np.ndarray) -> Lengths:
    """Fit a distribution to one measured step [n_prompts, n_samples], in which few responses were cut off."""
    logs = np.log(np.maximum(lengths, 1))
    total = logs.var()
    # Part of the variance of group means comes from within the groups; subtract it.
    n_samples = lengths.shape[1]
    within = logs.var(axis=1, ddof=1).mean() if n_samples > 1 else 0.0
    between = max(0.0, float(logs.mean(axis=1).var()) - within / n_samples)
    kinship = between / total if total else 0.0
    mean = float(lengths.mean())
    return Lengths(((0, mean),), variation=float(lengths.std()) / mean, kinship=min(1.0, kinship))
