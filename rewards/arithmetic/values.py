r"""Decide whether two expressions have the same value: exactly where possible, otherwise by ball arithmetic.

Rational constants are compared as fractions, or modulo two large primes when they are too big to write out.
Rational functions are compared at random points of two prime fields. Everything else is evaluated in ball
arithmetic: constants at a precision past every magnitude in them, functions at fixed sample points.
"""

import math
from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from functools import lru_cache

from flint import acb, arb

from rewards.answer.types import (
    INFINITY,
    Constant,
    Expression,
    Number,
    Operation,
    Symbol,
    subtract,
    symbols,
    walk,
)
from rewards.arithmetic import exact
from rewards.arithmetic.balls import evaluate, is_real, leaves_reals, log2_magnitude
from rewards.arithmetic.exact import (
    NotRational,
    Undefined,
    is_rational_function,
    rational_value,
    value_modulo,
)
from rewards.contracts.files import hash_text
from rewards.verdict import AnswerTooLarge

MAX_PRECISION = 60_000
"""Bits of the most precise evaluation of a constant."""
SAMPLE_PRECISION = 192
AGREEMENT_BITS = 80
"""At a sample point, values are equal when they agree to this many bits, relatively and absolutely."""
_RANGES = ((0.1, 0.9), (1.1, 2), (2, 5), (-0.9, -0.1), (-4, -1.1), (5, 9), (-9, -4))
_FAR_RANGES = ((12, 80), (-80, -12), (100, 900), (-900, -100), (2000, 9000), (-9000, -2000))
"""Functions with corners, such as |x+40|, are also compared far from zero, on both sides."""
_CORNERED = frozenset(("abs", "floor", "ceil", "root", "ln", "log"))
N_MIXED_POINTS = 4
"""Sample points whose variables come from different ranges."""
_I = Constant("i")
_INTEGER_LETTERS = frozenset("nkmijlrNKMpqt")


class Match(Enum):
    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"
    OUTSIDE = "outside"
    """The values differ at a point where a root or logarithm of a negative number is taken."""


@lru_cache(maxsize=16384)
def same_value(left: Expression, right: Expression) -> bool | None:
    """Tell whether two expressions are equal; None when undecided, AnswerTooLarge past the limits."""
    if left == right:
        return True
    if (signs := (sign_of_infinity(left), sign_of_infinity(right))) != (0, 0):
        return signs[0] == signs[1]
    if not symbols(left) and not symbols(right):
        return _same_constant(left, right)
    if is_rational_function(left) and is_rational_function(right):
        return _same_rational_function(left, right)
    return _same_function(left, right)


def sign_of_infinity(value: Expression) -> int:
    """+1 or -1 for an infinity, 0 for anything else."""
    if value == INFINITY:
        return 1
    if isinstance(value, Operation) and value.name == "*" and value.operands[1:] == (INFINITY,):
        first = value.operands[0]
        return (first.value > 0) - (first.value < 0) if isinstance(first, Number) else 0
    return 0


def _same_constant(left: Expression, right: Expression) -> bool | None:
    try:
        return rational_value(left) == rational_value(right)
    except Undefined:
        return False
    except NotRational:
        pass
    if is_rational_function(left) and is_rational_function(right):
        return _same_rational_function(left, right)
    try:
        return _same_ball(left, right)
    except Undefined:
        return None


def _same_ball(left: Expression, right: Expression) -> bool:
    quick = _difference(left, right, {}, 128)[2]
    if not quick.contains(0):
        return False
    precision = 192 + 3 * int(needed_bits(left) + needed_bits(right))
    if precision > MAX_PRECISION:
        raise AnswerTooLarge("a number too big to compare")
    difference = _difference(left, right, {}, precision)[2]
    return bool(difference.contains(0)) and log2_magnitude(difference) < -precision / 3


def _difference(
    left: Expression, right: Expression, point: dict[str, acb], precision: int
) -> tuple[acb, acb, acb]:
    """Evaluate both sides and their difference."""
    first, second = evaluate(left, point, precision), evaluate(right, point, precision)
    return first, second, evaluate(_DIFFERENCE, {"a": first, "b": second}, precision)


def needed_bits(value: Expression) -> float:
    """Estimate how far from 1 the parts of a constant can be, in bits."""
    if isinstance(value, Number):
        return value.value.numerator.bit_length() + value.value.denominator.bit_length()
    if not isinstance(value, Operation):
        return 0 if value == _I else 4
    *others, last = (float(needed_bits(operand)) for operand in value.operands)
    if value.name in ("^", "exp", "!", "!!", "binom", "sinh", "cosh"):
        try:
            size = abs(rational_value(value.operands[-1]))
        except (NotRational, Undefined):
            return min((sum(others) + last) * 64, 1e9)
        growth = float(min(size, Fraction(10**9)))
        factor = max(1.0, growth * (math.log2(growth + 2) if value.name == "!" else 1.5))
        is_power = value.name == "^"
        return min(others[0] * factor + last if is_power else (sum(others) + last) * factor, 1e9)
    bits = sum(others) + last
    return min(bits, 1e9)


def _same_rational_function(left: Expression, right: Expression) -> bool | None:
    names = sorted(symbols(left) | symbols(right))
    difference = subtract(left, right)
    n_decided = 0
    for prime in exact.PRIMES:
        point = {name: int(hash_text(f"{name} mod {prime}", 40), 16) % prime for name in names}
        try:
            if value_modulo(difference, point, prime):
                return False
            n_decided += 1
        except Undefined:
            continue
    return True if n_decided else None


