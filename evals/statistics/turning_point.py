"""Turning point of a training run: the step at which each of several metrics, by itself, bends upward.

    bends = find_bends(steps, {"reward": reward, "response_tokens": length})     # a verdict for each series
    point = turning_point(bends)                                                 # where they bend together

A series without a turning point is a concave curve: a line, a rise that saturates, a plateau, a square root.
The alternative adds one upward bend. The statistic is the log ratio of the residual sums of the best curve of
either kind; its p-value comes from simulated runs along the concave curve, whose noise has the series' own
autocorrelation, or is a random walk where the series could be one. A recovery is no acceleration: at least
half of the rise after the bend has to be above all that came before. Series bend together when each of them
bends at the stated level and one step lies in the intervals of all.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import nnls

SERIES = ("reward", "response_tokens", "reflection_rate")
"""What bends up together in the paper (section 3.2 and figure 1)."""
MIN_STEPS = 20
"""Shorter series are not looked at."""
_UNIT_ROOT = 0.9
"""From this lag on, noise is simulated as a random walk."""
_STOP_AFTER = 10
"""A simulation ends after so many runs as extreme as the observed one (Besag and Clifford 1991)."""
_CHI2_99 = 6.63
_MAX_APART = 0.2
"""Bends further apart than this share of the run are not one turning point."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bend:
    """An upward bend of one series."""

    step: float
    low: float
    high: float
    """The steps that fit about as well (99 %)."""
    p_value: float
    slope_before: float
    slope_after: float
    """Change per step just before and just after the bend."""
    is_first: bool = False
    """The bend is at the first step that is tried: it came there or earlier."""

    @property
    def place(self) -> str:
        """`at step 680`, or `by step 100` where the bend is at the first step tried."""
        return f"{'by' if self.is_first else 'at'} step {self.step:.0f}"


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """A step at which several series bend upward, each by itself."""

    step: float
    bends: dict[str, Bend]

    @property
    def p_value(self) -> float:
        """The largest p-value of the series."""
        return max(bend.p_value for bend in self.bends.values())

    @property
    def place(self) -> str:
        """As of a bend.

        >>> TurningPoint(680.0, {"reward": Bend(680.0, 660.0, 700.0, 0.002, 0.0, 0.1)}).place
        'at step 680'
        """
        is_first = any(bend.is_first for bend in self.bends.values())
        return f"{'by' if is_first else 'at'} step {self.step:.0f}"


def find_turning_point(
    steps: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    alpha: float = 0.01,
    n_simulations: int = 499,
    seed: int = 0,
) -> TurningPoint | None:
    """Return the step where all series bend upward together, each significantly at `alpha`; or None."""
    return turning_point(find_bends(steps, series, alpha=alpha, n_simulations=n_simulations, seed=seed))


def find_bends(
    steps: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    alpha: float = 0.01,
    n_simulations: int = 499,
    seed: int = 0,
) -> dict[str, Bend | None]:
    """Return the upward bend of each series; None where it has none that is significant at `alpha`.

    Needs at least 20 points. ValueError when `n_simulations` are too few for `alpha`.
    """
    if (n_simulations + 1) * alpha < 1:
        raise ValueError(f"{n_simulations} simulations cannot show p <= {alpha}: take more")
    x = np.asarray(steps, dtype=np.float64)
    if len(x) < MIN_STEPS:
        return dict.fromkeys(series)
    search = _Search.over(x)
    bends: dict[str, Bend | None] = {}
    for number, (name, values) in enumerate(series.items()):
        y = np.asarray(values, dtype=np.float64)
        bends[name] = _find_bend(search, y, alpha, n_simulations, seed + number)
    return bends


def run_bends(metrics: pl.DataFrame | None) -> dict[str, Bend | None]:
    """The bends of a training run's steps (METRIC), by SERIES.

    The reflection rate counts only in runs that reflect at all; a run that is too short has no series.
    """
    if metrics is None or metrics.height < MIN_STEPS:
        return {}
    *names, rate = SERIES
    if rate in metrics.columns and not metrics[rate].null_count() and metrics[rate].sum() > 0:
        names.append(rate)
    return find_bends(metrics["step"].to_list(), {name: metrics[name].to_list() for name in names})


