"""Types of a parsed answer: expressions, and the shapes an answer can have.

Everything is immutable and hashable, so equal answers share cached comparisons however they were spelled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from rewards.answer.units import Unit


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class Constant:
    """pi, e, i or infinity."""

    name: Literal["pi", "e", "i", "infinity"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, with its subscript and decorations in the name.

    A name that starts with `#` is bound: the index of the sum or product around it.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or function with its operands.

    `+`, `*`, `gcd`, `lcm`, `max` and `min` take any number of operands; `^`, `/`, `root` (radicand,
    index), `log`
    (argument, base) and `binom` take two, `sum` and `prod` four: body, bound symbol, lowest and highest
    index.
    A name that starts with `@` is an unknown function, equal only for equal operands.
    """

    name: str
    operands: tuple["Expression", ...]


Expression = Number | Constant | Symbol | Operation


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, with its unit and percent sign kept separate."""

    value: Expression
    unit: Unit | None = None
    is_percent: bool = False


@dataclass(frozen=True, slots=True)
class Collection:
    """Several answers: `list` has no brackets, `square` has [ ], `tuple` has ( ) or angle brackets."""

    kind: Literal["list", "tuple", "square", "set"]
    items: tuple["Answer", ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers between two ends; a single point has equal closed ends."""

    low: Expression
    high: Expression
    is_low_closed: bool
    is_high_closed: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A union of intervals of the real line; `variable` is the unknown in it, when it was named."""

    intervals: tuple[Interval, ...]
    variable: Expression | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A value with the name it was given: x = 5, f(3) = 10, the angle A = 30 degrees."""

    label: Expression
    value: "Answer"


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation, inequality or other relation that does not name a value."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Ratio:
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day; `half` is am or pm when it was given."""

    hour: int
    minute: int
    half: Literal["am", "pm"] | None
    second: int = 0


@dataclass(frozen=True, slots=True)
class Numeral:
    """A numeral with its base written out."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Residue:
    value: Expression
    modulus: Expression
    variable: Expression | None = None


@dataclass(frozen=True, slots=True)
class Cases:
    """A piecewise value: pairs of value and condition."""

    rows: tuple[tuple["Answer", "Answer"], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Text without case, markup, articles and final period."""

    text: str


Answer = (
    Scalar
    | Collection
    | Region
    | Matrix
    | Named
    | Relation
    | Ratio
    | Clock
    | Numeral
    | Residue
    | Cases
    | Words
)

INFINITY = Constant("infinity")
MINUS_ONE = Number(Fraction(-1))


def negative(value: Expression) -> Expression:
    """Negate, folding the sign into a number."""
    if isinstance(value, Number):
        return Number(-value.value)
    return Operation("*", (MINUS_ONE, value))


def subtract(left: Expression, right: Expression) -> Expression:
    return Operation("+", (left, negative(right)))


def walk(value: Expression) -> Iterator[Expression]:
    """Yield every part of an expression, without recursion."""
    pending = [value]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, Operation):
            pending.extend(part.operands)


def symbols(value: Expression) -> frozenset[str]:
    """Names of the free variables."""
    return frozenset(part.name for part in walk(value) if isinstance(part, Symbol) and part.name[0] != "#")


def substitute(value: Expression, replacements: dict[Expression, Expression]) -> Expression:
    """Replace whole parts of an expression."""
    if value in replacements:
        return replacements[value]
    if isinstance(value, Operation):
        return Operation(value.name, tuple(substitute(part, replacements) for part in value.operands))
    return value
