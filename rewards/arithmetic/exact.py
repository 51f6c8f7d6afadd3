"""Exact arithmetic: rational values, and values modulo a prime for those too big to write out.

Sizes are estimated before a power or factorial is computed: no input can make this run long.
"""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from rewards.answer.types import Expression, Number, Operation, Symbol, substitute, walk

MAX_BITS = 40_000
"""Most bits in a numerator or denominator that is written out."""
MAX_FACTORIAL = 3_000
"""Largest factorial that is written out."""
MAX_TERMS = 2_000
"""Most terms of a sum or product that is computed, times the parts of its body."""
PRIMES = ((1 << 127) - 1, (1 << 89) - 1)
"""Moduli of the modular test: different functions of degree d agree with probability below (d/2^89)^2."""


class NotRational(Exception):
    """The expression has no rational value that can be written out."""


class Undefined(ArithmeticError):
    """The expression has no value, as in a division by zero."""


def rational_value(value: Expression) -> Fraction:
    """Compute a rational constant; NotRational when it is not one or too big, Undefined without a value."""
    if isinstance(value, Number):
        return value.value
    if not isinstance(value, Operation) or value.name not in _RATIONAL:
        raise NotRational
    if value.name in ("sum", "prod"):
        return _series(value)
    return _RATIONAL[value.name]([rational_value(operand) for operand in value.operands])


def n_terms(low: int, high: int, body: Expression) -> int:
    """Number of terms of a sum or product; NotRational when computing them would take too long."""
    n = max(0, high - low + 1)
    if n * sum(_weight(part) for part in walk(body)) > MAX_TERMS:
        raise NotRational
    return n


def _weight(part: Expression) -> int:
    """Work for one part of a body; a sum inside a sum leaves few terms for the outer one."""
    return 60 if isinstance(part, Operation) and part.name in ("sum", "prod") else 1


def _series(value: Operation) -> Fraction:
    body, index, *bounds = value.operands
    low, high = (rational_value(bound) for bound in bounds)
    if low.denominator != 1 or high.denominator != 1:
        raise Undefined("an index that is not an integer")
    terms = [
        rational_value(substitute(body, {index: Number(low + n)}))
        for n in range(n_terms(low.numerator, high.numerator, body))
    ]
    return _sum(terms) if value.name == "sum" else _product(terms)


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _sum(values: list[Fraction]) -> Fraction:
    total = sum(values, Fraction(0))
    return _checked(total)


def _product(values: list[Fraction]) -> Fraction:
    total = Fraction(1)
    for value in values:
        total = _checked(total * value)
    return total


def _checked(value: Fraction) -> Fraction:
    if _bits(value) > MAX_BITS:
        raise NotRational
    return value


def _quotient(values: list[Fraction]) -> Fraction:
    if not values[1]:
        raise Undefined("division by zero")
    return _checked(values[0] / values[1])


def _power(values: list[Fraction]) -> Fraction:
    base, exponent = values
    if exponent.denominator != 1:
        return _root([_power([base, Fraction(exponent.numerator)]), Fraction(exponent.denominator)])
    n = exponent.numerator
    if not base and n < 0:
        raise Undefined("0 to a negative power")
    if not base and n == 0:
        return Fraction(1)
    if abs(base) != 1 and _bits(base) * abs(n) > MAX_BITS:
        raise NotRational
    return base ** (n if abs(base) != 1 else n % 2)


def _root(values: list[Fraction]) -> Fraction:
    radicand, index = values
    if index.denominator != 1 or not 1 <= index.numerator <= 200:
        raise NotRational
    n = index.numerator
    if radicand < 0 and n % 2 == 0:
        raise NotRational
    top, bottom = _integer_root(abs(radicand.numerator), n), _integer_root(radicand.denominator, n)
    if top is None or bottom is None:
        raise NotRational
    return Fraction(-top if radicand < 0 else top, bottom)


