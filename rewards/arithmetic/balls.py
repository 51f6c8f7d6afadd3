"""Ball arithmetic: numbers with a rigorous error bound, for constants and for values at sample points.

A ball that excludes zero proves two numbers different. Two numbers count as equal when their difference is
below 2^-b, for a precision b well past every magnitude in either expression.
"""

import itertools
import math
import os
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction

from flint import acb, arb, ctx, fmpq

from rewards.answer.types import Constant, Expression, Number, Operation, Symbol, subtract, walk
from rewards.arithmetic.exact import NotRational, Undefined, n_terms, rational_value
from rewards.contracts.files import hash_text
from rewards.verdict import AnswerTooLarge

MAX_LOG2 = 2.0**44
"""Values past 2^MAX_LOG2 in magnitude are not evaluated."""
MAX_EXPONENT_PARTS = 16
"""Largest exponent computed as a fraction; in a tower of powers, each exponent contains all above it."""
_LEAVING_REALS = frozenset(("^", "root", "ln", "log", "asin", "acos", "arcosh", "artanh"))
OnPart = Callable[[str, acb], None]
"""Called with the name and the value of every operation that is evaluated."""
_precision_lock = threading.RLock()
"""flint's working precision is one setting for the whole process: hold this lock while changing it."""


def _renew_lock() -> None:
    """A process forked while another thread was evaluating would wait for that thread forever."""
    global _precision_lock
    _precision_lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def evaluate(
    value: Expression, point: Mapping[str, acb], precision: int, on_part: OnPart | None = None
) -> acb:
    """Evaluate at `point` with `precision` bits; Undefined without a value, AnswerTooLarge past a limit."""
    with _precision_lock:
        before = ctx.prec
        ctx.prec = precision
        try:
            return _evaluate(value, point, on_part)
        finally:
            ctx.prec = before


def _evaluate(value: Expression, point: Mapping[str, acb], on_part: OnPart | None) -> acb:
    if isinstance(value, Number):
        return acb(fmpq(value.value.numerator, value.value.denominator))
    if isinstance(value, Symbol):
        return point[value.name]
    if isinstance(value, Constant):
        if value.name == "infinity":
            raise Undefined("infinity inside an expression")
        return _CONSTANTS[value.name]()
    name = value.name
    if name in ("sum", "prod"):
        return _series(value, point, on_part)
    if name in ("floor", "ceil") and (exact := _rational(value)) is not None:
        return acb(exact.numerator)
    operands = [_evaluate(operand, point, on_part) for operand in value.operands]
    if name == "+":
        result = operands[0]
        for operand in operands[1:]:
            result = result + operand
    elif name == "*":
        result = operands[0]
        for operand in operands[1:]:
            result = result * operand
    elif name in _FUNCTIONS:
        result = _FUNCTIONS[name](*operands)
    elif name == "^":
        result = _power(operands[0], operands[1], value.operands[1])
    elif name.startswith("@"):
        result = _unknown(name, operands)
    else:
        raise Undefined(f"no value for {name}")
    if not result.is_finite():
        raise Undefined(f"{name} has no finite value")
    if on_part is not None:
        on_part(name, result)
    return result


def _rational(value: Expression) -> Fraction | None:
    """The exact value of a constant: next to an integer, a floor cannot be told from a ball."""
    try:
        return rational_value(value)
    except (NotRational, Undefined):
        return None


def _series(value: Operation, point: Mapping[str, acb], on_part: OnPart | None) -> acb:
    body, index, *bounds = value.operands
    low, high = (_whole(_evaluate(bound, point, None)) for bound in bounds)
    assert isinstance(index, Symbol)
    try:
        n = n_terms(low, high, body)
    except NotRational:
        raise AnswerTooLarge("a sum with too many terms") from None
    total = acb(0) if value.name == "sum" else acb(1)
    for k in range(low, low + n):
        term = _evaluate(body, {**point, index.name: acb(k)}, on_part)
        total = total + term if value.name == "sum" else total * term
    if on_part is not None:
        on_part(value.name, total)
    return total


def _whole(value: acb) -> int:
    whole = value.real.unique_fmpz() if is_real(value) else None
    if whole is None or not (value - acb(whole)).contains(0) or log2_magnitude(value - acb(whole)) > -20:
        raise Undefined("a value that is not an integer")
    return int(whole)


