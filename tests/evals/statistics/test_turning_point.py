import numpy as np
import pytest

from evals.statistics.turning_point import find_bends, find_turning_point, turning_point

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
        reward = point.bends["reward"]
        assert reward.low <= reward.step <= reward.high
        assert 0.005 < reward.slope_after < 0.02
        assert reward.slope_before < 0.3 * reward.slope_after


@pytest.mark.parametrize(
    "curve",
    [
        pytest.param(0 * STEPS, id="flat"),
        pytest.param(0.02 * STEPS, id="steady"),
        pytest.param(0.1 * np.sqrt(STEPS), id="square root"),
        pytest.param(np.abs(STEPS - 60) * 0.01, id="dip and recovery"),
    ],
)
def test_silent_without_a_bend(curve):
    """At level 0.05 about 1 of 20 series may bend; 6 would be far beyond chance (p < 0.001)."""
    found = [
        find_bends(STEPS, {"a": curve + noise(seed, 0.1)}, alpha=0.05, n_simulations=99, seed=seed)["a"]
        for seed in range(20)
    ]
    assert sum(bend is not None for bend in found) < 6


def test_random_walks_do_not_bend_together():
    walks = [np.random.default_rng(seed).standard_normal(len(STEPS)).cumsum() for seed in range(40)]
    for one, other in zip(walks[::2], walks[1::2], strict=True):
        assert find_turning_point(STEPS, {"reward": one, "response_tokens": other}, n_simulations=199) is None


def test_a_bend_of_one_series_is_no_turning_point_and_bends_apart_are_two():
    def rise(at: int) -> np.ndarray:
        return 0.01 * np.maximum(0, STEPS - at) + noise(at, 0.03)

    one = find_bends(STEPS, {"reward": noise(1, 0.03), "response_tokens": rise(60)}, n_simulations=199)
    assert one["reward"] is None and one["response_tokens"] is not None and turning_point(one) is None
    apart = find_bends(STEPS, {"reward": rise(36), "response_tokens": rise(84)}, n_simulations=199)
    assert apart["reward"] is not None and apart["response_tokens"] is not None
    assert abs(apart["reward"].step - 36) < 12 and abs(apart["response_tokens"].step - 84) < 12
    assert turning_point(apart) is None


def test_an_early_plateau_does_not_hide_the_bend_and_a_late_start_of_the_log_says_by():
    early = 0.3 * (1 - np.exp(-STEPS / 6)) + 0.01 * np.maximum(0, STEPS - 80)
    point = find_turning_point(STEPS, {"reward": early + noise(3, 0.03)}, n_simulations=199)
    assert point is not None and abs(point.step - 80) <= 12 and point.place.startswith("at step")
    risen = 0.01 * np.maximum(0, STEPS - 13) + noise(4, 0.01)
    point = find_turning_point(STEPS, {"reward": risen}, n_simulations=199)
    assert point is not None and point.place.startswith("by step")


def test_too_few_simulations_for_the_level_are_refused():
    with pytest.raises(ValueError, match="take more"):
        find_bends(STEPS, {"reward": STEPS}, alpha=0.01, n_simulations=50)


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
