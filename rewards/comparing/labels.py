"""Comparison of the names of two answers: x = 5, f(x) = 2x and f(t) = 2t, a_1 = 3."""

from rewards.answer.renaming import renamed, symbols_of
from rewards.answer.types import Answer, Expression, Named, Operation, Symbol
from rewards.arithmetic.values import same_value
from rewards.parsing.labels import ANY_VARIABLE


def letter(label: Expression) -> Expression:
    """The letter of an indexed name: x of x_1."""
    return Symbol(label.name.split("_")[0]) if isinstance(label, Symbol) else label


def same_label(gold: Expression, response: Named) -> tuple[bool, Answer]:
    """Compare names; the argument of a function definition may be called anything."""
    label, value = response.label, response.value
    if gold == label or _same_derivative(gold, label):
        return True, value
    if _marks(gold) != _marks(label) or _names_other_value(gold, label):
        return False, value
    if not (isinstance(gold, Operation) and isinstance(label, Operation)):
        return isinstance(gold, Operation) != isinstance(label, Operation) and _is_definition(
            gold, label
        ), value
    if len(gold.operands) != len(label.operands) or gold.name == "@tuple":
        return False, value
    renames: dict[Expression, Expression] = {}
    for ours, theirs in zip(gold.operands, label.operands, strict=True):
        if isinstance(ours, Symbol) and isinstance(theirs, Symbol):
            if ours != theirs and ours.name[:1].isupper() != theirs.name[:1].isupper():
                return False, value  # V(X) is of a point or a random variable, not a function of w
            if renames.setdefault(theirs, ours) != ours:
                return False, value
        elif not same_value(ours, theirs):
            return False, value
    captured = {new.name for new in renames.values() if isinstance(new, Symbol) and new not in renames}
    if captured & symbols_of(value):
        return False, value  # f(w) = x - 1 is not f(x) = x - 1
    return True, renamed(value, renames)


def _same_derivative(gold: Expression, label: Expression) -> bool:
    """y' and dy/dx are one derivative, whatever the variable of the first; dy/dx and dx/dy are not."""
    if not (isinstance(gold, Symbol) and isinstance(label, Symbol) and gold.name.startswith("derivative ")):
        return False
    *ours, by = gold.name.split(" ")
    *theirs, other = label.name.split(" ")
    return ours == theirs and ANY_VARIABLE in (by, other)


def _marks(label: Expression) -> str:
    """The marks on the letter of a function: f'(x) and f^{-1}(x) are not f(x)."""
    is_function = isinstance(label, Operation) and label.name != "@tuple"
    return label.name[2:] if is_function and isinstance(label, Operation) else ""


def _names_other_value(gold: Expression, label: Expression) -> bool:
    """True for the names of two functions: f(x) and g(x) are as different as x and y."""
    return isinstance(gold, Operation) and isinstance(label, Operation) and gold.name != label.name


def _is_definition(gold: Expression, label: Expression) -> bool:
    """y = x^2 and f(x) = x^2 name the same function; f(3) = 9 and y = 9 do not."""
    applied, bare = (gold, label) if isinstance(gold, Operation) else (label, gold)
    assert isinstance(applied, Operation)
    return isinstance(bare, Symbol) and all(isinstance(operand, Symbol) for operand in applied.operands)
