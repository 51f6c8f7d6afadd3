r"""Lists with dots: {1, 2, ..., 10} has ten members."""

from fractions import Fraction

from rewards.answer.types import Answer, Number, Scalar, Symbol

MAX_LISTED = 60
"""Most members that are written out."""
_DOTS = Scalar(Symbol("\\ldots"))


def written_out(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Replace dots between numbers by the members they stand for; any other list is unchanged."""
    if items.count(_DOTS) != 1 or not 0 < items.index(_DOTS) < len(items) - 1:
        return items
    place = items.index(_DOTS)
    before, after = _numbers(items[:place]), _numbers(items[place + 1 :])
    if not before or not after or len(before) + len(after) != len(items) - 1:
        return items
    step = before[1] - before[0] if len(before) > 1 else Fraction(1)
    count = (after[0] - before[0]) / step if step else Fraction(0)
    if count.denominator != 1 or not len(before) <= count <= MAX_LISTED:
        return items
    values = [before[0] + n * step for n in range(count.numerator)]
    ending = [after[0] + n * step for n in range(len(after))]
    if values[: len(before)] != before or ending != after:
        return items
    return tuple(Scalar(Number(value)) for value in values + ending)


def _numbers(items: tuple[Answer, ...]) -> list[Fraction]:
    return [
        item.value.value
        for item in items
        if isinstance(item, Scalar) and isinstance(item.value, Number) and item.unit is None
    ]
