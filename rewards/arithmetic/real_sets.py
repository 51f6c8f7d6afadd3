"""Sets of real numbers: inequalities solved to intervals, and unions of intervals compared as sets."""

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cmp_to_key

from rewards.answer.types import (
    INFINITY,
    Answer,
    Collection,
    Expression,
    Interval,
    Number,
    Operation,
    Region,
    Scalar,
    Symbol,
    negative,
    substitute,
    subtract,
    symbols,
    walk,
)
from rewards.arithmetic.exact import NotRational, Undefined, rational_value
from rewards.arithmetic.values import compare_constants, same_value, sign_of_infinity

MINUS_INFINITY = negative(INFINITY)
REALS = Interval(MINUS_INFINITY, INFINITY, False, False)
FLIPPED = {"<": ">", ">": "<", "le": "ge", "ge": "le", "=": "=", "ne": "ne"}
_ZERO, _ONE = Number(Fraction(0)), Number(Fraction(1))


def solve_relation(operator: str, left: Expression, right: Expression) -> Region | None:
    """Solve an inequality in one unknown that is linear, or that compares |linear| with a constant."""
    if operator not in FLIPPED or operator == "=":
        return None
    if not symbols(left) and symbols(right):
        left, right, operator = right, left, FLIPPED[operator]
    if symbols(right) or len(symbols(left)) != 1:
        return None
    variable = Symbol(next(iter(symbols(left))))
    if isinstance(left, Operation) and left.name == "abs":
        return _absolute(operator, left.operands[0], right, variable)
    solved = _linear(operator, left, right, variable)
    return solved and Region(merge(_ray(*solved)), variable)


def _linear(
    operator: str, left: Expression, right: Expression, variable: Symbol
) -> tuple[str, Expression] | None:
    """Bring `a x + b op c` to `x op d`."""
    if left == variable:
        return operator, right
    start = substitute(left, {variable: _ZERO})
    slope = subtract(substitute(left, {variable: _ONE}), start)
    is_linear = same_value(left, Operation("+", (Operation("*", (slope, variable)), start)))
    order = compare_constants(slope, _ZERO) if is_linear else None
    if not order:
        return None
    bound: Expression = Operation("/", (subtract(right, start), slope))
    with suppress(NotRational, Undefined):
        bound = Number(rational_value(bound))
    return operator if order > 0 else FLIPPED[operator], bound


def _ray(operator: str, bound: Expression) -> list[Interval]:
    if operator == "ne":
        return [Interval(MINUS_INFINITY, bound, False, False), Interval(bound, INFINITY, False, False)]
    is_closed = operator in ("le", "ge")
    if operator in ("<", "le"):
        return [Interval(MINUS_INFINITY, bound, False, is_closed)]
    return [Interval(bound, INFINITY, is_closed, False)]


def _absolute(operator: str, inner: Expression, bound: Expression, variable: Symbol) -> Region | None:
    """|inner| < c means inner between -c and c; |inner| > c means outside."""
    if operator not in ("<", "le", ">", "ge") or compare_constants(bound, _ZERO) != 1:
        return None
    upper = _linear(operator, inner, bound, variable)
    lower = _linear(FLIPPED[operator], inner, negative(bound), variable)
    if upper is None or lower is None:
        return None
    if operator in ("<", "le"):
        pieces = intersect(_ray(*upper), _ray(*lower))
        return Region(tuple(pieces), variable) if pieces else None
    return Region(merge(_ray(*upper) + _ray(*lower)), variable)


def intersect(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval] | None:
    """Intersect two unions; None when their ends cannot be ordered."""
    pieces = []
    for a in first:
        for b in second:
            low, high = compare_constants(a.low, b.low), compare_constants(a.high, b.high)
            if low is None or high is None:
                return None
            start = (a.low, a.is_low_closed) if low > 0 else (b.low, b.is_low_closed)
            stop = (a.high, a.is_high_closed) if high < 0 else (b.high, b.is_high_closed)
            if low == 0:
                start = (a.low, a.is_low_closed and b.is_low_closed)
            if high == 0:
                stop = (a.high, a.is_high_closed and b.is_high_closed)
            order = compare_constants(start[0], stop[0])
            if order == -1 or (order == 0 and start[1] and stop[1]):
                pieces.append(Interval(start[0], stop[0], start[1], stop[1]))
    return pieces


