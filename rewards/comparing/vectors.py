"""Vector notations: sums of basis vectors, tuples, and matrices with one row or column."""

from fractions import Fraction

from rewards.answer.types import (
    Answer,
    Collection,
    Expression,
    Matrix,
    Number,
    Scalar,
    Symbol,
    substitute,
    symbols,
)
from rewards.arithmetic.values import same_value

BASIS = ("hat i", "hat j", "hat k")
_ZERO, _ONE = Number(Fraction(0)), Number(Fraction(1))


def written_alike(answer: Answer, other: Answer) -> Answer:
    """Return a sum of basis vectors as a tuple when `other` lists the components of its vector."""
    if not (isinstance(answer, Scalar) and isinstance(other, Collection | Matrix)):
        return answer
    n_components = len(other.items) if isinstance(other, Collection) else sum(len(row) for row in other.rows)
    components = _components(answer.value)
    if not components or not all(same_value(part, _ZERO) for part in components[n_components:]):
        return answer
    return Collection("tuple", tuple(Scalar(part) for part in components[:n_components]))


def _components(value: Expression) -> list[Expression]:
    """Coefficients of i, j and k in a sum without a constant term; empty when it is not such a sum."""
    if not symbols(value).intersection(BASIS) or not same_value(_at(value, None), _ZERO):
        return []
    return [_at(value, name) for name in BASIS]


def _at(value: Expression, unit: str | None) -> Expression:
    return substitute(value, {Symbol(name): _ONE if name == unit else _ZERO for name in BASIS})
