"""Each guardrail trips at its limit, after its number of consecutive steps, with its action; not before."""

import logging

import pytest

from training.config import RailConfig, RailsConfig
from training.rails import AFTER_UPDATE, BEFORE_UPDATE, CONDITIONS, Rails

GOOD = {
    "step": 7,
    "reward": 0.5,
    "truncated": 0.1,
    "timeouts": 0.0,
    "actor_skipped": 0,
    "critic_skipped": 0,
    "free_gib": 50.0,
}


def rails(history=(), **changed):
    return Rails(RailsConfig(**changed), history)


def rail(action="warn", limit=0.0, n_steps=1):
    return RailConfig(action=action, limit=limit, n_steps=n_steps)


@pytest.mark.parametrize(
    "name, limit, bad, words",
    [
        ("not_finite", 0, {"actor_skipped": 1}, "1 updates skipped"),
        ("not_finite", 0, {"critic_skipped": 2}, "2 updates skipped"),
        ("reward_stuck", 0, {"reward": 0.0}, "the mean reward is 0"),
        ("reward_stuck", 0, {"reward": 1.0}, "the mean reward is 1"),
        ("reward_stuck", 0.1, {"reward": 0.05}, "the mean reward is 0.05"),
        ("truncated", 0.5, {"truncated": 0.6}, "60.0% of the responses were cut"),
        ("verifier_timeouts", 0.05, {"timeouts": 0.06}, "6.0% of the answers"),
        ("disk", 1.0, {"free_gib": 0.5}, "only 0.50 GiB would be free"),
    ],
)
def test_each_rail_trips_on_its_own_condition_only(name, limit, bad, words, caplog):
    watching = rails(**{name: rail("skip", limit)})
    everywhere = (*BEFORE_UPDATE, *AFTER_UPDATE)
    assert watching.check(everywhere, GOOD) == []
    with caplog.at_level(logging.WARNING):
        ((action, message),) = watching.check(everywhere, GOOD | bad)
    assert action == "skip"
    assert words in message and f"training.rails.{name}" in message and "step 7" in message
    assert f"rail={name} action=skip" in caplog.text


def test_every_condition_has_a_setting_and_is_checked_once():
    assert (
        set(CONDITIONS) == {*BEFORE_UPDATE, *AFTER_UPDATE} == set(RailsConfig.model_fields) - {"out_of_sync"}
    )


def test_a_rail_waits_for_its_steps_in_a_row():
    watching = rails(reward_stuck=rail("checkpoint_and_stop", n_steps=3))
    stuck = GOOD | {"reward": 0.0}
    found = [watching.check(BEFORE_UPDATE, record) for record in (stuck, stuck, GOOD, stuck, stuck, stuck)]
    assert [len(tripped) for tripped in found] == [0, 0, 0, 0, 0, 1]
    assert found[-1][0][0] == "checkpoint_and_stop" and "3 steps in a row" in found[-1][0][1]


def test_steps_before_a_resume_count():
    stuck = GOOD | {"reward": 0.0}
    assert rails([GOOD, stuck, stuck], reward_stuck=rail(n_steps=3)).check(BEFORE_UPDATE, stuck)
    assert not rails([stuck, stuck, GOOD], reward_stuck=rail(n_steps=3)).check(BEFORE_UPDATE, stuck)


def test_a_skipped_update_is_no_update_that_failed():
    nothing = dict.fromkeys(("actor_skipped", "critic_skipped"))
    assert not rails(not_finite=rail()).check(AFTER_UPDATE, GOOD | nothing)
