r"""Equality of two functions: the same value at every point of the real line, or at every integer.

SAME is said only when no point disagrees. A point is decisive when the error bound of the difference is far
below the smallest part of either side: next to (-1)^n, a 3^n that has shrunk to 3^-5000 would otherwise be
overlooked. Random points of analytic functions: two different ones agree on a set of measure zero.
"""

from collections.abc import Iterator
from enum import Enum
from fractions import Fraction
from functools import lru_cache

from flint import acb, arb

from rewards.answer.types import Constant, Expression, Number, Operation, substitute, symbols, walk
from rewards.arithmetic.balls import difference_at, leaves_reals, log2_least, log2_magnitude
from rewards.arithmetic.exact import NotRational, Undefined, rational_value
from rewards.arithmetic.integers import integer_letters, integer_points, is_determined_by_integers, is_rounded
from rewards.contracts.files import hash_text
from rewards.verdict import AnswerTooLarge

PRECISIONS = (192, 1536, 12_288)
"""Bits of the evaluations at a point, each tried when the one before was not decisive."""
AGREEMENT_BITS = 80
"""At a point, values are equal when they differ by less than 2^-80, relative to 1 and to every smaller
part."""
RANGES = ((0.1, 0.9), (1.1, 2), (2, 5), (-0.9, -0.1), (-4, -1.1), (5, 9), (-9, -4))
FAR_RANGES = ((12, 80), (-80, -12), (100, 900), (-900, -100), (2000, 9000), (-9000, -2000))
"""Functions with corners, such as |x+40|, are also compared far from zero, on both sides."""
N_MIXED_POINTS = 4
"""Points whose variables come from different ranges."""
MIN_POINTS, MIN_INTEGER_POINTS = 2, 4
"""Fewest points that have to agree."""
_CORNERED = frozenset(("abs", "floor", "ceil", "root", "ln", "log", "max", "min"))
_GROWING = frozenset(("exp", "sinh", "cosh", "!", "!!", "binom", "sum", "prod"))
MAX_PLAIN_EXPONENT = 8
"""A higher power can make a part vanish next to the others."""


class Match(Enum):
    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"
    OUTSIDE = "outside"
    """One of them has no real value there, such as the logarithm of a negative number: ln x^2 and 2 ln x."""


def same_function(left: Expression, right: Expression) -> bool | None:
    """Tell whether two expressions with variables are equal, `left` being the reference.

    None when undecided; AnswerTooLarge when their values are past the limits everywhere.
    """
    names = sorted(symbols(left) | symbols(right))
    matches = []
    for point in _real_points(names, left, right):
        match = _match_at(_on_reals(left), _on_reals(right), point)
        if match is Match.DIFFERENT:
            return _same_sequence(left, right, names)
        matches.append(match)
    if matches.count(Match.SAME) >= MIN_POINTS:
        return not _differs_at_integers(left, right, names)
    if _same_sequence(left, right, names):
        return True
    if Match.TOO_LARGE in matches:
        raise AnswerTooLarge("a function too big to evaluate")
    return None


@lru_cache(maxsize=4096)
def _on_reals(value: Expression) -> Expression:
    """Continue (-c)^u from the integers to the reals, as c^u cos(pi u); equal there, they are equal at
    integers."""
    if not isinstance(value, Operation):
        return value
    operands = tuple(_on_reals(operand) for operand in value.operands)
    if value.name == "^" and symbols(operands[1]):
        base = _negative_number(operands[0])
        if base is not None:
            turn = Operation("cos", (Operation("*", (Constant("pi"), operands[1])),))
            return (
                turn if base == -1 else Operation("*", (Operation("^", (Number(-base), operands[1])), turn))
            )
    return Operation(value.name, operands)


def _negative_number(base: Expression) -> Fraction | None:
    try:
        value = rational_value(base)
    except (NotRational, Undefined):
        return None
    return value if value < 0 else None


def _same_sequence(left: Expression, right: Expression, names: list[str]) -> bool:
    """Compare at integers, where letters of the reference can only be integers."""
    whole = integer_letters(left)
    if not whole and is_determined_by_integers(left):
        whole = integer_letters(right)
    if not whole:
        return False
    matches = list(_matches_at_integers(left, right, names, whole))
    return (
        not {Match.DIFFERENT, Match.OUTSIDE} & set(matches)
        and matches.count(Match.SAME) >= MIN_INTEGER_POINTS
    )


def _differs_at_integers(left: Expression, right: Expression, names: list[str]) -> bool:
    """Tell whether floors that agree between the integers differ at one: ceil(x) and floor(x) + 1."""
    if not any(is_rounded(part) for value in (left, right) for part in walk(value)):
        return False
    return Match.DIFFERENT in _matches_at_integers(left, right, names, frozenset(names))


def _matches_at_integers(
    left: Expression, right: Expression, names: list[str], whole: frozenset[str]
) -> Iterator[Match]:
    """Compare at integers, up to the first that differs."""
    for point in integer_points(names, whole & set(names), left, right):
        match = _match_constants(substitute(left, point), substitute(right, point))
        yield match
        if match is Match.DIFFERENT:
            return


def _match_constants(left: Expression, right: Expression) -> Match:
    try:
        return Match.SAME if rational_value(left) == rational_value(right) else Match.DIFFERENT
    except Undefined:
        return Match.UNKNOWN
    except NotRational:
        return _match_at(left, right, {})


def _real_points(names: list[str], *values: Expression) -> Iterator[dict[str, acb]]:
    """Yield fixed real points: all variables in one range, for each range, then each in its own range."""
    has_corners = any(_has_corner(part) for value in values for part in walk(value))
    ranges = RANGES + FAR_RANGES if has_corners else RANGES
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


def _match_at(left: Expression, right: Expression, point: dict[str, acb]) -> Match:
    smallest = 0.0

    def note(_: str, part: acb) -> None:
        nonlocal smallest
        smallest = min(smallest, log2_least(part))

    on_part = note if _is_growing(left) or _is_growing(right) else None
    for precision in PRECISIONS:
        smallest = 0.0
        try:
            difference = difference_at(left, right, point, precision, on_part)
            if not difference.contains(0):
                outside = leaves_reals(left, point, precision) or leaves_reals(right, point, precision)
                return Match.OUTSIDE if outside else Match.DIFFERENT
        except Undefined:
            return Match.UNKNOWN
        except AnswerTooLarge:
            return Match.TOO_LARGE
        if log2_magnitude(difference) < smallest - AGREEMENT_BITS:
            return Match.SAME
    return Match.UNKNOWN


@lru_cache(maxsize=4096)
def _is_growing(value: Expression) -> bool:
    """Tell whether a part can be so small at some point that the others hide it."""
    for part in walk(value):
        if not isinstance(part, Operation):
            continue
        if part.name in _GROWING:
            return True
        if part.name == "^":
            exponent = part.operands[1]
            if not isinstance(exponent, Number) or abs(exponent.value) > MAX_PLAIN_EXPONENT:
                return True
    return False
