"""pass@k and maj@k from n samples: exact expectations over which k of the n are drawn.

Answers vote as equivalence classes: all responses that the verifier accepts form one class, however they are
written.
"""

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray


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
    x^i is the number of ways to draw i votes.

    >>> maj_at_k(2, (1,), 0, 3), maj_at_k(1, (1,), 0, 2)
    (1.0, 0.5)
    """
    n = n_correct + sum(wrong) + n_silent
    if not 1 <= k <= n:
        raise ValueError(f"k must be in 1 ... {n} (the samples per question), got {k}")
    return _maj_at_k(n_correct, tuple(sorted(wrong)), n_silent, k)


@lru_cache(maxsize=65536)
def _maj_at_k(n_correct: int, wrong: tuple[int, ...], n_silent: int, k: int) -> float:
    total = 0.0
    for n_right in range(1, min(n_correct, k) + 1):
        n_left = k - n_right
        ways = _ways_with_ties(wrong, n_right, n_left)  # [n_left + 1, n_ties + 1]
        silent = _binomials(n_silent, n_left)
        drawn = silent[::-1] @ ways
        share = drawn / (1 + np.arange(len(drawn)))
        total += comb(n_correct, n_right) * float(share.sum())
    return total / comb(n_correct + sum(wrong) + n_silent, k)


def _ways_with_ties(wrong: tuple[int, ...], most: int, n_left: int) -> NDArray[np.float64]:
    """Ways to draw i votes from wrong classes, none above `most`, t classes exactly at `most`: [i, t]."""
    n_ties = min(n_left // most, sum(size >= most for size in wrong))
    ways = np.zeros((n_left + 1, n_ties + 1))
    ways[0, 0] = 1.0
    for size in wrong:
        choose = _binomials(size, min(most, n_left))
        grown = np.zeros_like(ways)
        for votes, count in enumerate(choose):
            moved = count * ways[: n_left + 1 - votes]
            if votes == most:
                grown[votes:, 1:] += moved[:, :-1]
            else:
                grown[votes:] += moved
        ways = grown
    return ways


def _binomials(n: int, up_to: int) -> NDArray[np.float64]:
    return np.array([float(comb(n, i)) for i in range(up_to + 1)])
