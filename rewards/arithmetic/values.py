r"""Decide whether two expressions have the same value: exactly where possible, otherwise by ball arithmetic.

Rational constants are compared as fractions, or modulo two large primes when they are too big to write out.
Rational functions are compared at random points of two prime fields. Everything else is evaluated in ball
arithmetic: constants at a precision past every magnitude in them, functions at fixed points
(`rewards.arithmetic.functions`).
"""

import math
from fractions import Fraction
from functools import lru_cache

from rewards.answer.types import (
    INFINITY,
    Constant,
    Expression,
    Number,
    Operation,
    Symbol,
    substitute,
    subtract,
    symbols,
)
from rewards.arithmetic import exact
from rewards.arithmetic.balls import difference_at, evaluate, is_real, log2_magnitude
from rewards.arithmetic.exact import (
    NotRational,
    Undefined,
    is_rational_function,
    rational_value,
    value_modulo,
)
from rewards.arithmetic.functions import same_function
from rewards.contracts.files import hash_text
from rewards.verdict import AnswerTooLarge

MAX_PRECISION = 60_000
"""Bits of the most precise evaluation of a constant."""
_I = Constant("i")
N_RATIO_POINTS = 4
"""Rational points tried for the ratio of two functions; where one of them vanishes, the next is taken."""


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
    return same_function(left, right)


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
    quick = difference_at(left, right, {}, 128)
    if not quick.contains(0):
        return False
    precision = 192 + 3 * int(needed_bits(left) + needed_bits(right))
    if precision > MAX_PRECISION:
        raise AnswerTooLarge("a number too big to compare")
    difference = difference_at(left, right, {}, precision)
    return bool(difference.contains(0)) and log2_magnitude(difference) < -precision / 3


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


def constant_ratio(left: Expression, right: Expression) -> int | None:
    """Sign of left/right when the ratio is one nonzero constant, else None.

    The constant is taken at a rational point, and left * right(point) = right * left(point) is then decided
    like any other equality.
    """
    names = sorted(symbols(left) | symbols(right))
    for k in range(N_RATIO_POINTS):
        point: dict[Expression, Expression] = {
            Symbol(name): Number(
                Fraction(int(hash_text(f"{name} in ratio {k}", 4), 16) % 997 + 1, 7 + 90 * (k % 2))
            )
            for name in names
        }
        ours, theirs = substitute(left, point), substitute(right, point)
        try:
            sign = _sign_of(ours) * _sign_of(theirs)
        except (Undefined, AnswerTooLarge):
            continue
        if not sign:
            continue
        is_constant = same_value(Operation("*", (left, theirs)), Operation("*", (right, ours)))
        return sign if is_constant else None
    return None


def _sign_of(constant: Expression) -> int:
    """Sign of a real constant, 0 when it is zero, complex, or not told apart from zero."""
    value = evaluate(constant, {}, 256)
    if not is_real(value) or value.contains(0):
        return 0
    return 1 if value.real > 0 else -1


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
        difference = difference_at(left, right, {}, 256)
    except Undefined:
        return None
    if not is_real(difference):
        return None
    return 1 if difference.real > 0 else -1 if difference.real < 0 else None
