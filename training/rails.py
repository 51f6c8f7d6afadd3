"""Guardrails: conditions checked at every step, each of which warns, skips the update or stops the run.

`warn` logs a line, `skip` leaves out the step's update, `checkpoint_and_stop` saves the state and ends the
run with a message. Once the cause is fixed, the same command continues from there; once the rail is
changed, the same command with --resume.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from training.config import RailConfig, RailsConfig

logger = logging.getLogger(__name__)


class Stopped(RuntimeError):
    """A guardrail ended the run after its state was saved."""


@dataclass(frozen=True, slots=True)
class Condition:
    holds: Callable[[Mapping, float], bool]
    """(record of a step, limit) -> is the step beyond the limit?"""
    message: Callable[[Mapping, float], str]


CONDITIONS = {
    "not_finite": Condition(
        lambda r, limit: _skipped(r) > limit,
        lambda r, limit: f"{_skipped(r):.0f} updates skipped because a gradient was not finite",
    ),
    "reward_stuck": Condition(
        lambda r, limit: not limit < r["reward"] < 1 - limit,
        lambda r, limit: f"the mean reward is {r['reward']:.3g}: nothing to learn from",
    ),
    "truncated": Condition(
        lambda r, limit: r["truncated"] > limit,
        lambda r, limit: f"{r['truncated']:.1%} of the responses were cut off at the token limit",
    ),
    "verifier_timeouts": Condition(
        lambda r, limit: r["timeouts"] > limit,
        lambda r, limit: f"{r['timeouts']:.1%} of the answers could not be compared in time",
    ),
    "disk": Condition(
        lambda r, limit: r["free_gib"] < limit,
        lambda r, limit: f"only {r['free_gib']:.2f} GiB would be free after the next save of the run",
    ),
}
BEFORE_UPDATE = ("reward_stuck", "truncated", "verifier_timeouts")
AFTER_UPDATE = ("not_finite", "disk")


def _skipped(record: Mapping) -> float:
    return (record["actor_skipped"] or 0) + (record["critic_skipped"] or 0)


class Rails:
    """The guardrails of a run. One trips when its condition has been true for `n_steps` steps in a row."""

    def __init__(self, config: RailsConfig, history: Iterable[Mapping]) -> None:
        """`history`: records of the steps before a resume, in order."""
        self.config = config
        self.streaks = dict.fromkeys(CONDITIONS, 0)
        for record in history:
            for name in (*BEFORE_UPDATE, "not_finite"):
                self._count(name, record)

    def check(self, names: Iterable[str], record: Mapping) -> list[tuple[str, str]]:
        """Check a step's record; logs and returns (action, message) of each guardrail that tripped."""
        tripped: list[tuple[str, str]] = []
        for name in names:
            rail: RailConfig = getattr(self.config, name)
            self._count(name, record)
            if self.streaks[name] >= rail.n_steps:
                message = f"step {record['step']}: {CONDITIONS[name].message(record, rail.limit)}"
                message += f" (training.rails.{name}, {self.streaks[name]} steps in a row)"
                logger.warning("rail=%s action=%s %s", name, rail.action, message)
                tripped.append((rail.action, message))
        return tripped

    def _count(self, name: str, record: Mapping) -> None:
        holds = CONDITIONS[name].holds(record, getattr(self.config, name).limit)
        self.streaks[name] = self.streaks[name] + 1 if holds else 0
