"""Turning point of a training run: the step at which several metrics bend upward together.

    point = find_turning_point(steps, {"reward": reward, "response_tokens": length})

Each series is modeled as a line, perhaps with an upward bend and perhaps, later, a downward one (the run
saturates); the steps of the bends are common to all series. The test is for the upward bend: the statistic
is the sum over the series of the log ratio of residual sums without and with it, a downward bend allowed on
both sides. Its p-value comes from simulated runs without an upward bend whose noise has each series'
autocorrelation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

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
    """Return the step where all series bend upward together; None when that is not significant at `alpha`.

    Needs at least 20 points. Finds nothing in flat, noisy or steadily rising curves; a downward bend, such as
    a plateau at the end, is not a turning point.
    """
    x = np.asarray(steps, dtype=np.float64)
    values = np.stack([np.asarray(series[name], dtype=np.float64) for name in series])  # [n_series, n_steps]
    if len(x) < 20 or not np.isfinite(values).all():
        return None
    search = _Search.over(x)
    residuals = search.off_line(values)
    if (residuals.std(axis=1) < 1e-12 * (1 + np.abs(values).max(axis=1))).any():
        return None
    observed, fit = search.statistic(residuals), search.best(residuals)
    design = np.stack([np.ones_like(x), x, *(np.maximum(0, x - knot) for knot in fit.knots)], axis=1)
    coefficients = np.linalg.lstsq(design, values.T, rcond=None)[0]  # [2 or more, n_series]
    if fit.up is None or (coefficients[2] <= 0).any():
        return None
    quiet = search.best(residuals, with_up=False)
    shape = search.project(residuals, quiet.indices)
    noise = residuals - search.project(residuals, fit.indices)
    simulated = search.statistic(search.off_line(shape + _draw_noise(noise, n_simulations, seed)))
    p_value = (1 + int((simulated >= observed).sum())) / (n_simulations + 1)
    if p_value > alpha:
        return None
    slopes = zip(series, coefficients[1], coefficients[1] + coefficients[2], strict=True)
    before, after = {}, {}
    for name, slope_before, slope_after in slopes:
        before[name], after[name] = float(slope_before), float(slope_after)
    return TurningPoint(fit.up, p_value, before, after)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The chosen bends: their steps, the upward one first, and their positions among the candidates."""

    up: float | None
    knots: tuple[float, ...]
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Search:
    """All candidate bends in a run, and the residual sums of every model made from them."""

    line: NDArray[np.float64]  # [n_steps, 2], orthonormal
    bends: NDArray[np.float64]  # [n_knots, n_steps], unit vectors orthogonal to lines
    knots: NDArray[np.float64]
    pairs: NDArray[np.int64]  # [n_pairs, 2], an upward bend and a later downward one

    @classmethod
    def over(cls, x: NDArray[np.float64]) -> Self:
        margin = max(5, len(x) // 10)
        places = np.unique(np.linspace(margin, len(x) - 1 - margin, 40).astype(int))
        knots = x[places]
        line = np.linalg.qr(np.stack([np.ones_like(x), x - x.mean()], axis=1))[0]
        hinges = np.maximum(0, x[None, :] - knots[:, None])
        hinges -= (hinges @ line) @ line.T
        bends = hinges / np.linalg.norm(hinges, axis=1, keepdims=True)
        up, down = np.nonzero(places[None, :] - places[:, None] >= margin)
        return cls(line, bends, knots, np.stack([up, down], axis=1))

    def off_line(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values - (values @ self.line) @ self.line.T

    def project(self, residuals: NDArray[np.float64], indices: tuple[int, ...]) -> NDArray[np.float64]:
        """The part of each series that the bends at `indices` explain."""
        if not indices:
            return np.zeros_like(residuals)
        basis = np.linalg.qr(self.bends[list(indices)].T)[0]
        return (residuals @ basis) @ basis.T

    def statistic(self, residuals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log ratio of the best fits without and with an upward bend; residuals [..., n_series, n_steps]."""
        flat, down, up, both = self._scores(residuals)
        without = np.minimum(flat, down.min(axis=-1))
        return without - np.minimum(up.min(axis=-1), both.min(axis=-1))

    def best(self, residuals: NDArray[np.float64], *, with_up: bool = True) -> _Fit:
        flat, down, up, both = self._scores(residuals)
        if not with_up:
            index = int(down.argmin())
            has_plateau = down[index] < flat
            return _Fit(None, (self.knots[index],), (index,)) if has_plateau else _Fit(None, (), ())
        if up.min() <= both.min():
            index = int(up.argmin())
            return _Fit(float(self.knots[index]), (self.knots[index],), (index,))
        pair = self.pairs[both.argmin()]
        return _Fit(float(self.knots[pair[0]]), tuple(self.knots[pair]), tuple(pair.tolist()))

    def _scores(self, residuals: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Log residual sums, added over series: with no bend, each downward one, each upward one, each pair.

        Bends of the wrong sign are set to 0. A downward bend costs the penalty of the Bayesian information
        criterion.
        """
        n_series, n_steps = residuals.shape[-2:]
        price = (n_series + 1) * np.log(n_steps) / n_steps
        total = (residuals**2).sum(axis=-1, keepdims=True)  # [..., n_series, 1]
        along = residuals @ self.bends.T  # [..., n_series, n_knots]
        rise, fall = np.maximum(0, along) ** 2, np.minimum(0, along) ** 2
        i, j = self.pairs[:, 0], self.pairs[:, 1]
        overlap = (self.bends[i] * self.bends[j]).sum(axis=1)
        first, second = along[..., i] - overlap * along[..., j], along[..., j] - overlap * along[..., i]
        joint = (along[..., i] * first + along[..., j] * second) / (1 - overlap**2)
        both = np.where((first > 0) & (second < 0), joint, np.maximum(rise[..., i], fall[..., j]))

        def score(explained: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.log(np.maximum(total - explained, 1e-12 * total)).sum(axis=-2)

        return score(np.zeros_like(total))[..., 0], score(fall) + price, score(rise), score(both) + price


def _draw_noise(noise: NDArray[np.float64], n_simulations: int, seed: int) -> NDArray[np.float64]:
    """First-order autoregressive noise like each series' own: [n_simulations, n_series, n_steps]."""
    generator = np.random.default_rng(seed)
    n_series, n_steps = noise.shape
    drawn = generator.standard_normal((n_simulations, n_series, n_steps))
    # Fitting a line and bends biases the lag toward 0; adding this back keeps the test's level in simulation.
    lags = (noise[:, 1:] * noise[:, :-1]).sum(axis=1) / (noise**2).sum(axis=1)
    lags = np.clip(lags + (6 + 10 * lags) / n_steps, 0.0, 0.98)
    drawn[..., 0] /= np.sqrt(1 - lags**2)
    for step in range(1, n_steps):
        drawn[..., step] += lags * drawn[..., step - 1]
    spread = np.sqrt((noise**2).sum(axis=1) / (n_steps - 4))
    return drawn * (spread * np.sqrt(1 - lags**2))[:, None]
