"""The verifier's verdict on one response: a reward, the reason for it, and what decided it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

Mode = Literal["orz", "lenient", "flexible", "orz_compat", "math_verify"]
"""`orz`: answer tags and a box are required (training); `lenient`: a box or an explicit statement suffices;
`flexible`: as lenient, and where nothing is boxed or stated, the last formula, number or letter;
`orz_compat`: judged by Open-Reasoner-Zero's own rules, mistakes included (see `rewards.orz.comparer`);
`math_verify`: judged by the Math-Verify library (see `rewards.second_opinion`), to stand beside published
figures."""
Rung = Literal[
    "tagged box", "box", "statement", "block", "last formula", "last number", "last letter",
    "as ORZ", "as Math-Verify", "none",
]  # fmt: skip
"""Where an answer was found, from the strictest place to the loosest."""


class Reason(StrEnum):
    """Why a response got its reward; the trainer logs the share of each. `explanation` says what it means."""

    CORRECT = "correct", "the answer equals the reference"
    WRONG = "wrong", "the answer was understood and differs from the reference"
    NO_ANSWER = "no_answer", "the response has no answer in the required place"
    TRUNCATED = "truncated", "the response was cut at the token limit"
    NOT_PARSEABLE = "not_parseable", "the answer is neither text nor mathematics that can be parsed"
    TIMEOUT = "timeout", "comparing took more CPU time or memory than one answer may use"
    TOO_LARGE = "too_large", "the answer is too long, too deeply nested, or a number too big to compare"
    EMPTY_GOLD = "empty_gold", "the reference answer is empty: nothing can match it"

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.explanation = explanation
        return reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check.

    `stage` names the part that decided: extract, identical, typed, last_resort, orz_compat, or math_verify.
    `cpu_s` is the CPU time of the comparison in seconds, worker processes included; when `verify_batch`
    checks
    several equal answers once, each of them has the same figure. `rung` names the place of the answer.
    """

    reward: float
    reason: Reason
    stage: str
    extracted: str | None
    cpu_s: float
    rung: Rung = "none"

    @property
    def is_correct(self) -> bool:
        return self.reason is Reason.CORRECT


class UnparsableAnswer(ValueError):
    """The text is not an answer that the parser can read."""


class AnswerTooLarge(ValueError):
    """The answer exceeds a limit on length, nesting or magnitude."""
