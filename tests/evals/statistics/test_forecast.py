"""Forecasts of saturating curves: right where the steps tell, silent where they do not."""

import numpy as np
import pytest

from evals.statistics.forecast import WIDEST, Interval, forecast
from evals.statistics.saturating import SHAPES

STEPS = np.arange(1, 101)


def noisy(values, seed, lag=0.3, sigma=0.03):
    generator, noise, out = np.random.default_rng(seed), 0.0, []
    for value in values:
        noise = lag * noise + sigma * generator.normal()
        out.append(value + noise * 2 * np.sqrt(value * (1 - value)))
    return np.clip(out, 0, 1)


def rise(level, start, time, shape=1.0):
    return level + (start - level) * np.exp(-(((STEPS - 1) / time) ** shape))


def gompertz(level, start, time):
    """No shape of ours."""
    done = np.exp(-3 * np.exp(-2 * (STEPS - 1) / time))
    return start + (level - start) * (done - done[0]) / (1 - done[0])


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_every_shape_goes_from_nothing_to_all_and_never_back(number):
    u = np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 300)])
    done = SHAPES[number].done(u)
    assert done[0] == pytest.approx(0, abs=1e-12) and done[-1] == pytest.approx(1, abs=1e-4)
    assert (np.diff(done) >= -1e-12).all()
    assert SHAPES[number].done(np.array(SHAPES[number].when(0.95))) == pytest.approx(0.95, abs=1e-4)


def test_the_weights_are_of_equal_families():
    assert sum(shape.prior for shape in SHAPES) == pytest.approx(5)


@pytest.mark.parametrize("curve", [rise(0.8, 0.2, 12), rise(0.8, 0.2, 18, 2.0), gompertz(0.8, 0.2, 12)])
def test_the_interval_holds_the_level_as_often_as_it_says(curve):
    found = [forecast(STEPS, noisy(curve, seed)) for seed in range(15)]
    said = [one.level for one in found if one is not None]
    assert len(said) >= 12 and sum(low <= 0.8 <= high for _, low, high in said) >= len(said) - 2
    assert all(high - low <= WIDEST for _, low, high in said)


def test_the_end_is_foreseen_from_the_first_half():
    hits = said = 0
    for seed in range(25):
        values = noisy(rise(0.7, 0.1, 10), seed)
        if (found := forecast(STEPS[:50], values[:50])) is not None:
            said += 1
            _, low, high = Interval.of(found.means(STEPS[-10:]))
            hits += low <= values[-10:].mean() <= high
    assert said >= 10 and hits >= 0.85 * said


@pytest.mark.parametrize(
    "values",
    [0.2 + 0.004 * STEPS, rise(0.9, 0.1, 200.0), 0.1 + 0.05 * np.sqrt(STEPS)],
    ids=["line", "slow", "root"],
)
def test_it_is_silent_while_no_level_is_in_sight(values):
    assert sum(forecast(STEPS, noisy(values, seed)) is not None for seed in range(8)) <= 1


def test_what_is_flat_stays_and_has_no_way_to_go():
    found = forecast(STEPS, noisy(np.full(100, 0.5), 1))
    assert found.level.low <= 0.5 <= found.level.high
    assert found.near is None


def test_a_fall_is_a_curve_too():
    found = forecast(STEPS, noisy(rise(0.2, 0.8, 10), 2))
    assert found.level.low <= 0.2 <= found.level.high


@pytest.mark.parametrize(
    "values",
    [
        rise(0.8, 0.2, 5)[:19],
        1.5 * rise(0.8, 0.2, 15),
        rise(0.8, 0.2, 15) - 0.5,
        [*rise(0.8, 0.2, 15)[:99], np.nan],
        np.zeros(100),
    ],
    ids=["short", "above 1", "below 0", "not a number", "never right"],
)
def test_what_is_no_series_of_rates_has_no_forecast(values):
    assert forecast(STEPS[: len(values)], values) is None


def test_the_step_by_which_most_of_the_way_is_done():
    found = forecast(STEPS + 500, noisy(rise(0.8, 0.2, 12), 3))
    assert found.near.low <= 501 + 12 * 3 <= found.near.high


def test_a_long_run_is_weighed_by_its_blocks():
    steps = np.arange(5003)
    draw = np.random.default_rng(0)
    values = np.clip(0.8 - 0.6 * np.exp(-steps / 600) + 0.05 * draw.standard_normal(len(steps)), 0, 1)
    found = forecast(steps, values)
    assert found.level.low <= 0.8 <= found.level.high and found.level.high - found.level.low < 0.03
    assert found.noise == pytest.approx(0.05, rel=0.4)


def test_the_same_series_has_the_same_forecast():
    values = noisy(rise(0.8, 0.2, 12), 4)
    one, other = (forecast(STEPS, values) for _ in range(2))
    assert np.array_equal(one.curves([150, 200]), other.curves([150, 200]))