def merge(intervals: Sequence[Interval]) -> tuple[Interval, ...]:
    """Sort and join touching pieces; pieces whose ends cannot be ordered stay as they are."""
    bounds = [bound for piece in intervals for bound in (piece.low, piece.high)]
    if any(symbols(bound) for bound in bounds):
        return tuple(intervals)
    if any(compare_constants(piece.low, piece.high) is None for piece in intervals):
        return tuple(intervals)

    def by_start(a: Interval, b: Interval) -> int:
        return compare_constants(a.low, b.low) or (b.is_low_closed - a.is_low_closed)

    merged: list[Interval] = []
    for piece in sorted((_opened(piece) for piece in intervals), key=cmp_to_key(by_start)):
        if not merged:
            merged.append(piece)
            continue
        last = merged[-1]
        gap = compare_constants(piece.low, last.high)
        if gap is None or gap > 0 or (gap == 0 and not (piece.is_low_closed or last.is_high_closed)):
            merged.append(piece)
            continue
        further = compare_constants(piece.high, last.high) or 0
        is_closed = piece.is_high_closed if further > 0 else last.is_high_closed
        if further == 0:
            is_closed = piece.is_high_closed or last.is_high_closed
        high = piece.high if further > 0 else last.high
        merged[-1] = Interval(last.low, high, last.is_low_closed, is_closed)
    return tuple(merged)


def _opened(piece: Interval) -> Interval:
    """An infinite end is open, however it was written."""
    return Interval(
        piece.low,
        piece.high,
        piece.is_low_closed and not sign_of_infinity(piece.low),
        piece.is_high_closed and not sign_of_infinity(piece.high),
    )


def remove_points(intervals: Sequence[Interval], points: Sequence[Expression]) -> list[Interval] | None:
    """Remove single points from a union."""
    pieces = list(intervals)
    for point in points:
        sides = [Interval(MINUS_INFINITY, point, False, False), Interval(point, INFINITY, False, False)]
        remaining = intersect(pieces, sides)
        if remaining is None:
            return None
        pieces = remaining
    return pieces


def remove_region(intervals: Sequence[Interval], removed: Sequence[Interval]) -> list[Interval] | None:
    """Remove one union from another; None when their ends cannot be ordered."""
    pieces = list(intervals)
    for piece in map(_opened, removed):
        outside = [
            Interval(MINUS_INFINITY, piece.low, False, not piece.is_low_closed),
            Interval(piece.high, INFINITY, not piece.is_high_closed, False),
        ]
        rest = [side for side in outside if not (sign_of_infinity(side.low) and sign_of_infinity(side.high))]
        remaining = intersect(pieces, rest)
        if remaining is None:
            return None
        pieces = remaining
    return pieces


def same_region(left: Region, right: Region) -> bool | None:
    """Compare two unions end by end, after joining their pieces."""
    first, second = merge(left.intervals), merge(right.intervals)
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        if (a.is_low_closed, a.is_high_closed) != (b.is_low_closed, b.is_high_closed):
            return False
        for one, other in ((a.low, b.low), (a.high, b.high)):
            same = same_value(one, other)
            if not same:
                return same
    return True


def as_region(answer: Answer) -> Region | None:
    """Read a bracketed pair as an interval, and a set of numbers as points."""
    if isinstance(answer, Region):
        return answer
    if not isinstance(answer, Collection) or not all(isinstance(item, Scalar) for item in answer.items):
        return None
    values = [item.value for item in answer.items if isinstance(item, Scalar)]
    if any(isinstance(part, Symbol) for value in values for part in walk(value) if len(values) != 2):
        return None
    if answer.kind in ("tuple", "square") and len(values) == 2:
        is_closed = answer.kind == "square"
        return Region((Interval(values[0], values[1], is_closed, is_closed),))
    if answer.kind == "set":
        return Region(tuple(Interval(value, value, True, True) for value in values))
    return None
