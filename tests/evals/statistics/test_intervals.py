"""Intervals, pass@k, maj@k and the sign-flip test, checked by enumeration, closed forms and simulation."""

from itertools import combinations, permutations, product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics.compare import holm, minimal_detectable_effect, sign_flip_test
from evals.statistics.intervals import QUANTILE, Estimate, macro_average, mean_over_questions, wilson
from evals.statistics.voting import maj_at_k, pass_at_k


@pytest.mark.parametrize(("n", "n_correct"), [(1, 0), (1, 1), (5, 0), (5, 2), (6, 6), (7, 3)])
def test_pass_at_k_counts_subsets(n, n_correct):
    samples = [True] * n_correct + [False] * (n - n_correct)
    for k in range(1, n + 1):
        drawn = list(combinations(samples, k))
        assert pass_at_k(n, n_correct, k) == pytest.approx(sum(map(any, drawn)) / len(drawn))


def vote_by_hand(votes: tuple[str, ...]) -> float:
    counts = {vote: votes.count(vote) for vote in votes if vote != "silent"}
    best = max(counts.values(), default=0)
    return (counts.get("right", 0) == best > 0) / max(1, sum(count == best for count in counts.values()))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 4),
    st.lists(st.integers(1, 3), max_size=3).filter(lambda sizes: sum(sizes) <= 5),
    st.integers(0, 2),
    st.integers(1, 9),
)
def test_maj_at_k_is_the_vote_over_all_subsets(n_correct, wrong, n_silent, k):
    samples = ["right"] * n_correct + ["silent"] * n_silent
    samples += [f"wrong {i}" for i, size in enumerate(wrong) for _ in range(size)]
    if k > len(samples):
        return
    drawn = list(combinations(samples, k))
    expected = sum(map(vote_by_hand, drawn)) / len(drawn)
    assert maj_at_k(n_correct, tuple(wrong), n_silent, k) == pytest.approx(expected)


def test_k_beyond_the_samples_is_refused():
    with pytest.raises(ValueError, match="k must be in 1 ... 4"):
        pass_at_k(4, 1, 5)


@pytest.mark.parametrize("k", [1, 16])
@pytest.mark.parametrize(("right", "wrong"), [(0.5, 0.5), (0.4, 1.6), (3.0, 1.0)])
def test_interval_covers_the_truth(k, right, wrong):
    """1,000 simulated benchmarks of 100 questions of varying difficulty; naive intervals fail at k = 16."""
    generator = np.random.default_rng(7)
    truth, n_covered, n_naive = right / (right + wrong), 0, 0
    for _ in range(1_000):
        means = generator.binomial(k, generator.beta(right, wrong, 100)) / k
        low, high = mean_over_questions(means).ci95
        n_covered += low <= truth <= high
        half = 1.96 * np.sqrt(means.mean() * (1 - means.mean()) / (100 * k))
        n_naive += abs(means.mean() - truth) <= half
    # With one sample, a share takes few values, which costs any interval some coverage (93 % at 0.2).
    assert (930 if k > 1 else 915) <= n_covered <= 970
    assert k == 1 or n_naive < 850


def test_standard_error_is_that_of_the_question_means():
    means = np.array([0.25, 1.0, 0.5, 0.0, 0.75])
    estimate = mean_over_questions(means)
    by_hand = np.sqrt(sum((m - 0.5) ** 2 for m in means) / (5 * 4))
    assert (estimate.value, estimate.stderr) == (0.5, pytest.approx(by_hand))


@pytest.mark.parametrize(("value", "n"), [(0.3, 10), (0.0, 30), (1.0, 30), (0.5, 200)])
def test_wilson_ends_solve_the_score_equation(value, n):
    z = NormalDist().inv_cdf(0.975)
    for end in wilson(value, n):
        if 0 < end < 1:
            assert abs(value - end) == pytest.approx(z * np.sqrt(end * (1 - end) / n), rel=1e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_interval_at_the_edge_has_width(value):
    low, high = mean_over_questions(np.full(30, value)).ci95
    assert (low, high)[int(value)] == value
    assert 0.05 < high - low < 0.2


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([0.5, -0.25, 0.0, 1.0, 0.25], id="mixed"),
        pytest.param([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], id="one-way"),
        pytest.param([0.5, -0.5], id="balanced"),
    ],
)
def test_sign_flip_test_enumerates_small_sets(deltas):
    sums = [
        abs(sum(s * d for s, d in zip(signs, deltas, strict=True)))
        for signs in product((1, -1), repeat=len(deltas))
    ]
    expected = sum(value >= abs(sum(deltas)) - 1e-12 for value in sums) / len(sums)
    assert sign_flip_test(np.array(deltas)) == pytest.approx(expected)


def test_sign_flip_draws_agree_with_the_binomial_tail():
    """With equal differences, the sum of random signs is binomial: 30 of 40 better, two-sided."""
    deltas = np.array([0.25] * 30 + [-0.25] * 10)
    from scipy.stats import binomtest

    exact = binomtest(30, 40).pvalue
    assert sign_flip_test(deltas, n_permutations=40_000) == pytest.approx(exact, rel=0.25)
    assert sign_flip_test(deltas) == sign_flip_test(deltas)


def test_sign_flip_keeps_its_level():
    generator = np.random.default_rng(3)
    p_values = [
        sign_flip_test(
            generator.binomial(4, 0.5, 60) / 4 - generator.binomial(4, 0.5, 60) / 4, n_permutations=300
        )
        for _ in range(400)
    ]
    assert 0.025 <= np.mean(np.array(p_values) < 0.05) <= 0.085


def test_no_difference_has_p_one():
    assert sign_flip_test(np.zeros(5)) == 1.0


def test_holm_is_the_closed_test_of_bonferroni():
    """The definition: reject i exactly when Bonferroni rejects every intersection that contains i."""
    for p_values in permutations([0.004, 0.02, 0.03, 0.5]):
        for index, corrected in enumerate(holm(list(p_values))):
            others = [p for i, p in enumerate(p_values) if i != index]
            subsets = [s for size in range(4) for s in combinations(others, size)]
            closed = max(min(1, (len(s) + 1) * min(*s, p_values[index], 2.0)) for s in subsets)
            assert corrected == pytest.approx(closed)


def test_minimal_detectable_effect_has_its_power():
    """Simulate normal estimates whose true mean is the effect: four out of five are significant."""
    effect = minimal_detectable_effect(0.02)
    draws = np.random.default_rng(5).normal(effect, 0.02, 20_000)
    assert np.mean(np.abs(draws) > 1.959964 * 0.02) == pytest.approx(0.8, abs=0.01)


def test_the_normal_quantile_is_exact_and_an_average_counts_benchmarks_alike():
    assert QUANTILE == 1.959963984540054
    average = macro_average([Estimate(0.0, 0.0, (0.0, 0.1)), Estimate(1.0, 0.2, (0.8, 1.0))])
    assert average.value == 0.5 and average.stderr == 0.1
    assert average.ci95 == (0.5 - QUANTILE * 0.1, 0.5 + QUANTILE * 0.1)
