"""pass@k and maj@k from n samples: exact expectations over which k of the n are drawn.

Answers vote as equivalence classes: all responses that the verifier accepts form one class, however they are
written.
"""

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

_NEGLIGIBLE = 1e-17
"""Numbers of right votes that are less likely than this are left out."""


def pass_at_k(n: int, n_correct: int, k: int) -> float:
    """Probability that k samples drawn from n without replacement include a correct one (Chen et al. 2021).

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must be in 1 ... {n} (the samples per question), got {k}")
    return 1.0 - comb(n - n_correct, k) / comb(n, k)


def maj_at_k(n_correct: int, wrong: tuple[int, ...], n_silent: int, k: int) -> float:
    """Probability that the vote of k samples drawn without replacement is right; ties are broken at random.

    `wrong` are the sizes of the wrong answer classes, `n_silent` the responses without an answer, which do
    not vote. Sums over the number of right votes; the wrong classes enter as polynomials whose coefficient of
    x^i is the chance to draw i votes.

    >>> maj_at_k(2, (1,), 0, 3), maj_at_k(1, (1,), 0, 2)
    (1.0, 0.5)
    """
    n = n_correct + sum(wrong) + n_silent
    if not 1 <= k <= n:
        raise ValueError(f"k must be in 1 ... {n} (the samples per question), got {k}")
    return _maj_at_k(n_correct, tuple(sorted(wrong)), n_silent, k)


@lru_cache(maxsize=65536)
def _maj_at_k(n_correct: int, wrong: tuple[int, ...], n_silent: int, k: int) -> float:
    n = n_correct + sum(wrong) + n_silent
    if k == n:
        n_best = sum(size == n_correct for size in wrong)
        return 1.0 / (1 + n_best) if n_correct and n_correct >= max(wrong, default=0) else 0.0
    odds = k / (n - k)
    right, rest, whole = _binomial(n_correct, odds), _binomial(n - n_correct, odds), _binomial(n, odds)[k]
    total = 0.0
    for n_right in range(max(1, k - len(rest) + 1), min(n_correct, k) + 1):
        n_left = k - n_right
        if right[n_right] * rest[n_left] < _NEGLIGIBLE * whole:
            continue
        large = tuple(size for size in wrong if size >= n_right)
        # Classes that cannot beat or tie n_right votes are, together, like responses without an answer.
        small = np.zeros(n_left + 1)
        others = _binomial(n - n_correct - sum(large), odds)[: n_left + 1]
        small[: len(others)] = others
        ways = _ways_with_ties(large, n_right, n_left, odds)  # [n_left + 1, n_ties + 1]
        drawn = small[::-1] @ ways
        total += right[n_right] * float((drawn / (1 + np.arange(len(drawn)))).sum())
    return float(total / whole)


def _ways_with_ties(sizes: tuple[int, ...], most: int, n_left: int, odds: float) -> NDArray[np.float64]:
    """Chances to draw i votes from wrong classes, none above `most`, t classes exactly at `most`: [i, t]."""
    n_ties = min(n_left // most, len(sizes))
    ways = np.zeros((n_left + 1, n_ties + 1))
    ways[0, 0] = 1.0
    if most == 1:  # each class is silent or ties: as many votes as ties
        line = ways[: n_ties + 1, 0].copy()
        for size in sizes:
            chances = _binomial(size, odds)
            line[1:] = chances[0] * line[1:] + chances[1] * line[:-1]
            line[0] *= chances[0]
        np.fill_diagonal(ways, line)
        return ways
    for size in sizes:
        grown = np.zeros_like(ways)
        for votes, chance in enumerate(_binomial(size, odds)[: min(most, n_left) + 1]):
            moved = chance * ways[: n_left + 1 - votes]
            if votes == most:
                grown[votes:, 1:] += moved[:, :-1]
            else:
                grown[votes:] += moved
        ways = grown
    return ways


@lru_cache(maxsize=4096)
def _binomial(n: int, odds: float) -> NDArray[np.float64]:
    """Chances of 0 ... n successes in n trials with these odds.

    Drawing k of N without replacement is drawing each with odds k / (N - k), given that k were drawn: chances
    stay in range where binomial coefficients do not. From the mode outward, so that only tails become 0.
    """
    i = np.arange(n + 1)
    mode = min(n, int((n + 1) * odds / (1 + odds)))
    up = np.cumprod((n - i[mode:-1]) / (i[mode:-1] + 1) * odds)
    down = np.cumprod((i[mode:0:-1] / (n - i[mode:0:-1] + 1)) / odds)
    chances = np.concatenate([down[::-1], [1.0], up])
    return chances / chances.sum()
