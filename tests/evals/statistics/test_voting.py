"""maj@k against every draw of small samples, and at sizes where binomial coefficients overflow."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from evals.statistics.voting import maj_at_k, pass_at_k


def every_draw(n_correct: int, wrong: tuple[int, ...], n_silent: int, k: int) -> float:
    votes = ["right"] * n_correct + [f"{i}" for i, n in enumerate(wrong) for _ in range(n)] + [""] * n_silent
    shares = []
    for drawn in combinations(votes, k):
        counts = Counter(vote for vote in drawn if vote)
        most = max(counts.values(), default=0)
        best = [vote for vote, count in counts.items() if count == most]
        shares.append(("right" in best) / max(1, len(best)))
    return float(np.mean(shares))


@pytest.mark.parametrize(
    ("n_correct", "wrong", "n_silent"),
    [(3, (2, 2), 1), (1, (1, 1, 1), 2), (4, (3, 1), 0), (0, (2,), 1), (2, (), 3), (2, (4, 3), 1)],
)
def test_every_k_agrees_with_every_draw(n_correct, wrong, n_silent):
    for k in range(1, n_correct + sum(wrong) + n_silent + 1):
        expected = every_draw(n_correct, wrong, n_silent, k)
        assert maj_at_k(n_correct, wrong, n_silent, k) == pytest.approx(expected, abs=1e-14)


def test_thousands_of_samples_give_a_number_near_that_of_random_draws():
    assert 0 < maj_at_k(366, (300, 200, 134), 100, 550) < 1
    counts = (1300, (1250, 900, 300, *[1] * 200), 146)
    right, wrong, silent = counts
    generator = np.random.default_rng(0)
    drawn = generator.multivariate_hypergeometric([right, *wrong, silent], 64, size=20_000)
    best = drawn[:, :-1].max(axis=1)
    tied = (drawn[:, :-1] == best[:, None]).sum(axis=1)
    simulated = float(np.mean((drawn[:, 0] == best) / tied))
    assert sum((right, *wrong, silent)) == 4096
    assert maj_at_k(*counts, 64) == pytest.approx(simulated, abs=4 * math.sqrt(0.25 / 20_000))
    assert pass_at_k(4096, 1, 2048) == 0.5
