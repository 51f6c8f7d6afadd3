"""Where a training curve is heading: the level of a saturating curve, with an interval, and when it is near.

    ahead = forecast(steps, reward)          # None where the steps so far do not say

No one curve is taken as the true one: all shapes of `saturating`, at every time scale, start and level
between 0 and 1, are weighed by how well they fit (a posterior over a grid, every family the same weight
beforehand; Hoeting et al. 1999), with as many independent steps as the residuals' autocorrelation leaves.
Whatever fits about as well stays in the interval, so that a run that has not bent yet has none. A later
turning point, a collapse or a change of the settings is none of these curves: the forecast is for a run
that goes on as it did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evals.statistics.saturating import SHAPES

MIN_STEPS = 20
"""Shorter series are not looked at."""
WIDEST = 0.2
"""Silent where the 95 % interval of the level is wider."""
LEAST_GAIN = 0.05
"""Of a smaller gain it is not said when most of it is done."""
_NEAR = 0.95
_LEAST_DONE = 0.2
"""Curves that have done less of their way so far are not looked at: until there they are a line."""
_MAX_POINTS = 200
"""Longer series are reduced to the means of so many blocks."""
_MOST_INDEPENDENT = 100
"""However long the series, as no run is exactly one of the curves (coarsening, Miller and Dunson 2019)."""
_FLOOR = 0.02
"""The variance of a rate's noise at 0 and 1, relative to that at 1/2."""
_N_TIMES, _N_LEVELS, _N_DRAWS = 48, 201, 4000

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """The median and an equal-tailed interval of what has not been seen yet."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Floats, share: float = 0.95) -> "Interval":
        tail = (1 - share) / 2
        low, middle, high = np.quantile(draws, (tail, 0.5, 1 - tail), method="inverted_cdf")
        return cls(float(middle), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Forecast:
    """Curves drawn by their weight, and the noise of the steps around them."""

    first: float
    """The first step."""
    shape: NDArray[np.intp]
    time: Floats
    start: Floats
    end: Floats
    noise: float
    """Standard deviation of a step where the rate is 1/2."""
    lag: float
    """Autocorrelation of the noise from one step to the next."""

    @property
    def level(self) -> Interval:
        """The level that the run heads to."""
        return Interval.of(self.end)

    @property
    def near(self) -> Interval | None:
        """The step by which 95 % of the way to the level is done; None where the way is short."""
        if abs(float(np.median(self.end - self.start))) < LEAST_GAIN:
            return None
        when = np.array([shape.when(_NEAR) for shape in SHAPES])
        return Interval.of(self.first + self.time * when[self.shape])

    def curves(self, steps: Sequence[float]) -> Floats:
        """Values of the curves, [n_draws, n_steps], without noise."""
        t = np.asarray(steps, np.float64) - self.first
        done = np.empty((len(self.end), len(t)))
        for number, shape in enumerate(SHAPES):
            own = self.shape == number
            done[own] = shape.done(t / self.time[own, None])
        return self.start[:, None] + (self.end - self.start)[:, None] * done

    def means(self, steps: Sequence[float]) -> Floats:
        """Draws of the mean over some steps as it would be measured, noise included."""
        means: Floats = self.curves(steps).mean(1)
        spread = self.noise * np.sqrt(_relative_variance(means) / _independent(len(steps), self.lag))
        noise = np.random.default_rng(1).standard_normal(len(means))
        drawn: Floats = np.clip(means + spread * noise, 0, 1)
        return drawn


def forecast(steps: Sequence[float], values: Sequence[float]) -> Forecast | None:
    """Forecast rates; None where they are few, leave [0, 1], never move, or leave their level open."""
    t, y = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    if len(t) < MIN_STEPS or not np.isfinite(y).all() or not 0 <= y.min() < y.max() <= 1:
        return None
    found = weigh(t, y)
    _, low, high = found.level
    return found if high - low <= WIDEST else None


def weigh(t: Floats, y: Floats) -> Forecast:
    """Weigh all curves by a series [n_steps] of at least 20 rates, and draw from them."""
    n_joined = -(-len(t) // _MAX_POINTS)
    first, t, y = float(t[0]), _means_of_blocks(t - t[0], n_joined), _means_of_blocks(y, n_joined)
    shape, time, done, prior = _candidates(t)
    variance = _relative_variance(_smooth(y))
    w = (1 / variance) / (1 / variance).mean()
    # y = start * left + end * done, for every end the best start; all sums are weighted.
    left, levels = 1 - done, np.linspace(0, 1, _N_LEVELS)
    left_left, left_done, done_done = (left**2) @ w, (left * done) @ w, (done**2) @ w
    left_y, done_y = left @ (w * y), done @ (w * y)
    best_start = (left_y[:, None] - left_done[:, None] * levels) / left_left[:, None]
    start = np.clip(best_start, 0, 1)
    rss = (
        w @ y**2
        - 2 * (start * left_y[:, None] + levels * done_y[:, None])
        + start**2 * left_left[:, None]
        + 2 * start * levels * left_done[:, None]
        + levels**2 * done_done[:, None]
    )
    rss = np.maximum(rss, 1e-9)
    curve, level = np.unravel_index(int(rss.argmin()), rss.shape)
    residual = y - start[curve, level] * left[curve] - levels[level] * done[curve]
    lag = _lag(np.sqrt(w) * residual)
    n = max(5.0, 1 / (1 / _independent(len(y), lag) + 1 / _MOST_INDEPENDENT))
    scatter = rss[curve, level] / len(y) * n / (n - 3)
    # The start is normal around the best one, cut off at 0 and 1: its share of the weight is an integral.
    start_sd = np.sqrt(scatter * len(y) / n / left_left)[:, None]
    inside = special.ndtr((1 - best_start) / start_sd) - special.ndtr(-best_start / start_sd)
    weight = -n / 2 * np.log(rss) + np.log(np.maximum(start_sd * inside, 1e-300)) + np.log(prior)[:, None]
    weight = np.exp(weight - weight.max()).ravel().cumsum()
    places = (np.arange(_N_DRAWS) + 0.5) / _N_DRAWS * weight[-1]
    row, column = np.unravel_index(np.searchsorted(weight, places), rss.shape)
    scattered = start_sd[row, 0] * np.random.default_rng(0).standard_normal(_N_DRAWS)
    starts = np.clip(best_start[row, column] + scattered, 0, 1)
    noise = float(np.sqrt(scatter * (1 / variance).mean() * n_joined))
    return Forecast(first, shape[row], time[row], starts, levels[column], noise, lag)


def _candidates(t: Floats) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
    """Shape, time scale, share done at each step [n, n_steps], and weight beforehand of every curve."""
    times = np.geomspace(t[-1] / 20, 10 * t[-1], _N_TIMES)
    done = np.concatenate([shape.done(t / times[:, None]) for shape in SHAPES])
    shape = np.repeat(np.arange(len(SHAPES)), _N_TIMES)
    kept = done[:, -1] >= _LEAST_DONE
    prior = np.array([one.prior for one in SHAPES])
    return shape[kept], np.tile(times, len(SHAPES))[kept], done[kept], prior[shape[kept]]


def _means_of_blocks(x: Floats, size: int) -> Floats:
    """Means of blocks of `size`; what is left over at the start is dropped."""
    return x if size == 1 else np.asarray(x[len(x) % size :].reshape(-1, size).mean(1), np.float64)


def _smooth(y: Floats) -> Floats:
    width = max(3, len(y) // 10) | 1
    padded = np.pad(y, width // 2, mode="edge")
    return np.asarray(np.convolve(padded, np.ones(width) / width, mode="valid"), np.float64)


def _relative_variance(rate: Floats) -> Floats:
    """Variance of a rate's noise, relative to that at 1/2: a binomial's, with a floor."""
    return 4 * rate * (1 - rate) * (1 - _FLOOR) + _FLOOR


def _independent(n: int, lag: float) -> float:
    """How many independent steps `n` are worth."""
    return max(1.0, n * (1 - lag) / (1 + lag))


def _lag(residual: Floats) -> float:
    """First autocorrelation, plus what fitting takes off it (as in `turning_point`) and its error."""
    n = len(residual)
    lag = float((residual[1:] * residual[:-1]).sum() / max(1e-20, float((residual**2).sum())))
    return float(np.clip(lag + (6 + 10 * lag) / n + 1 / np.sqrt(n), 0.0, 0.9))