def log2_magnitude(value: acb) -> float:
    """Upper bound of log2 |value|, -inf for zero."""
    bound = value.abs_upper()
    if bound == 0:
        return -math.inf
    mantissa, exponent = bound.man_exp()
    return float(int(exponent)) + abs(int(mantissa)).bit_length() if abs(exponent) < 2**60 else math.inf


def log2_least(value: acb) -> float:
    """Lower bound of log2 |value|, inf when the ball contains zero: nothing is known of such a value's
    size."""
    bound = value.abs_lower()
    if bound == 0:
        return math.inf
    mantissa, exponent = bound.man_exp()
    return float(int(exponent)) + abs(int(mantissa)).bit_length() - 1 if abs(exponent) < 2**60 else math.inf


def difference_at(
    left: Expression,
    right: Expression,
    point: Mapping[str, acb],
    precision: int,
    on_part: OnPart | None = None,
) -> acb:
    """Evaluate left - right."""
    first = evaluate(left, point, precision, on_part)
    second = evaluate(right, point, precision, on_part)
    return evaluate(_DIFFERENCE, {"a": first, "b": second}, precision)


def is_real(value: acb) -> bool:
    """True when the imaginary part is zero to within the precision."""
    return bool(value.imag.contains(0))


def leaves_reals(value: Expression, point: Mapping[str, acb], precision: int) -> bool:
    """True when part of an expression without i has a complex value, such as a root of a negative number."""
    if any(part == Constant("i") for part in walk(value)):
        return False
    complex_parts: list[str] = []

    def note(name: str, result: acb) -> None:
        if name in _LEAVING_REALS and not is_real(result):
            complex_parts.append(name)

    evaluate(value, point, precision, note)
    return bool(complex_parts)


def _e() -> acb:
    return acb(1).exp()


def _i() -> acb:
    return acb(0, 1)


def _bounded(value: acb, limit: float) -> acb:
    if log2_magnitude(value) > limit:
        raise AnswerTooLarge("a number too big to evaluate")
    return value


def _power(base: acb, exponent: acb, spelled: Expression) -> acb:
    if base == 0:
        if exponent.real > 0:
            return acb(0)
        if exponent == 0:
            return acb(1)
        raise Undefined("0 to a negative power")
    growth = (
        abs(log2_magnitude(base))
        if base.contains(0)
        else max(abs(log2_magnitude(base)), abs(log2_magnitude(1 / base)))
    )
    if growth > 0 and math.log2(max(growth, 1e-9)) + log2_magnitude(exponent) > math.log2(MAX_LOG2):
        raise AnswerTooLarge("a power too big to evaluate")
    exact = _whole_or_odd_root(spelled)
    if exact is not None:
        if exact.denominator == 1:
            return base ** acb(exact.numerator)
        if is_real(base) and base.real < 0 and exact.denominator % 2:
            magnitude = (-base.real) ** arb(fmpq(exact.numerator, exact.denominator))
            return acb(-magnitude if exact.numerator % 2 else magnitude)
    return base**exponent


def _whole_or_odd_root(spelled: Expression) -> Fraction | None:
    if len(list(itertools.islice(walk(spelled), MAX_EXPONENT_PARTS + 1))) > MAX_EXPONENT_PARTS:
        return None
    try:
        return rational_value(spelled)
    except (NotRational, Undefined):
        return None


def _root(radicand: acb, index: acb) -> acb:
    whole = index.real.unique_fmpz() if is_real(index) else None
    if whole is None:
        return radicand ** (1 / index)
    if whole == 2:
        return radicand.sqrt()
    if is_real(radicand) and radicand.real < 0 and int(whole) % 2:
        return acb(-((-radicand.real) ** (1 / arb(whole))))
    return radicand ** (1 / acb(whole))


def _factorial(value: acb) -> acb:
    _bounded(value, 36)
    return (value + 1).gamma()


def _double_factorial(value: acb) -> acb:
    whole = value.real.unique_fmpz() if is_real(value) else None
    if whole is None or not 0 <= int(whole) <= 10_000:
        raise AnswerTooLarge("a double factorial that is not computed")
    return acb(math.prod(range(int(whole), 0, -2)))


