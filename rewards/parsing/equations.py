"""Parsers for items with relations: chains of equalities, roundings, inequalities, memberships."""

from collections.abc import Callable
from fractions import Fraction

from rewards.answer.types import (
    Answer,
    Collection,
    Expression,
    Matrix,
    Named,
    Number,
    Operation,
    Ratio,
    Region,
    Relation,
    Residue,
    Scalar,
    Symbol,
    subtract,
    symbols,
    walk,
)
from rewards.answer.units import Unit
from rewards.arithmetic import real_sets as regions
from rewards.arithmetic.balls import evaluate
from rewards.arithmetic.exact import Undefined
from rewards.arithmetic.real_sets import as_region
from rewards.arithmetic.values import same_value
from rewards.parsing.expressions import APPLIED_NAMES, parse_expression
from rewards.parsing.labels import parse_label
from rewards.parsing.splitting import RELATIONS, split_tokens
from rewards.parsing.tokens import Token
from rewards.verdict import UnparsableAnswer

Parse = Callable[[list[Token]], Answer]
"""The parser of a value without relations around it."""


def parse_item(tokens: list[Token], parse_value: Parse) -> Answer:
    """Parse one item: a value, or a relation between two or more."""
    found: list[str] = []
    if len(tokens) > 1 and tokens[0].value in ("approx", "="):
        tokens = tokens[1:]
    if RELATIONS.isdisjoint([token.value for token in tokens]):
        return parse_value(tokens)
    parts = split_tokens(
        tokens, lambda token: token.value in RELATIONS and token.kind in ("sign", "command"), found
    )
    if not found:
        return parse_value(tokens)
    if "approx" in found:
        return _rounded(parts, found, parse_value)
    if found[0] in ("in", "equiv") and len(found) == 1:
        return _member(parts[0], parts[1], found[0], parse_value)
    if set(found) == {"="}:
        return _chain(parts, parse_value)
    if len(found) == 1:
        return _relation(found[0], parse_expression(parts[0]), parse_expression(parts[1]))
    sides = [parse_expression(part) for part in parts]
    steps = [_relation(op, a, b) for op, a, b in zip(found, sides, sides[1:], strict=False)]
    solved = [step for step in steps if isinstance(step, Region)]
    if len(solved) == len(steps) == 2 and solved[0].variable == solved[1].variable:
        common = regions.intersect(solved[0].intervals, solved[1].intervals)
        if common:
            return Region(tuple(common), solved[0].variable)
    return Collection("list", tuple(steps))


def _relation(operator: str, left: Expression, right: Expression) -> Answer:
    solved = regions.solve_relation(operator, left, right)
    return solved or Relation(operator, left, right)


def _rounded(parts: list[list[Token]], operators: list[str], parse_value: Parse) -> Answer:
    """x = sqrt 2 = ... ~ 1.414: what follows is a right rounding of what comes before, or itself the value.

    After a bare name, the rounded value is all there is: it is the value.
    """
    if not set(operators) <= {"=", "approx"}:
        raise UnparsableAnswer("an inequality with a rounded side")
    first = operators.index("approx")
    exact, roundings = parts[: first + 1], parts[first + 1 :]
    label = parse_label(exact[0]) if len(exact) == 1 else None
    if label is not None:
        value = parse_item(roundings[0], parse_value)
        if not isinstance(value, Scalar):
            raise UnparsableAnswer("a rounding of something that is not a number")
        _check_roundings(value, roundings[1:], parse_value)
        return Named(label, value)
    answer = parse_item(_joined(exact), parse_value)
    inner = answer.value if isinstance(answer, Named) else answer
    if not isinstance(inner, Scalar) or symbols(inner.value):
        raise UnparsableAnswer("a rounding of something that is not a number")
    unit = _check_roundings(inner, roundings, parse_value)
    if unit is not None and inner.unit is None:
        inner = Scalar(inner.value, unit, inner.is_percent)
    return Named(answer.label, inner) if isinstance(answer, Named) else inner


def _joined(parts: list[list[Token]]) -> list[Token]:
    joined = list(parts[0])
    for part in parts[1:]:
        joined += [Token("sign", "="), *part]
    return joined


def _check_roundings(exact: Scalar, roundings: list[list[Token]], parse_value: Parse) -> Unit | None:
    """Return the unit that a rounding adds; UnparsableAnswer when one of them is wrong."""
    unit: Unit | None = None
    for tokens in roundings:
        rounded = parse_value(tokens)
        if not isinstance(rounded, Scalar) or not _is_rounding(exact, rounded, tokens):
            raise UnparsableAnswer("not a right rounding")
        unit = rounded.unit or unit
    return unit