def turning_point(bends: Mapping[str, Bend | None], needed: Collection[str] = ()) -> TurningPoint | None:
    """Return the common step of the bends, when every series has one and one step lies in all intervals.

    Every series has to rise after its bend: one that only stops falling has no turning point. Without a
    series of `needed` there is none either.
    """
    found = {name: bend for name, bend in bends.items() if bend is not None and bend.slope_after > 0}
    if not found or len(found) < len(bends) or not bends.keys() >= {*needed}:
        return None
    low, high = max(bend.low for bend in found.values()), min(bend.high for bend in found.values())
    if low > high:
        return None
    step = float(np.median([bend.step for bend in found.values()]))
    return TurningPoint(min(max(step, low), high), found)


@dataclass(frozen=True, slots=True)
class _Search:
    """The steps, the concave curves over them, and the candidates for the upward bend.

    A concave curve is a line minus hinges with weights of at least 0 (nnls). All hinges are orthogonal to
    lines and written in one small orthonormal basis, in which every fit is made.
    """

    x: Floats
    line: Floats  # [n_steps, 2], orthonormal
    basis: Floats  # [n_steps, n_basis], orthonormal, orthogonal to lines
    falls: Floats  # [n_basis, n_falls], the hinges of concave curves, downward
    rises: Floats  # [n_basis, n_knots], the upward hinges
    knots: Floats  # [n_knots], steps
    apart: NDArray[np.bool_]  # [n_knots, n_falls], the falls outside a rise's margin

    @classmethod
    def over(cls, x: Floats) -> Self:
        n = len(x)
        margin = max(5, n // 10)
        places = np.unique(np.linspace(margin, n - 1 - margin, 25).astype(int))
        early = np.unique(np.geomspace(1, max(2, n // 5), 8).astype(int))
        bends = np.unique(np.concatenate([early, places[::2], [n - 1 - margin // 2]]))
        line = np.linalg.qr(np.stack([np.ones(n), x - x.mean()], axis=1))[0]
        falls, rises = -_hinges(x, x[bends], line), _hinges(x, x[places], line)
        basis, sizes, _ = np.linalg.svd(np.concatenate([falls, rises], axis=1), full_matrices=False)
        basis = basis[:, sizes > 1e-9 * sizes[0]]
        apart = np.abs(places[:, None] - bends[None, :]) >= margin
        return cls(x, line, basis, basis.T @ falls, basis.T @ rises, x[places], apart)

    def reduce(self, y: Floats) -> tuple[Floats, float]:
        """A series in the basis, and the sum of squares that no curve explains."""
        off_line = y - self.line @ (self.line.T @ y)
        inside = self.basis.T @ off_line
        return inside, max(0.0, float(off_line @ off_line - inside @ inside))

    def concave(self, inside: Floats) -> tuple[Floats, float]:
        """Weights of the best concave curve, and its residual sum within the basis."""
        weights, norm = nnls(self.falls, inside)
        return weights, float(norm) ** 2

    def bent(self, inside: Floats) -> tuple[Floats, Floats]:
        """For each candidate: weights [n_knots, n_falls + 1], the rise last, and the residual sum."""
        weights = np.zeros((len(self.knots), self.falls.shape[1] + 1))
        sums = np.zeros(len(self.knots))
        for index, apart in enumerate(self.apart):
            design = np.column_stack([self.falls[:, apart], self.rises[:, index]])
            weights[index, [*apart, True]], norm = nnls(design, inside)
            sums[index] = norm**2
        return weights, sums

    def statistic(self, y: Floats) -> float:
        """Log ratio of residual sums, without and with the best upward bend."""
        inside, rest = self.reduce(y)
        without = self.concave(inside)[1]
        return float(np.log((without + rest) / (self.bent(inside)[1].min() + rest)))


def _hinges(x: Floats, knots: Floats, line: Floats) -> Floats:
    """Unit hinges orthogonal to lines: [n_steps, n_knots]."""
    hinges = np.maximum(0, x[:, None] - knots[None, :])
    hinges -= line @ (line.T @ hinges)
    return hinges / np.linalg.norm(hinges, axis=0)


def _find_bend(search: _Search, y: Floats, alpha: float, n_simulations: int, seed: int) -> Bend | None:
    if not np.isfinite(y).all() or np.ptp(y) < 1e-12 * (1 + np.abs(y).max()):
        return None
    inside, rest = search.reduce(y)
    weights, without = search.concave(inside)
    bent, sums = search.bent(inside)
    best = int(sums.argmin())
    if rest + sums[best] < 1e-18 * float(y @ y) or bent[best, -1] <= 0:
        return None
    trend = search.line @ (search.line.T @ y)
    curve = trend + search.basis @ (search.falls @ bent[best, :-1] + search.rises[:, best] * bent[best, -1])
    if not _is_new_ground(search.x, curve, search.knots[best]):
        return None
    noise = _Noise.of(y - curve, n_lost=3 + int((bent[best] > 0).sum()))
    observed = float(np.log((without + rest) / (sums[best] + rest)))
    null = trend + search.basis @ (search.falls @ weights)
    p_value = _p_value(search, null, noise, observed, alpha, n_simulations, seed)
    if p_value > alpha:
        return None
    place = int(np.searchsorted(search.x, search.knots[best]))
    slopes = np.diff(curve) / np.diff(search.x)
    low, high = _interval(search, sums + rest, best, noise.lag)
    return Bend(
        float(search.knots[best]),
        low,
        high,
        p_value,
        float(slopes[place - 1]),
        float(slopes[place]),
        best == 0,
    )


def _is_new_ground(x: Floats, curve: Floats, knot: float) -> bool:
    """At least half of the rise after the bend is above all that came before it."""
    before, after = curve[x <= knot], curve[x > knot]
    rise = after.max() - before[-1]
    return bool(rise > 0 and after.max() - before.max() >= 0.5 * rise)


def _interval(search: _Search, sums: Floats, best: int, lag: float) -> tuple[float, float]:
    """Steps whose fit is within the 99 % limit of the likelihood ratio, for as many independent points as the
    lag leaves; at least one candidate to each side, at most `_MAX_APART` of the run in all."""
    n_independent = len(search.x) * (1 - lag) / (1 + lag)
    inside = np.flatnonzero(max(n_independent, 1.0) * np.log(sums / sums[best]) <= _CHI2_99)
    first, last = min(inside[0], max(0, best - 1)), max(inside[-1], min(len(sums) - 1, best + 1))
    reach = _MAX_APART / 2 * (search.x[-1] - search.x[0])
    step = search.knots[best]
    return float(max(search.knots[first], step - reach)), float(min(search.knots[last], step + reach))


@dataclass(frozen=True, slots=True)
class _Noise:
    """First-order autoregressive noise: its lag, and the standard deviation of its shocks."""

    lag: float
    shock: float
    spread: float

    @classmethod
    def of(cls, residuals: Floats, n_lost: int) -> Self:
        n = len(residuals)
        lag = float((residuals[1:] * residuals[:-1]).sum() / (residuals**2).sum())
        # Fitting a curve biases the lag toward 0; adding this back keeps the test's level in simulation.
        lag = float(np.clip(lag + (6 + 10 * lag) / n, 0.0, 1.0))
        spread = float(np.sqrt((residuals**2).sum() / max(1, n - n_lost)))
        if lag >= _UNIT_ROOT:
            return cls(1.0, float(np.sqrt((np.diff(residuals) ** 2).mean())), spread)
        return cls(lag, spread * float(np.sqrt(1 - lag**2)), spread)

    def draw(self, n: int, generator: np.random.Generator) -> Floats:
        shocks = generator.standard_normal(n) * self.shock
        if self.lag == 1.0:
            return shocks.cumsum()
        shocks[0] = generator.standard_normal() * self.spread
        for step in range(1, n):
            shocks[step] += self.lag * shocks[step - 1]
        return shocks


def _p_value(
    search: _Search, null: Floats, noise: _Noise, observed: float, alpha: float, n_simulations: int, seed: int
) -> float:
    """Share of simulated runs along `null` that are as extreme; ends early when clearly above alpha."""
    generator = np.random.default_rng(seed)
    n_extreme = 0
    enough = max(_STOP_AFTER, int(2 * alpha * n_simulations))
    for drawn in range(1, n_simulations + 1):
        n_extreme += search.statistic(null + noise.draw(len(null), generator)) >= observed
        if n_extreme >= enough:
            return n_extreme / drawn
    return (1 + n_extreme) / (n_simulations + 1)
