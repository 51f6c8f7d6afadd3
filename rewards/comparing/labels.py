"""Comparison of the names of two answers: x = 5, f(x) = 2x and f(t) = 2t, a_1 = 3."""

from rewards.answer.types import Answer, Expression, Named, Operation, Scalar, Symbol, substitute
from rewards.arithmetic.values import same_value


def letter(label: Expression) -> Expression:
    """The letter of an indexed name: x of x_1."""
    return Symbol(label.name.split("_")[0]) if isinstance(label, Symbol) else label


def same_label(gold: Expression, response: Named) -> tuple[bool, Answer]:
    """Compare names; the argument of a function definition may be called anything."""
    label, value = response.label, response.value
    if gold == label:
        return True, value
    if _marks(gold) != _marks(label) or _names_other_value(gold, label):
        return False, value
    if not (isinstance(gold, Operation) and isinstance(label, Operation)):
        return isinstance(gold, Operation) != isinstance(label, Operation) and _is_definition(
            gold, label
        ), value
    if len(gold.operands) != len(label.operands):
        return False, value
    renames: dict[Expression, Expression] = {}
    for ours, theirs in zip(gold.operands, label.operands, strict=True):
        if isinstance(ours, Symbol) and isinstance(theirs, Symbol):
            renames[theirs] = ours
        elif not same_value(ours, theirs):
            return False, value
    if isinstance(value, Scalar):
        value = Scalar(substitute(value.value, renames), value.unit, value.is_percent)
    return True, value


def _marks(label: Expression) -> str:
    """The marks on the letter of a function: f'(x) and f^{-1}(x) are not f(x)."""
    is_function = isinstance(label, Operation) and label.name != "@tuple"
    return label.name[2:] if is_function and isinstance(label, Operation) else ""


def _names_other_value(gold: Expression, label: Expression) -> bool:
    """True for values of different functions: f(2) and g(2); but f(x) and g(x) may define the same one."""
    if not (isinstance(gold, Operation) and isinstance(label, Operation)) or gold.name == label.name:
        return False
    return not all(isinstance(operand, Symbol) for operand in gold.operands + label.operands)


def _is_definition(gold: Expression, label: Expression) -> bool:
    """y = x^2 and f(x) = x^2 name the same function; f(3) = 9 and y = 9 do not."""
    applied, bare = (gold, label) if isinstance(gold, Operation) else (label, gold)
    assert isinstance(applied, Operation)
    return isinstance(bare, Symbol) and all(isinstance(operand, Symbol) for operand in applied.operands)