def _binomial(top: acb, bottom: acb) -> acb:
    _bounded(top, 36)
    _bounded(bottom, 36)
    return (top + 1).gamma() * (bottom + 1).rgamma() * (top - bottom + 1).rgamma()


def _floor(value: acb) -> acb:
    if not is_real(value):
        raise Undefined("the floor of a complex number")
    whole = value.real.floor().unique_fmpz()
    if whole is None:
        raise AnswerTooLarge("a floor that would take more digits")
    return acb(whole)


def _divisor(*values: acb) -> acb:
    return acb(math.gcd(*(_whole(value) for value in values)))


def _multiple(*values: acb) -> acb:
    return acb(math.lcm(*(_whole(value) for value in values)))


def _greatest(*values: acb) -> acb:
    return _extreme(1, values)


def _least(*values: acb) -> acb:
    return _extreme(-1, values)


def _extreme(sign: int, values: tuple[acb, ...]) -> acb:
    """The value past all others in a direction; values that cannot be ordered may be equal: take their
    hull."""
    if not all(is_real(value) for value in values):
        raise Undefined("complex numbers have no order")
    best = values[0].real
    for value in values[1:]:
        difference = sign * (value.real - best)
        if difference.contains(0):
            best = best.union(value.real)
        elif difference > 0:
            best = value.real
    return acb(best)


def _logarithm(value: acb) -> acb:
    if value.contains(0):
        raise Undefined("the logarithm of zero")
    return value.log()


def _exponential(value: acb) -> acb:
    return _bounded(value, 44).exp()


def _unknown(name: str, operands: list[acb]) -> acb:
    """Replace an unknown function by a fixed smooth one drawn from its name, different for every name."""
    total = acb(_weight(name))
    for position, operand in enumerate(operands):
        total += _weight(f"{name}/{position}") * operand
    return total.cos() + 2


def _weight(name: str) -> acb:
    return acb(fmpq(int(hash_text(name, 8), 16) + 1, 1 << 32))


_CONSTANTS: dict[str, Callable[[], acb]] = {"pi": acb.pi, "e": _e, "i": _i}
_FUNCTIONS: dict[str, Callable[..., acb]] = {
    "/": lambda top, bottom: _quotient(top, bottom),
    "root": _root,
    "!": _factorial,
    "!!": _double_factorial,
    "binom": _binomial,
    "gcd": _divisor,
    "lcm": _multiple,
    "max": _greatest,
    "min": _least,
    "abs": lambda value: acb(abs(value)),
    "floor": _floor,
    "ceil": lambda value: -_floor(-value),
    "percent": lambda value: value / 100,
    "degree": lambda value: value * acb.pi() / 180,
    "exp": _exponential,
    "ln": _logarithm,
    "log": lambda value, base: _quotient(_logarithm(value), _logarithm(base)),
    "sin": lambda value: _bounded(value, 4000).sin(),
    "cos": lambda value: _bounded(value, 4000).cos(),
    "tan": lambda value: _quotient(_bounded(value, 4000).sin(), value.cos()),
    "cot": lambda value: _quotient(_bounded(value, 4000).cos(), value.sin()),
    "sec": lambda value: _quotient(acb(1), _bounded(value, 4000).cos()),
    "csc": lambda value: _quotient(acb(1), _bounded(value, 4000).sin()),
    "asin": lambda value: value.asin(),
    "acos": lambda value: value.acos(),
    "atan": lambda value: value.atan(),
    "acot": lambda value: acb.pi() / 2 - value.atan(),
    "sinh": lambda value: _bounded(value, 40).sinh(),
    "cosh": lambda value: _bounded(value, 40).cosh(),
    "tanh": lambda value: _bounded(value, 40).tanh(),
    "coth": lambda value: _bounded(value, 40).coth(),
    "arsinh": lambda value: value.asinh(),
    "arcosh": lambda value: value.acosh(),
    "artanh": lambda value: value.atanh(),
}


def _quotient(top: acb, bottom: acb) -> acb:
    if bottom.contains(0):
        raise Undefined("division by zero")
    return top / bottom


_DIFFERENCE = subtract(Symbol("a"), Symbol("b"))
