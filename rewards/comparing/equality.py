r"""Decide whether two typed answers are the same answer.

The reference answer comes first, and the order matters: a response may drop the reference's unit or name, add
one, and use any form of the same value; it may not hedge, leave out a solution, or change the kind of answer.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from rewards.answer.types import (
    Answer,
    Cases,
    Collection,
    Expression,
    Matrix,
    Named,
    Number,
    Operation,
    Region,
    Relation,
    Scalar,
    Symbol,
    Words,
    substitute,
    symbols,
)
from rewards.answer.units import DEGREE, Unit, same_unit
from rewards.arithmetic.real_sets import as_region, same_region
from rewards.arithmetic.values import same_value
from rewards.comparing.labels import letter, same_label
from rewards.comparing.ratios_times_residues import COMPARERS, Decision, conclude
from rewards.comparing.relations import same_relation
from rewards.comparing.vectors import written_alike

_COUNTS = (Symbol("C"), Symbol("P"))
MAX_ITEMS = 60
"""Most items in an unordered collection that is matched item by item."""


def same_answer(gold: Answer, response: Answer) -> Decision:
    """Tell whether `response` is the answer `gold`; None when neither yes nor no could be shown."""
    if gold == response:
        return True
    if isinstance(gold, Collection | Named) and isinstance(response, Collection | Named):
        gold, response = _assignments(gold), _assignments(response)
    if isinstance(gold, Relation) or isinstance(response, Relation):
        return _relations(gold, response)
    if isinstance(gold, Named) and isinstance(response, Named):
        return _named(gold, response)
    if _has_other_name(gold, response) or _has_other_name(response, gold):
        return False
    if isinstance(gold, Named):
        return same_answer(_without_name(gold, response), response)
    if isinstance(response, Named):
        return same_answer(gold, _without_name(response, gold))
    gold, response = written_alike(gold, response), written_alike(response, gold)
    if isinstance(gold, Region) or isinstance(response, Region):
        return _regions(gold, response)
    if isinstance(gold, Collection) or isinstance(response, Collection):
        return _collections(gold, response)
    for kinds, compare in _COMPARERS:
        if isinstance(gold, kinds[0]) and isinstance(response, kinds[1]):
            return compare(gold, response)
        if isinstance(gold, kinds[1]) and isinstance(response, kinds[0]):
            return compare(response, gold)
    return False


def _without_name(named: Named, other: Answer) -> Answer:
    """The value of a named answer; C(8,3) or P(8,3) compared with a number is a count, not a point."""
    value = named.value
    if named.label in _COUNTS and isinstance(other, Scalar) and isinstance(value, Collection):
        parts = tuple(item.value for item in value.items if isinstance(item, Scalar))
        if len(parts) == len(value.items) == 2:
            chosen = Operation("binom", parts)
            is_ordered = named.label == Symbol("P")
            return Scalar(Operation("*", (chosen, Operation("!", parts[1:]))) if is_ordered else chosen)
    return value


def _scalars(gold: Scalar, response: Scalar) -> Decision:
    left, right = gold.value, response.value
    if gold.is_percent != response.is_percent:
        same = same_value(_percent(gold), _percent(response))
        # Data sets often omit the sign in the reference; the other way around, 0.5 would pass for 0.5 %.
        return same or (response.is_percent and same_value(left, right))
    if gold.unit is not None and response.unit is None and not symbols(left):
        right = _without_letter(right, gold.unit)
    if gold.unit is None or response.unit is None or same_unit(gold.unit, response.unit):
        same = same_value(left, right)
        units = (gold.unit, response.unit)
        if same is False and DEGREE in units and None in units:
            return same_value(_radians(gold), _radians(response))
        return same
    if gold.unit.dimension != response.unit.dimension:
        return False
    scale = Number(Fraction(response.unit.factor / gold.unit.factor))
    return same_value(left, Operation("*", (scale, right)))


def _without_letter(value: Expression, unit: Unit) -> Expression:
    """The value of 5m^2 beside a reference in m^2: there the letter is no variable."""
    power = unit.dimension[0][1] if len(unit.dimension) == 1 else 0
    letters = symbols(value)
    if power < 1 or {letter.casefold() for letter in letters} != {unit.spelling[:1]} or len(letters) > 1:
        return value
    if not re.fullmatch(r"[a-z](?:\^\{?\d\}?)?", unit.spelling):
        return value
    name = Symbol(next(iter(letters)))
    number = substitute(value, {name: Number(Fraction(1))})
    written = Operation("*", (number, Operation("^", (name, Number(Fraction(power))))))
    return number if same_value(value, written) else value


def _percent(scalar: Scalar) -> Expression:
    return Operation("percent", (scalar.value,)) if scalar.is_percent else scalar.value


def _radians(scalar: Scalar) -> Expression:
    return Operation("degree", (scalar.value,)) if scalar.unit == DEGREE else scalar.value


def _assignments(answer: Answer) -> Answer:
    """Keep the named values in a set of solutions; a name around a list of one becomes its item's name."""
    if isinstance(answer, Named) and isinstance(answer.value, Collection) and len(answer.value.items) == 1:
        return Named(answer.label, answer.value.items[0])
    return answer


