"""Comparison of answers in special notations: ratios, times of day, numerals with a base, residues."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from rewards.answer.types import (
    Clock,
    Expression,
    Number,
    Numeral,
    Operation,
    Ratio,
    Residue,
    Scalar,
    negative,
)
from rewards.arithmetic.values import same_value
from rewards.parsing.words import same_clock

Decision = bool | None
"""True or False when decided, None when not."""


def conclude(decisions: Sequence[Decision]) -> Decision:
    """True when all are, False when any is, None otherwise."""
    if any(decision is False for decision in decisions):
        return False
    return True if all(decisions) else None


def _ratios(gold: Ratio, response: Ratio) -> Decision:
    if len(gold.terms) != len(response.terms):
        return False
    first, second = gold.terms[0], response.terms[0]
    return conclude(
        [
            same_value(Operation("*", (ours, second)), Operation("*", (theirs, first)))
            for ours, theirs in zip(gold.terms[1:], response.terms[1:], strict=True)
        ]
    )


def _ratio_of_two(ratio: Ratio, scalar: Scalar) -> Decision:
    if len(ratio.terms) != 2 or scalar.unit is not None:
        return False
    return same_value(Operation("/", ratio.terms), scalar.value)


def _clock_as_ratio(clock: Clock) -> Ratio:
    return Ratio((Number(Fraction(clock.hour)), Number(Fraction(clock.minute))))


def _clock_and_ratio(clock: Clock, ratio: Ratio) -> Decision:
    return clock.half is None and clock.minute > 0 and _ratios(_clock_as_ratio(clock), ratio)


def _clock_and_scalar(clock: Clock, scalar: Scalar) -> Decision:
    return clock.half is None and clock.minute > 0 and _ratio_of_two(_clock_as_ratio(clock), scalar)


def _numerals(gold: Numeral, response: Numeral) -> Decision:
    return gold == response


def _numeral_and_scalar(numeral: Numeral, scalar: Scalar) -> Decision:
    """The base may be omitted, since the question may name it; the digits must be the same."""
    if not numeral.digits.lstrip("-").isdecimal() or scalar.unit is not None:
        return False
    return same_value(Number(Fraction(int(numeral.digits))), scalar.value)


def _residues(gold: Residue, response: Residue) -> Decision:
    if None not in (gold.variable, response.variable) and gold.variable != response.variable:
        return False
    same_modulus = same_value(gold.modulus, response.modulus)
    if not same_modulus:
        return same_modulus
    difference = Operation(
        "/",
        (Operation("+", (gold.value, Operation("*", (Number(Fraction(-1)), response.value)))), gold.modulus),
    )
    return same_value(gold.value, response.value) or same_value(difference, Operation("floor", (difference,)))


def _residue_and_scalar(residue: Residue, scalar: Scalar) -> Decision:
    """The number alone, or the computed remainder: 17 mod 5 is 2."""
    remainder = Operation(
        "+", (residue.value, negative(Operation("*", (residue.modulus, _quotient(residue)))))
    )
    return same_value(residue.value, scalar.value) or same_value(remainder, scalar.value)


def _quotient(residue: Residue) -> Expression:
    return Operation("floor", (Operation("/", (residue.value, residue.modulus)),))


COMPARERS: tuple[tuple[tuple[type, type], Callable[..., Decision]], ...] = (
    ((Ratio, Ratio), _ratios),
    ((Ratio, Scalar), _ratio_of_two),
    ((Clock, Clock), same_clock),
    ((Clock, Ratio), _clock_and_ratio),
    ((Clock, Scalar), _clock_and_scalar),
    ((Numeral, Numeral), _numerals),
    ((Numeral, Scalar), _numeral_and_scalar),
    ((Residue, Residue), _residues),
    ((Residue, Scalar), _residue_and_scalar),
)
"""The comparer of each pair of answer types; the order of the pair does not matter."""
