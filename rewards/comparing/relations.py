"""Comparison of equations and inequalities: do two of them say the same thing?"""

from fractions import Fraction

from rewards.answer.types import Expression, Number, Operation, Relation, subtract, symbols
from rewards.arithmetic.real_sets import FLIPPED
from rewards.arithmetic.values import constant_ratio, same_value

MAX_TERMS = 24
"""Most fractions in a sum that is brought over one denominator."""
_ONE = Number(Fraction(1))
_SYMMETRIC = frozenset(("=", "ne", "parallel", "perp", "sim", "cong"))


def same_relation(gold: Relation, response: Relation) -> bool | None:
    """Compare relations side by side, then as zero sets: one difference is a constant times the other."""
    if gold.operator == response.operator and _same_sides(gold, response.left, response.right):
        return True
    flipped = response.operator if response.operator in _SYMMETRIC else FLIPPED.get(response.operator)
    if gold.operator == flipped and _same_sides(gold, response.right, response.left):
        return True
    if gold.operator not in FLIPPED or response.operator not in FLIPPED:
        return False
    ours, theirs = subtract(gold.left, gold.right), subtract(response.left, response.right)
    if symbols(ours) != symbols(theirs) or not symbols(ours):
        return False
    is_equation = gold.operator == response.operator == "="
    sign = constant_ratio(ours, theirs)
    if sign is None and is_equation:
        sign = constant_ratio(_numerator(ours), _numerator(theirs))
    if sign is None:
        return False
    return gold.operator == (response.operator if sign > 0 else FLIPPED[response.operator])


def _same_sides(gold: Relation, left: Expression, right: Expression) -> bool:
    return bool(same_value(gold.left, left) and same_value(gold.right, right))


def _numerator(value: Expression) -> Expression:
    return _over_one_denominator(value)[0]


def _over_one_denominator(value: Expression) -> tuple[Expression, Expression]:
    """Write a rational expression as numerator and denominator, without canceling."""
    if isinstance(value, Operation) and value.name == "/":
        over, under = (_over_one_denominator(operand) for operand in value.operands)
        return Operation("*", (over[0], under[1])), Operation("*", (over[1], under[0]))
    if isinstance(value, Operation) and value.name == "*":
        parts = [_over_one_denominator(operand) for operand in value.operands]
        return Operation("*", tuple(p[0] for p in parts)), Operation("*", tuple(p[1] for p in parts))
    if isinstance(value, Operation) and value.name == "+" and len(value.operands) <= MAX_TERMS:
        parts = [_over_one_denominator(operand) for operand in value.operands]
        if all(bottom == _ONE or not symbols(bottom) for _, bottom in parts):
            return value, _ONE
        terms = []
        for n, (top, _) in enumerate(parts):
            others = tuple(bottom for k, (_, bottom) in enumerate(parts) if k != n)
            terms.append(Operation("*", (top, *others)))
        return Operation("+", tuple(terms)), Operation("*", tuple(bottom for _, bottom in parts))
    return value, _ONE