def _has_other_name(answer: Answer, collection: Answer) -> bool:
    """True when `answer` is named and `collection` names something else: x = 1 or 2 and x = 1, y = 2."""
    if not (isinstance(answer, Named) and isinstance(collection, Collection)):
        return False
    return any(
        isinstance(item, Named) and item.label != answer.label and letter(item.label) != answer.label
        for item in collection.items
    )


def _named(gold: Named, response: Named) -> Decision:
    is_same, renamed = same_label(gold.label, response)
    if is_same:
        return same_answer(gold.value, renamed)
    if isinstance(gold.value, Scalar) and isinstance(response.value, Scalar):
        both = _as_relation(gold), _as_relation(response)
        if both[0] and both[1] and symbols(gold.value.value):
            return same_relation(both[0], both[1])
    return False


def _as_relation(answer: Answer) -> Relation | None:
    if isinstance(answer, Relation):
        return answer
    if isinstance(answer, Named) and isinstance(answer.value, Scalar) and isinstance(answer.label, Symbol):
        return Relation("=", answer.label, answer.value.value)
    return None


def _relations(gold: Answer, response: Answer) -> Decision:
    left, right = _as_relation(gold), _as_relation(response)
    if left is not None and right is not None:
        return same_relation(left, right)
    if isinstance(gold, Relation) and isinstance(response, Scalar):
        return _is_value_of(gold, response, ("*", "/", "abs"))
    if isinstance(response, Relation) and isinstance(gold, Scalar):
        return _is_value_of(response, gold, ("+", "*", "/"))
    return False


def _is_value_of(relation: Relation, value: Scalar, operations: tuple[str, ...]) -> Decision:
    """Tell whether "ab = 5" is "5": a requested sum, product, ratio or size, with its value.

    The gold x + y = 5 is a line and not the number 5; the response |x| = 5 still has to be solved.
    """
    if relation.operator != "=" or symbols(relation.right) or not _is_asked_for(relation.left, operations):
        return False
    return same_value(relation.right, value.value)


def _is_asked_for(value: Expression, operations: tuple[str, ...]) -> bool:
    """An operation on bare variables, without any number."""
    if not isinstance(value, Operation) or value.name not in operations:
        return False
    return all(
        isinstance(operand, Symbol) or (isinstance(operand, Operation) and _is_asked_for(operand, operations))
        for operand in value.operands
    )


def _regions(gold: Answer, response: Answer) -> Decision:
    left, right = as_region(gold), as_region(response)
    if left is None or right is None:
        return False
    if left.variable is not None and right.variable is not None and left.variable != right.variable:
        return False
    return same_region(left, right)


def _collections(gold: Answer, response: Answer) -> Decision:
    if isinstance(gold, Matrix) and isinstance(response, Collection):
        return _vector(gold, response)
    if isinstance(gold, Collection) and isinstance(response, Matrix):
        return _vector(response, gold)
    gold, response = _only_item(gold), _only_item(response)
    left, right = _items(gold), _items(response)
    kinds = (_kind(gold), _kind(response))
    if "single" in kinds and kinds[0] != kinds[1]:
        other = kinds[1] if kinds[0] == "single" else kinds[0]
        if other in ("tuple", "square"):
            return False
    ordered = {"tuple", "square"}
    if set(kinds) & ordered:
        if "set" in kinds or (set(kinds) == ordered and len(left) == 2):
            return False
        return _in_order(left, right)
    if all(isinstance(item, Named) for item in left + right):
        return _same_system(left, right)
    if _is_system(left) != _is_system(right):
        return _bare_against_system(left, right)
    if "set" in kinds or _solves_for_one(gold) or _solves_for_one(response):
        left, right = _distinct(left), _distinct(right)
    return _any_order(left, right)


def _solves_for_one(answer: Answer) -> bool:
    """True for x = 2 or x = 2: a solution that is written twice is one; in a bare list each member counts."""
    items = _items(answer)
    return len(items) > 1 and all(isinstance(item, Named) for item in items)