def sample_points(names: list[str], *values: Expression) -> Iterator[dict[str, acb]]:
    """Yield fixed real points: all variables in one range, for each range, then each in its own range."""
    has_corners = any(_has_corner(part) for value in values for part in walk(value))
    ranges = _RANGES + _FAR_RANGES if has_corners else _RANGES
    for k in range(len(ranges) + N_MIXED_POINTS * (len(names) > 1)):
        point = {}
        for name in names:
            digits = int(hash_text(f"{name} at {k}", 12), 16)
            low, high = ranges[k if k < len(ranges) else digits % len(ranges)]
            # Dyadic, so that the point is exact at any working precision.
            mantissa = (int(low * 256) << 48) + digits * int((high - low) * 256)
            point[name] = acb(arb((mantissa, -56)))
        yield point


def _has_corner(part: Expression) -> bool:
    if not isinstance(part, Operation):
        return False
    is_root = part.name == "^" and isinstance(part.operands[1], Operation)
    return is_root or part.name in _CORNERED


def _same_function(left: Expression, right: Expression) -> bool | None:
    names = sorted(symbols(left) | symbols(right))
    matches = []
    for point in sample_points(names, left, right):
        match = _match_at(left, right, point)
        if match is Match.DIFFERENT:
            return _is_sequence(left, right, names) and _same_sequence(left, right, names)
        matches.append(match)
    if matches.count(Match.SAME) >= 2:
        return True
    if Match.OUTSIDE in matches:
        return False
    if Match.TOO_LARGE in matches and Match.SAME not in matches:
        raise AnswerTooLarge("a function too big to evaluate")
    return _same_sequence(left, right, names) if _is_sequence(left, right, names) else None


def _match_at(left: Expression, right: Expression, point: dict[str, acb]) -> Match:
    for precision in (SAMPLE_PRECISION, 8 * SAMPLE_PRECISION):
        try:
            first, second, difference = _difference(left, right, point, precision)
        except Undefined:
            return Match.UNKNOWN
        except AnswerTooLarge:
            return Match.TOO_LARGE
        if is_real(first) != is_real(second):
            return Match.UNKNOWN
        if not difference.contains(0):
            outside = leaves_reals(left, point, precision) or leaves_reals(right, point, precision)
            return Match.OUTSIDE if outside else Match.DIFFERENT
        # Absolutely and relatively: next to 2^2000, a wrong summand of 1 would go unnoticed.
        size = min(max(log2_magnitude(first), log2_magnitude(second), -AGREEMENT_BITS), 0)
        if log2_magnitude(difference) < size - AGREEMENT_BITS:
            return Match.SAME
    return Match.UNKNOWN


def _is_sequence(left: Expression, right: Expression, names: list[str]) -> bool:
    """True for expressions over the integers, such as (-1)^n and cos(n pi)."""
    if not set(names) <= _INTEGER_LETTERS:
        return False
    return any(
        isinstance(part, Operation)
        and part.name in ("^", "cos", "sin", "floor", "ceil", "!!")
        and symbols(part.operands[-1])
        for value in (left, right)
        for part in walk(value)
    )


def _same_sequence(left: Expression, right: Expression, names: list[str]) -> bool:
    points = [{name: acb(k + 2 * n) for n, name in enumerate(names)} for k in range(1, 9)]
    matches = [_match_at(left, right, point) for point in points]
    return Match.DIFFERENT not in matches and matches.count(Match.SAME) >= 4


def constant_ratio(left: Expression, right: Expression) -> int | None:
    """Sign of left/right when the ratio is one nonzero constant at every sample point, else None."""
    names = sorted(symbols(left) | symbols(right))
    ratios: list[acb] = []
    for point in sample_points(names, left, right):
        try:
            first = evaluate(left, point, SAMPLE_PRECISION)
            second = evaluate(right, point, SAMPLE_PRECISION)
            ratio = evaluate(_RATIO, {"a": first, "b": second}, SAMPLE_PRECISION)
            earlier = {"a": ratio, "b": ratios[0] if ratios else ratio}
            spread = evaluate(_DIFFERENCE, earlier, SAMPLE_PRECISION)
        except (Undefined, AnswerTooLarge):
            continue
        if not spread.contains(0) or ratio.contains(0):
            return None
        ratios.append(ratio)
    if len(ratios) < 3:
        return None
    return 1 if ratios[0].real > 0 else -1


def compare_constants(left: Expression, right: Expression) -> int | None:
    """Return -1, 0 or 1 for real constants (infinities included), None when they cannot be ordered."""
    signs = sign_of_infinity(left), sign_of_infinity(right)
    if signs != (0, 0):
        return (signs[0] > signs[1]) - (signs[0] < signs[1])
    if symbols(left) or symbols(right):
        return None
    try:
        first, second = rational_value(left), rational_value(right)
        return (first > second) - (first < second)
    except Undefined:
        return None
    except NotRational:
        pass
    same = same_value(left, right)
    if same or same is None:
        return 0 if same else None
    try:
        difference = _difference(left, right, {}, 256)[2]
    except Undefined:
        return None
    if not is_real(difference):
        return None
    return 1 if difference.real > 0 else -1 if difference.real < 0 else None


def _symbol_pair(operation: str) -> Expression:
    pair = (Symbol("a"), Symbol("b"))
    return subtract(*pair) if operation == "-" else Operation(operation, pair)


_DIFFERENCE, _RATIO = _symbol_pair("-"), _symbol_pair("/")
