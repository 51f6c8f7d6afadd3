"""Wrong answers close to a right one, which a trustworthy verifier must reject."""

from collections.abc import Iterator
from fractions import Fraction

from rewards.answer.types import (
    Answer,
    Clock,
    Collection,
    Expression,
    Interval,
    Matrix,
    Named,
    Number,
    Numeral,
    Operation,
    Ratio,
    Region,
    Relation,
    Residue,
    Scalar,
    Words,
    negative,
)
from rewards.arithmetic.values import same_value, sign_of_infinity
from rewards.comparing.equality import same_answer

_ONE, _TEN, _ZERO = Number(Fraction(1)), Number(Fraction(10)), Number(Fraction(0))


def wrong_neighbors(answer: Answer) -> Iterator[Answer]:
    """Yield wrong answers: off by one, sign flipped, ends opened, items dropped or swapped."""
    match answer:
        case Scalar():
            for value in _values(answer.value):
                yield Scalar(value, answer.unit, answer.is_percent)
        case Named():
            yield from (Named(answer.label, value) for value in wrong_neighbors(answer.value))
        case Collection():
            yield from _collections(answer)
        case Region():
            yield from _regions(answer)
        case Matrix():
            first, *others = answer.rows
            for value in _values(first[0]):
                yield Matrix(((value, *first[1:]), *others))
        case Ratio():
            if same_value(answer.terms[-1], _ZERO) is False:
                yield Ratio((Operation("+", (answer.terms[0], _ONE)), *answer.terms[1:]))
            if not same_value(answer.terms[0], answer.terms[-1]):
                yield Ratio(answer.terms[::-1])
        case Relation():
            yield Relation(answer.operator, answer.left, Operation("+", (answer.right, _ONE)))
        case Residue():
            yield Residue(Operation("+", (answer.value, _ONE)), answer.modulus, answer.variable)
        case Numeral():
            yield Numeral(answer.digits + "1", answer.base)
            if answer.base < 36:
                yield Numeral(answer.digits, answer.base + 1)
        case Clock():
            yield Clock(answer.hour, (answer.minute + 1) % 60, answer.half, answer.second)
        case Words():
            yield Words(f"not {answer.text}")


def _values(value: Expression) -> Iterator[Expression]:
    if sign_of_infinity(value):
        yield negative(value)
        yield _ZERO
        return
    if isinstance(value, Number):
        yield Number(value.value + 1)
        yield Number(value.value - 1)
        if value.value:
            yield Number(-value.value)
            yield Number(value.value * 10)
        if value.value not in (0, 1, -1):
            yield Number(1 / value.value)
        return
    yield Operation("+", (value, _ONE))
    if same_value(value, _ZERO) is False:
        yield negative(value)
        yield Operation("*", (_TEN, value))


def _collections(answer: Collection) -> Iterator[Answer]:
    items = answer.items
    if not items:
        yield Scalar(_ZERO)
        return
    for changed in wrong_neighbors(items[0]):
        yield Collection(answer.kind, (changed, *items[1:]))
        break
    if len(items) > 1:
        if not any(same_answer(items[-1], item) for item in items[:-1]):
            yield Collection(answer.kind, items[:-1])
        if answer.kind in ("tuple", "square") and all(isinstance(item, Scalar) for item in items):
            swapped = (items[1], items[0], *items[2:])
            first, second = items[0], items[1]
            assert isinstance(first, Scalar) and isinstance(second, Scalar)
            if same_value(first.value, second.value) is False:
                yield Collection(answer.kind, swapped)


def _regions(answer: Region) -> Iterator[Answer]:
    first, others = answer.intervals[0], answer.intervals[1:]
    if not sign_of_infinity(first.low):
        toggled = Interval(first.low, first.high, not first.is_low_closed, first.is_high_closed)
        yield Region((toggled, *others), answer.variable)
        if sign_of_infinity(first.high):
            low = Operation("+", (first.low, _ONE))
            moved = Interval(low, first.high, first.is_low_closed, first.is_high_closed)
            yield Region((moved, *others), answer.variable)
    if not sign_of_infinity(first.high):
        toggled = Interval(first.low, first.high, first.is_low_closed, not first.is_high_closed)
        yield Region((toggled, *others), answer.variable)