def _kind(answer: Answer) -> str:
    return answer.kind if isinstance(answer, Collection) else "single"


def _items(answer: Answer) -> list[Answer]:
    return list(answer.items) if isinstance(answer, Collection) else [answer]


def _is_system(items: list[Answer]) -> bool:
    """Values of several different names."""
    labels = {item.label for item in items if isinstance(item, Named)}
    return len(labels) == len(items) > 1


def _only_item(answer: Answer) -> Answer:
    """The tuple in a set of one tuple."""
    is_single = isinstance(answer, Collection) and answer.kind == "set" and len(answer.items) == 1
    item = answer.items[0] if is_single and isinstance(answer, Collection) else answer
    return item if isinstance(item, Collection) else answer


def _same_system(left: list[Answer], right: list[Answer]) -> Decision:
    """Named values in any order; f(x) and g(x) may replace each other only when each is the only item."""
    names = [[_name(item) for item in items] for items in (left, right)]
    if len(left) == len(set(names[0])) > 1 and set(names[0]) == set(names[1]) and len(left) == len(right):
        by_name = {_name(item): item for item in right}
        return conclude([same_answer(item, by_name[_name(item)]) for item in left])
    return _any_order(left, right)


def _name(item: Answer) -> str:
    label = item.label if isinstance(item, Named) else None
    return label.name if isinstance(label, Symbol | Operation) else ""


def _bare_against_system(left: list[Answer], right: list[Answer]) -> Decision:
    """x = 2, y = 5 compared with 2, 5: in order, unless the names are indices of one letter."""
    system = left if _is_system(left) else right
    letters = {letter(item.label) for item in system if isinstance(item, Named)}
    return _any_order(left, right) if len(letters) == 1 else _in_order(left, right)


def _in_order(left: list[Answer], right: list[Answer]) -> Decision:
    if len(left) != len(right):
        return False
    return conclude([same_answer(a, b) for a, b in zip(left, right, strict=True)])


def _any_order(left: list[Answer], right: list[Answer]) -> Decision:
    if len(left) > MAX_ITEMS or len(right) > MAX_ITEMS:
        return _in_order(left, right)
    if len(left) != len(right):
        return False
    remaining, is_open = list(right), False
    for item in left:
        decisions = [same_answer(item, other) for other in remaining]
        if True in decisions:
            del remaining[decisions.index(True)]
        elif None in decisions:
            is_open = True
        else:
            return False
    return None if is_open else True


def _distinct(items: list[Answer]) -> list[Answer]:
    distinct: list[Answer] = []
    for item in items:
        if not any(
            item == other or (isinstance(item, Scalar) and same_answer(item, other)) for other in distinct
        ):
            distinct.append(item)
    return distinct


def _vector(matrix: Matrix, collection: Collection) -> Decision:
    """A matrix compared with a tuple of its entries, when it is one row or column, or a list of its rows."""
    rows = [item for item in collection.items if isinstance(item, Collection) and item.kind == "square"]
    if collection.kind == "square" and len(rows) == len(collection.items) == len(matrix.rows):
        entries = [Collection("square", tuple(Scalar(cell) for cell in row)) for row in matrix.rows]
        return _in_order(list(entries), list(rows))
    if collection.kind not in ("tuple", "square") or (len(matrix.rows) > 1 and len(matrix.rows[0]) > 1):
        return False
    cells: list[Answer] = [Scalar(cell) for row in matrix.rows for cell in row]
    return _in_order(cells, list(collection.items))


def _matrices(gold: Matrix, response: Matrix) -> Decision:
    if [len(row) for row in gold.rows] != [len(row) for row in response.rows]:
        return False
    cells = zip(gold.rows, response.rows, strict=True)
    return conclude([same_value(a, b) for ours, theirs in cells for a, b in zip(ours, theirs, strict=True)])


def _cases(gold: Cases, response: Cases) -> Decision:
    if len(gold.rows) != len(response.rows):
        return False
    remaining = list(response.rows)
    for value, condition in gold.rows:
        decisions = [
            conclude([same_answer(value, other[0]), same_answer(condition, other[1])]) for other in remaining
        ]
        if True not in decisions:
            return None if None in decisions else False
        del remaining[decisions.index(True)]
    return True


def _words(gold: Words, response: Words) -> Decision:
    return gold.text == response.text


_COMPARERS: tuple[tuple[tuple[type, type], Callable], ...] = (
    ((Scalar, Scalar), _scalars),
    ((Words, Words), _words),
    ((Matrix, Matrix), _matrices),
    ((Cases, Cases), _cases),
    *COMPARERS,
)