def _is_rounding(exact: Scalar, rounded: Scalar, tokens: list[Token]) -> bool:
    """Tell whether a decimal is within half a unit of its last digit."""
    numbers = [token for token in tokens if token.kind == "number" and token.number is not None]
    is_decimal = len(numbers) == 1 or (len(numbers) == 3 and numbers[1].value == "10")
    if not is_decimal or not numbers[0].number or symbols(rounded.value):
        return same_value(exact.value, rounded.value) is True
    digits = numbers[0].value
    decimals = len(digits.partition(".")[2])
    whole = digits.rstrip("0")
    place = Fraction(1, 10**decimals) if "." in digits else Fraction(10 ** (len(digits) - len(whole)))
    ours, theirs = _number(exact), _number(rounded)
    scale = Operation("/", (theirs, Number(numbers[0].number)))
    try:
        gap = abs(evaluate(subtract(ours, theirs), {}, 256))
        limit = abs(evaluate(Operation("*", (scale, Number(place * Fraction(500001, 10**6)))), {}, 256))
    except Undefined:
        return False
    return bool(gap < limit)


def _number(scalar: Scalar) -> Expression:
    return Operation("percent", (scalar.value,)) if scalar.is_percent else scalar.value


def _member(left: list[Token], right: list[Token], operator: str, parse_value: Parse) -> Answer:
    """`x in S` and `n = 2 (mod 3)`."""
    label = parse_label(left)
    if operator == "equiv":
        value = parse_value(right)
        if not isinstance(value, Residue):
            if isinstance(label, Operation) or (isinstance(label, Symbol) and label.name in APPLIED_NAMES):
                return _chain([left, right], parse_value)  # f(x) is identically 0
            raise UnparsableAnswer("a congruence without a modulus")
        return Residue(value.value, value.modulus, label or parse_expression(left))
    value = parse_value(right)
    if isinstance(value, Collection) and value.kind in ("tuple", "square") and len(value.items) == 2:
        value = as_region(value) or value
    if label is None:
        raise UnparsableAnswer("a membership of an expression")
    if isinstance(value, Region):
        return Region(value.intervals, label)
    return Named(label, value)


def _chain(parts: list[list[Token]], parse_value: Parse) -> Answer:
    """Sides joined by equals signs: a named value, an arithmetic derivation, or an equation."""
    label = parse_label(parts[0])
    names = [parse_label(part) for part in parts[:-1]]
    if len(names) > 1 and all(isinstance(name, Symbol) for name in names) and len(set(names)) == len(names):
        return Collection("list", tuple(Named(name, parse_value(parts[-1])) for name in names if name))
    if label is not None:
        return _named(label, parts, parse_value)
    values = [parse_value(part) for part in parts]
    if isinstance(values[0], Ratio) and len(values) == 2:
        return Named(Symbol("".join(token.value for token in parts[0])), values[1])
    if len(values) == 2 and isinstance(values[1], Matrix) and _is_inverse(parts[0]):
        return Named(Symbol("".join(token.value for token in parts[0] if token.value not in "{}")), values[1])
    scalars = [value for value in values if isinstance(value, Scalar)]
    if len(scalars) != len(values):
        raise UnparsableAnswer("an equation between unlike things")
    if len(parts) == 2:
        left, right = scalars[0].value, scalars[1].value
        is_name = not any(token.kind == "number" for token in parts[1])
        flipped = parse_label(parts[1]) if is_name else None
        if flipped is not None and not symbols(left):
            return Named(flipped, values[0])
        if _is_open(left) or _is_open(right):
            if any(scalar.unit or scalar.is_percent for scalar in scalars) and not _is_product(left):
                raise UnparsableAnswer("an equation with a unit on one side")
            return Relation("=", left, right)
    if scalars[0] == scalars[1]:
        raise UnparsableAnswer("a tautology")
    if all(
        same_value(first.value, second.value) for first, second in zip(scalars, scalars[1:], strict=False)
    ):
        return scalars[-1]
    raise UnparsableAnswer("equalities that are false")


def _named(label: Expression, parts: list[list[Token]], parse_value: Parse) -> Answer:
    last = parse_value(parts[-1])
    for part in parts[1:-1]:
        middle = parse_value(part)
        if not (isinstance(middle, Scalar) and isinstance(last, Scalar)):
            raise UnparsableAnswer("a chain of equalities between unlike things")
        if not same_value(middle.value, last.value):
            raise UnparsableAnswer("a chain of equalities that is false")
    if isinstance(label, Symbol) and isinstance(last, Scalar) and label.name in symbols(last.value):
        return Relation("=", label, last.value)  # x = x + 1 names nothing
    return Named(label, last)


def _is_inverse(tokens: list[Token]) -> bool:
    """The names of two matrices made of one: A^{-1} and A^T."""
    name, *marks = [token.value for token in tokens if token.value not in "{}"]
    return (
        tokens[0].kind == "name" and name.isupper() and marks in (["^", "-", "1"], ["^", "T"], ["^", "top"])
    )


def _is_open(value: Expression) -> bool:
    """True when a value depends on variables or unknown functions."""
    return any(
        isinstance(part, Symbol) or (isinstance(part, Operation) and part.name[0] == "@")
        for part in walk(value)
    )


def _is_product(value: Expression) -> bool:
    """True for AB = 5 cm: a name of several letters."""
    return (
        isinstance(value, Operation)
        and value.name == "*"
        and all(isinstance(operand, Symbol) for operand in value.operands)
    )