def _integer_root(value: int, n: int) -> int | None:
    if n == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    low, high = 0, 1 << (value.bit_length() // n + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**n < value:
            low = middle + 1
        else:
            high = middle
    return low if low**n == value else None


def _factorial(values: list[Fraction]) -> Fraction:
    n = values[0]
    if n.denominator != 1 or n < 0 or n > MAX_FACTORIAL:
        raise NotRational
    return Fraction(math.factorial(n.numerator))


def _double_factorial(values: list[Fraction]) -> Fraction:
    n = values[0]
    if n.denominator != 1 or n < 0 or n > MAX_FACTORIAL:
        raise NotRational
    return Fraction(math.prod(range(n.numerator, 0, -2)))


def _binomial(values: list[Fraction]) -> Fraction:
    n, k = values
    if n.denominator != 1 or k.denominator != 1 or not 0 <= k <= n or n > 10 * MAX_FACTORIAL:
        raise NotRational
    if min(k, n - k) > MAX_FACTORIAL:
        raise NotRational
    return Fraction(math.comb(n.numerator, k.numerator))


def _common_divisor(values: list[Fraction]) -> Fraction:
    """The greatest number that each value is an integer multiple of: 6/5 for 2.4 and 3.6."""
    bottom = math.lcm(*(value.denominator for value in values))
    return _checked(Fraction(math.gcd(*(int(value * bottom) for value in values)), bottom))


def _common_multiple(values: list[Fraction]) -> Fraction:
    if 0 in values:
        return Fraction(0)
    top = math.lcm(*(value.numerator for value in values))
    return _checked(Fraction(top, math.gcd(*(value.denominator for value in values))))


_RATIONAL: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "sum": _sum,
    "prod": _product,
    "gcd": _common_divisor,
    "lcm": _common_multiple,
    "max": max,
    "min": min,
    "+": _sum,
    "*": _product,
    "/": _quotient,
    "^": _power,
    "root": _root,
    "!": _factorial,
    "!!": _double_factorial,
    "binom": _binomial,
    "abs": lambda values: abs(values[0]),
    "floor": lambda values: Fraction(math.floor(values[0])),
    "ceil": lambda values: Fraction(math.ceil(values[0])),
    "percent": lambda values: values[0] / 100,
}


def is_rational_function(value: Expression) -> bool:
    """Tell whether the expression uses only numbers, variables, + * / and integer powers."""
    pending = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, Operation):
            if part.name == "^":
                pending.append(part.operands[0])
                try:
                    if rational_value(part.operands[1]).denominator != 1:
                        return False
                except (NotRational, Undefined):
                    return False
            elif part.name in ("+", "*", "/", "percent"):
                pending.extend(part.operands)
            else:
                return False
        elif not isinstance(part, Number | Symbol):
            return False
    return True


def value_modulo(value: Expression, point: Mapping[str, int], prime: int) -> int:
    """Evaluate a rational function in the field of order `prime`; Undefined where a denominator vanishes."""
    if isinstance(value, Number):
        return _divided(value.value.numerator, value.value.denominator, prime)
    if isinstance(value, Symbol):
        return point[value.name]
    assert isinstance(value, Operation)
    if value.name == "^":
        exponent = rational_value(value.operands[1]).numerator
        base = value_modulo(value.operands[0], point, prime)
        return (
            pow(base, exponent, prime) if exponent >= 0 else pow(_divided(1, base, prime), -exponent, prime)
        )
    values = [value_modulo(operand, point, prime) for operand in value.operands]
    if value.name == "+":
        return sum(values) % prime
    if value.name == "/":
        return _divided(values[0], values[1], prime)
    if value.name == "percent":
        return _divided(values[0], 100, prime)
    total = 1
    for factor in values:
        total = total * factor % prime
    return total


def _divided(top: int, bottom: int, prime: int) -> int:
    if bottom % prime == 0:
        raise Undefined("division by zero")
    return top * pow(bottom, -1, prime) % prime
