import numpy as np
import pytest

from evals.statistics.turning_point import find_turning_point

STEPS = np.arange(1, 121)


def noise(seed: int, scale: float, lag: float = 0.5) -> np.ndarray:
    """First-order autoregressive noise, drawn in a plain loop."""
    shocks = np.random.default_rng(seed).standard_normal(len(STEPS)) * scale
    for step in range(1, len(shocks)):
        shocks[step] += lag * shocks[step - 1]
    return shocks


def test_common_acceleration_is_found_near_its_step():
    """The shape of the paper's figure 6: reward, length and reflection length bend together at step 68."""
    for seed in range(5):
        bend = np.maximum(0, STEPS - 68)
        point = find_turning_point(
            STEPS,
            {
                "reward": 0.2 + 0.01 * bend + noise(seed, 0.05),
                "response_tokens": 500 + 8 * bend + noise(seed + 100, 40),
                "correct_reflection_tokens": 700 + 12 * bend + noise(seed + 200, 80),
            },
            n_simulations=199,
        )
        assert point is not None
        assert abs(point.step - 68) <= 12
        assert point.slope_after["reward"] == pytest.approx(0.01, rel=0.5)
        assert abs(point.slope_before["reward"]) < 0.004


@pytest.mark.parametrize("trend", [0.0, 0.02], ids=["flat", "steady"])
def test_silent_without_a_bend(trend):
    """At alpha 0.05, about 5 % of 60 quiet runs may give one; 10 would be far beyond chance (p < 0.001)."""
    n_found = 0
    for seed in range(60):
        series = {"a": trend * STEPS + noise(seed, 0.1), "b": trend * STEPS + noise(seed + 500, 0.1)}
        n_found += find_turning_point(STEPS, series, alpha=0.05, n_simulations=99, seed=seed) is not None
    assert n_found < 10


def test_a_run_that_saturates_later_still_bends_where_it_starts_to_rise():
    """A logistic curve through step 60 with width 7: its curvature peaks at 60 - 1.32 * 7 = 51."""
    for seed in range(4):
        rise = 1 / (1 + np.exp(-(STEPS - 60) / 7))
        series = {"reward": rise + noise(seed, 0.04), "response_tokens": 8 * rise + noise(seed + 50, 0.4)}
        point = find_turning_point(STEPS, series, n_simulations=199)
        assert point is not None
        assert 38 <= point.step <= 58


@pytest.mark.parametrize("shape", ["plateau", "saturating"])
def test_a_slowing_run_has_no_turning_point(shape):
    curve = np.minimum(STEPS, 60) * 0.01 if shape == "plateau" else 1 - np.exp(-STEPS / 30)
    for seed in range(5):
        series = {"reward": curve + noise(seed, 0.02), "response_tokens": 9 * curve + noise(seed + 50, 0.2)}
        assert find_turning_point(STEPS, series, n_simulations=199) is None


def test_all_series_must_bend():
    bend = np.maximum(0, STEPS - 60)
    series = {"reward": 0.01 * bend + noise(1, 0.02), "response_tokens": -8 * bend + noise(2, 20)}
    assert find_turning_point(STEPS, series, n_simulations=199) is None


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.ones(len(STEPS)), id="constant"),
        pytest.param(STEPS * 1.0, id="straight"),
        pytest.param(np.full(len(STEPS), np.nan), id="nan"),
    ],
)
def test_degenerate_series_are_silent(values):
    assert find_turning_point(STEPS, {"reward": values}, n_simulations=99) is None


def test_short_runs_are_silent():
    assert find_turning_point(range(10), {"reward": [0.0] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0]}) is None
