"""Find where a training run accelerates: the step at which several metrics bend upwards together.

    point = find_turning_point(steps, {"reward": reward, "response_tokens": length})

Each series is a line plus, perhaps, a second slope from one common step on. The statistic is the sum over
the series of log(residual variance without bend / with bend), taken at the best step, counting only upward
bends; its p-value comes from simulated runs without a bend whose noise has each series' own autocorrelation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TurningPoint:
    step: float
    p_value: float
    slope_before: dict[str, float]
    """Per series, change per step before the turning point."""
    slope_after: dict[str, float]


def find_turning_point(
    steps: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    alpha: float = 0.01,
    n_simulations: int = 999,
    seed: int = 0,
) -> TurningPoint | None:
    """Return the step where all series bend upwards together; None when that is not significant at `alpha`.

    Needs at least 20 points. Silent on flat, noisy or steadily rising curves; a bend downwards, such as a
    plateau at the end, is no turning point.
    """
    x = np.asarray(steps, dtype=np.float64)
    values = np.stack([np.asarray(series[name], dtype=np.float64) for name in series])  # [n_series, n_steps]
    if len(x) < 20 or not np.isfinite(values).all():
        return None
    bends, knots = _bends(x)
    line = np.linalg.qr(np.stack([np.ones_like(x), x - x.mean()], axis=1))[0]  # [n_steps, 2]
    residuals = values - (values @ line) @ line.T
    if (residuals.std(axis=1) < 1e-12 * (1 + np.abs(values).max(axis=1))).any():
        return None
    gains = _gains(residuals, bends)
    best = int(gains.sum(axis=0).argmax())
    if (gains[:, best] <= 0).any():
        return None
    observed = gains[:, best].sum()
    noise = residuals - (residuals @ bends[best])[:, None] * bends[best]
    simulated = _simulate(noise, line, bends, n_simulations, seed)
    p_value = (1 + int((simulated >= observed).sum())) / (n_simulations + 1)
    if p_value > alpha:
        return None
    design = np.stack([np.ones_like(x), x, np.maximum(0, x - knots[best])], axis=1)
    slopes = np.linalg.lstsq(design, values.T, rcond=None)[0]  # [3, n_series]
    before = {name: float(slopes[1, i]) for i, name in enumerate(series)}
    after = {name: float(slopes[1, i] + slopes[2, i]) for i, name in enumerate(series)}
    return TurningPoint(float(knots[best]), p_value, before, after)


def _bends(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors [n_knots, n_steps] of a bend at each candidate step, orthogonal to lines; the steps."""
    margin = max(5, len(x) // 10)
    knots = x[margin:-margin]
    hinges = np.maximum(0, x[None, :] - knots[:, None])
    line = np.linalg.qr(np.stack([np.ones_like(x), x - x.mean()], axis=1))[0]
    hinges -= (hinges @ line) @ line.T
    return hinges / np.linalg.norm(hinges, axis=1, keepdims=True), knots


def _gains(residuals: NDArray[np.float64], bends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log ratio of residual variance without and with an upward bend [..., n_knots]; downward counts as 0."""
    along = np.maximum(0, residuals @ bends.T)
    total = (residuals**2).sum(axis=-1, keepdims=True)
    return -np.log1p(-np.minimum(along**2 / total, 1 - 1e-12))


def _simulate(
    noise: NDArray[np.float64],
    line: NDArray[np.float64],
    bends: NDArray[np.float64],
    n_simulations: int,
    seed: int,
) -> NDArray[np.float64]:
    """Draw the statistic for runs without a bend: first-order autoregressive noise around a line."""
    generator = np.random.default_rng(seed)
    n_steps = noise.shape[1]
    total = np.zeros((n_simulations, len(bends)))
    for row in noise:
        lag = float(row[1:] @ row[:-1] / (row @ row))
        # The estimate is biased towards 0 by about (1 + 3 lag) / n, more once a line and a bend are fitted.
        lag = min(0.98, max(0.0, lag + (3 + 5 * lag) / n_steps))
        shocks = generator.standard_normal((n_simulations, n_steps))
        shocks[:, 0] /= np.sqrt(1 - lag**2)
        for step in range(1, n_steps):
            shocks[:, step] += lag * shocks[:, step - 1]
        drawn = shocks - (shocks @ line) @ line.T
        total += _gains(drawn, bends)
    return total.max(axis=1)
