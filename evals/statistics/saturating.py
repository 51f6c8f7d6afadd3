"""Curves that end at a level, as the share of their way that is done, from a steep start to a late rise.

    done = SHAPES[0].done(steps / time)      # 0 at the first step, 1 at infinity

Five families: stretched exponentials (at 1 the plain one), Hill curves (at 1 the hyperbola), power laws,
logistic curves that start anywhere before their middle, and a quick rise before a slow one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """One curve up to its time scale, and its weight before anything is seen."""

    done: Callable[[Floats], Floats]
    prior: float

    def when(self, share: float) -> float:
        """The step, in units of the time scale, by which a share of the way is done."""
        grid = np.geomspace(1e-4, 1e6, 4000)
        return float(np.interp(share, self.done(grid), grid))


def stretched(k: float, u: Floats) -> Floats:
    """A stretched or compressed exponential.

    >>> round(float(stretched(1.0, np.array(1.0))), 4)
    0.6321
    """
    return -np.expm1(-(u**k))


def hill(k: float, u: Floats) -> Floats:
    return u**k / (1 + u**k)


def power(k: float, u: Floats) -> Floats:
    return 1 - (1 + u) ** -k


def logistic(middle: float, u: Floats) -> Floats:
    before = special.expit(-middle)
    return (special.expit(u - middle) - before) / (1 - before)


def two_speeds(k: float, quick: float, times: float, u: Floats) -> Floats:
    """The share `quick` of the way as a stretched exponential, the rest `times` as slowly."""
    return quick * stretched(k, u) - (1 - quick) * np.expm1(-u / times)


_FAMILIES: tuple[tuple[Callable[..., Floats], list[tuple[float, ...]]], ...] = (
    (stretched, [(0.5,), (0.7,), (1.0,), (1.5,), (2.0,), (3.0,)]),
    (hill, [(1.0,), (1.5,), (2.0,), (3.0,), (4.0,)]),
    (power, [(0.5,), (2.0,), (4.0,)]),
    (logistic, [(1.0,), (2.0,), (3.0,), (4.0,), (6.0,)]),
    (two_speeds, list(product((1.0, 2.0, 3.0), (0.8, 0.9, 0.95), (2.0, 4.0, 8.0)))),
)
SHAPES = tuple(Shape(partial(family, *own), 1 / len(all_)) for family, all_ in _FAMILIES for own in all_)
"""Every family has the same weight."""
