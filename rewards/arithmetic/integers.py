r"""Letters that stand for integers, and the integers at which two sequences are compared.

A letter is an integer by its place in the reference, never by its name: in a factorial or binomial, in the
exponent of a negative base, in a floor of something that is not an integer anyway, in the bounds of a sum.

>>> from rewards.parsing.parser import parse_answer
>>> read = lambda text: integer_letters(parse_answer(text).value)
>>> sorted(read(r"(-1)^n x + m!")), read(r"\sin x")
(['m', 'n'], frozenset())
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

from flint import acb

from rewards.answer.types import Expression, Number, Operation, Symbol, symbols, walk
from rewards.arithmetic.balls import evaluate
from rewards.arithmetic.exact import NotRational, Undefined, rational_value
from rewards.contracts.files import hash_text
from rewards.verdict import AnswerTooLarge

N_SMALL, N_MIDDLE, N_LARGE = 12, 12, 24
"""Integers from 1 on, below 400, and below a million (the last for sequences with floors alone)."""
MAX_BOUNDARY = 10**6
N_CROSSINGS = 6
"""Integers at which the inside of a floor passes another integer, found by bisection."""
_ROUNDED = frozenset(("floor", "ceil"))
_PERIODIC = frozenset(
    ("sin", "cos", "tan", "cot", "sec", "csc", "floor", "ceil", "abs", "gcd", "lcm", "max", "min")
)


@lru_cache(maxsize=4096)
def integer_letters(value: Expression) -> frozenset[str]:
    """Names of the variables that can only be integers in this expression."""
    found: frozenset[str] = frozenset()
    for part in walk(value):
        if not isinstance(part, Operation):
            continue
        if part.name in ("!", "!!", "binom"):
            found |= frozenset().union(*(symbols(operand) for operand in part.operands))
        elif part.name in ("sum", "prod"):
            found |= symbols(part.operands[2]) | symbols(part.operands[3])
        elif part.name == "^" and symbols(part.operands[1]) and _is_negative(part.operands[0]):
            found |= symbols(part.operands[1])
        elif part.name in _ROUNDED and not _is_whole_by_itself(part.operands[0]):
            found |= symbols(part.operands[0])
    return found


def is_rounded(part: Expression) -> bool:
    """Tell whether a part of an expression is a floor or a ceiling."""
    return isinstance(part, Operation) and part.name in _ROUNDED


def _is_negative(base: Expression) -> bool:
    try:
        return rational_value(base) < 0
    except (NotRational, Undefined):
        return False


def _is_whole_by_itself(value: Expression) -> bool:
    """Tell whether a floor would be pointless if the letters were integers: it says that they are not."""
    for part in walk(value):
        if isinstance(part, Number) and part.value.denominator != 1:
            return False
        if isinstance(part, Operation) and part.name not in ("+", "*", "^"):
            return False
    return True


def is_determined_by_integers(value: Expression) -> bool:
    """Tell whether a function without periodic parts: two such functions that agree at all naturals are
    equal.

    Carlson's theorem: a function of exponential type below pi that vanishes at the naturals vanishes
    everywhere.
    """
    return not any(isinstance(part, Operation) and part.name in _PERIODIC for part in walk(value))


def integer_points(
    names: list[str], whole: frozenset[str] | set[str], *values: Expression
) -> Iterator[dict[Expression, Expression]]:
    """Yield points with integers for the letters in `whole`, and fixed real numbers for the others.

    With floors, the integers next to every number written in them and to its multiples are among the points,
    and those at which the inside of a floor passes an integer. Sequences that differ at a share p of the
    integers are told apart with probability 1 - (1 - p)^48.
    """
    rounded = [p for v in values for p in walk(v) if isinstance(p, Operation) and is_rounded(p)]
    for count, n in enumerate(_integers(rounded, whole)):
        point: dict[Expression, Expression] = {}
        for position, name in enumerate(names):
            digits = int(hash_text(f"{name} beside {n}", 12), 16)
            if name in whole:
                value = Fraction(1 + digits % (2 * n) if position else n)
            else:
                value = Fraction(digits + (1 << 46), 1 << (47 if count % 2 else 46))
            point[Symbol(name)] = Number(value)
        yield point


def _integers(rounded: list[Operation], whole: frozenset[str] | set[str]) -> Iterator[int]:
    yield from range(1, N_SMALL + 1)
    yield from (N_SMALL + int(hash_text(f"middle {k}", 8), 16) % 400 for k in range(N_MIDDLE))
    if not rounded:
        return
    yield from (int(hash_text(f"large {k}", 8), 16) % 10 ** (3 + k % 4) + 1 for k in range(N_LARGE))
    written = {
        n
        for part in rounded
        for number in walk(part)
        if isinstance(number, Number)
        for n in (abs(number.value.numerator), number.value.denominator)
        if 2 <= n <= MAX_BOUNDARY
    }
    for n in sorted(written)[:6]:
        for multiple in (1, 2, 7):
            yield from (multiple * n - 1, multiple * n, multiple * n + 1)
    for part in rounded[:4]:
        letters = symbols(part.operands[0])
        if len(letters) == 1 and letters <= whole:
            yield from _crossings(part.operands[0], next(iter(letters)))


def _crossings(inside: Expression, letter: str) -> Iterator[int]:
    """Integers on both sides of the places where an increasing inside of a floor passes an integer."""
    for k in range(N_CROSSINGS):
        target = 2 + k + 5 * k * k
        low, high = 1, MAX_BOUNDARY
        try:
            while low < high:
                middle = (low + high) // 2
                if evaluate(inside, {letter: acb(middle)}, 128).real < target:
                    low = middle + 1
                else:
                    high = middle
        except (Undefined, AnswerTooLarge):
            return
        yield from (max(1, low - 1), low)
