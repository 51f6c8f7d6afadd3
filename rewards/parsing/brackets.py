r"""Parsers for answers in brackets and set notation: tuples, intervals, sets, unions, ratios, residues.

Each takes the tokens and the parser of whole answers; None means that the tokens are something else.
"""

import math
from collections.abc import Callable
from fractions import Fraction

from rewards.answer.types import (
    INFINITY,
    Answer,
    Collection,
    Interval,
    Named,
    Number,
    Operation,
    Ratio,
    Region,
    Residue,
    Scalar,
    Symbol,
    Words,
)
from rewards.arithmetic import real_sets as regions
from rewards.arithmetic.real_sets import as_region
from rewards.parsing.ellipses import MAX_LISTED, written_out
from rewards.parsing.expressions import parse_expression
from rewards.parsing.matrices import parse_environment
from rewards.parsing.plus_minus import both_signs
from rewards.parsing.splitting import CLOSING, RELATIONS, closing_position, separator_kind, split_tokens
from rewards.parsing.tokens import Token
from rewards.verdict import UnparsableAnswer

_SET_OPERATORS = frozenset(("cup", "cap", "setminus", "mathbb R"))
_RATIO_SIGNS = frozenset((":", "to"))
_INTEGER_SETS = frozenset(("mathbb Z", "mathbb N", "mathbb Z^+"))
Parse = Callable[[list[Token]], Answer]


def parse_structure(tokens: list[Token], parse: Parse) -> Answer | None:
    """Parse an answer that is more than one value; None for a plain value."""
    if len(tokens) == 1 and tokens[0].kind == "number":
        return None
    for parser in (
        _set_operation,
        _number_set,
        _point,
        _scaled,
        _bracketed,
        parse_environment,
        _residue,
        _ratio,
    ):
        if (answer := parser(tokens, parse)) is not None:
            return answer
    return None


def flat_collection(kind: str, items: tuple[Answer, ...]) -> Collection:
    """Make a collection; a plus-minus item in a list or set becomes two items."""
    flat: list[Answer] = []
    for item in items:
        if kind in ("list", "set") and isinstance(item, Collection) and item.kind == "list":
            flat.extend(item.items)
        else:
            flat.append(item)
    return Collection(kind, tuple(flat))  # type: ignore[arg-type]


def _set_operation(tokens: list[Token], parse: Parse) -> Answer | None:
    if _SET_OPERATORS.isdisjoint([token.value for token in tokens]):
        return None
    found: list[str] = []
    parts = split_tokens(tokens, lambda token: token.kind == "command" and token.value == "cup", found)
    if found:
        pieces = [as_region(parse(part)) for part in parts]
        if any(piece is None for piece in pieces):
            raise UnparsableAnswer("a union of things that are not intervals")
        return Region(regions.merge([interval for piece in pieces if piece for interval in piece.intervals]))
    parts = split_tokens(tokens, lambda token: token.kind == "command" and token.value == "cap", found)
    if found:
        return _intersection([as_region(parse(part)) for part in parts])
    parts = split_tokens(tokens, _is_set_difference(tokens), found)
    if len(found) != 1:
        return None
    whole, removed = as_region(parse(parts[0])), parse(parts[1])
    if whole is not None and not (isinstance(removed, Collection) and removed.kind == "set"):
        hole = as_region(removed)
        left = regions.remove_region(whole.intervals, hole.intervals) if hole is not None else None
        if left:
            return Region(tuple(left))
    if whole is None or not isinstance(removed, Collection):
        raise UnparsableAnswer("a difference of things that are not intervals")
    points = [item.value for item in removed.items if isinstance(item, Scalar)]
    remaining = regions.remove_points(whole.intervals, points)
    if remaining is None or len(points) != len(removed.items):
        raise UnparsableAnswer("a difference that cannot be computed")
    return Region(tuple(remaining))


def _intersection(pieces: list[Region | None]) -> Region:
    common: list[Interval] | None = list(pieces[0].intervals) if pieces[0] else None
    for piece in pieces[1:]:
        common = regions.intersect(common, piece.intervals) if common is not None and piece else None
    if not common:
        raise UnparsableAnswer("an intersection that cannot be computed")
    return Region(tuple(common))


def _is_set_difference(tokens: list[Token]) -> Callable[[Token], bool]:
    r"""\setminus, and a minus sign after the real numbers: R - {0}."""
    starts_with_reals = bool(tokens) and tokens[0].value == "mathbb R"
    return lambda token: token.value == "setminus" or (starts_with_reals and token.value == "-")


def _number_set(tokens: list[Token], parse: Parse) -> Answer | None:
    first = tokens[0]
    if len(tokens) == 1 and first.kind == "command":
        if first.value == "mathbb R":
            return Region((regions.REALS,))
        if first.value.startswith("mathbb"):
            return Words(first.value)
        if first.value == "emptyset":
            return Collection("set", ())
        if first.value == "ldots":
            return Scalar(Symbol("\\ldots"))
    if first.value == "mathbb R" and len(tokens) > 1 and tokens[1].value in ("^", "_"):
        mark = "".join(token.value for token in tokens[2:] if token.value not in "{}")
        if mark in ("+", ">0", "ge0"):
            return Region((Interval(Number(Fraction(0)), INFINITY, mark == "ge0", False),))
    return None


def _bracketed(tokens: list[Token], parse: Parse) -> Answer | None:
    opened, closed = tokens[0], tokens[-1]
    if (
        opened.kind != "sign"
        or opened.value not in ("(", "[", "{", "\\{", "<(")
        or closed.value not in CLOSING
    ):
        return None
    if closing_position(tokens) != len(tokens) - 1:
        return None
    inner = tokens[1:-1]
    if opened.value == "{":
        values = [token.value for token in inner]
        if "|" in values and RELATIONS.intersection(values):
            return _set(inner, parse)
        is_plain_set = len(split_tokens(inner, lambda token: token.value == ",")) > 1
        return _set(inner, parse) if is_plain_set else parse(inner) if _needs_own_parse(inner) else None
    if opened.value == "\\{":
        return _set(inner, parse)
    parts = split_tokens(inner, lambda token: token.kind == "sign" and token.value in (",", ";"))
    if len(parts) == 1:
        if inner and inner[0].kind == "begin" and inner[-1].kind == "end":
            return parse(inner)
        if opened.value == "(" and closed.value == ")":
            return parse(inner) if _needs_own_parse(inner) else None
        if opened.value == "[" and closed.value == "]":
            return Collection("square", (parse(inner),))
        return None
    items = tuple(parse(part) for part in parts)
    kinds = opened.value + closed.value
    if kinds in ("(]", "[)") and len(items) == 2:
        low, high = (item.value if isinstance(item, Scalar) else None for item in items)
        if low is None or high is None:
            raise UnparsableAnswer("an interval between things that are not numbers")
        return Region((Interval(low, high, kinds[0] == "[", kinds[1] == "]"),))
    if kinds in ("(]", "[)", "(\\}", "\\{)", "[\\}"):
        raise UnparsableAnswer("brackets that do not match around more than two values")
    collection = Collection("square" if kinds == "[]" else "tuple", written_out(items))
    return both_signs(collection)


def _point(tokens: list[Token], parse: Parse) -> Answer | None:
    """A point with its name: P(2,3)."""
    name, *rest = tokens
    is_named = name.kind == "name" and name.value.isupper() and rest and rest[0].value == "("
    if not is_named or closing_position(rest) != len(rest) - 1:
        return None
    if len(split_tokens(rest[1:-1], lambda token: token.kind == "sign" and token.value == ",")) < 2:
        return None
    if any(token.kind in ("name", "word") for token in rest):
        return None
    return Named(Symbol(name.value), parse(rest))


def _scaled(tokens: list[Token], parse: Parse) -> Answer | None:
    """A number or sign in front of a vector: 2(1,-3), -(1,2), and two of them for a plus-minus."""
    start = next((n for n, token in enumerate(tokens) if token.value in ("(", "<(")), 0)
    if not start or closing_position(tokens[start:]) != len(tokens) - start - 1:
        return None
    factor, bracket = tokens[:start], tokens[start:]
    if any(token.kind == "word" or token.value in ("|", "[", "{", "=") for token in factor):
        return None
    if len(split_tokens(bracket[1:-1], lambda token: token.kind == "sign" and token.value == ",")) < 2:
        return None
    signs = {"-": (-1,), "pm": (1, -1), "mp": (1, -1)}.get(factor[0].value, (1,))
    digits = factor[1:] if factor[0].value in ("-", "pm", "mp") else factor
    if digits and not (len(digits) == 1 and digits[0].kind == "number"):
        return None
    vector = parse(bracket)
    if not isinstance(vector, Collection) or vector.kind != "tuple":
        return None
    size = (digits[0].number or Fraction(0)) if digits else Fraction(1)
    scaled = [_times(vector, size * sign) for sign in signs]
    if any(item is None for item in scaled):
        return None
    return scaled[0] if len(scaled) == 1 else Collection("list", tuple(item for item in scaled if item))


def _times(vector: Collection, factor: Fraction) -> Collection | None:
    items = [item for item in vector.items if isinstance(item, Scalar) and not item.unit]
    if len(items) != len(vector.items):
        return None
    scale = Number(factor)
    return Collection("tuple", tuple(Scalar(Operation("*", (scale, item.value))) for item in items))


def _needs_own_parse(inner: list[Token]) -> bool:
    """True when parentheses enclose a whole relation, tuple or words; around a value they are arithmetic."""
    return any(token.kind == "word" or token.value in RELATIONS or token.value == "cup" for token in inner)


def _set(inner: list[Token], parse: Parse) -> Answer:
    """A set given by its elements, or by a condition: { x | 0 < x < 1 }."""
    if not inner:
        return Collection("set", ())
    found: list[str] = []
    parts = split_tokens(inner, lambda token: token.kind == "sign" and token.value in ("|", ":"), found)
    if len(found) >= 1 and any(token.value in RELATIONS for token in inner):
        answer = parse(inner[len(parts[0]) + 1 :])
        domain = next((token.value for token in parts[0] if token.value in _INTEGER_SETS), None)
        if domain is not None:
            return _integers(answer, domain)
        of = "".join(token.value for token in parts[0])
        return (
            answer
            if isinstance(answer, Region) and len(parts[0]) == 1
            else Named(Symbol(f"{{}} {of}"), answer)
        )
    items = [
        parse(part) for part in split_tokens(inner, lambda token: separator_kind(token) is not None) if part
    ]
    return flat_collection("set", written_out(tuple(items)))


def _integers(answer: Answer, domain: str) -> Answer:
    """The integers that meet a condition: listed when few, otherwise kept distinct from the reals."""
    whole = Named(Symbol(f"{{}} {domain}"), answer)
    if not isinstance(answer, Region):
        return whole
    numbers: list[Answer] = []
    for piece in answer.intervals:
        if not (isinstance(piece.low, Number) and isinstance(piece.high, Number)):
            return whole
        low, high = piece.low.value, piece.high.value
        first = math.floor(low) + 1 if not piece.is_low_closed else math.ceil(low)
        last = math.ceil(high) - 1 if not piece.is_high_closed else math.floor(high)
        if domain == "mathbb N" and first <= 0:
            return whole
        first = max(first, 1) if domain == "mathbb Z^+" else first
        if last - first >= MAX_LISTED:
            return whole
        numbers.extend(Scalar(Number(Fraction(n))) for n in range(first, last + 1))
    return Collection("set", tuple(numbers))


def _residue(tokens: list[Token], parse: Parse) -> Answer | None:
    names = [token.value if token.kind == "command" else token.value.lower() for token in tokens]
    for name in ("pmod", "bmod", "mod"):
        if name in names:
            position = names.index(name)
            before, after = tokens[:position], tokens[position + 1 :]
            if before and before[-1].value == "(" and after and after[-1].value == ")":
                before, after = before[:-1], after[:-1]
            return Residue(parse_expression(before), parse_expression(after))
    return None


def _ratio(tokens: list[Token], parse: Parse) -> Answer | None:
    if _RATIO_SIGNS.isdisjoint([token.value for token in tokens]):
        return None
    found: list[str] = []
    parts = split_tokens(
        tokens, lambda token: (token.kind == "sign" and token.value == ":") or token.value == "to", found
    )
    if not found or (any(token.kind == "word" for part in parts for token in part)):
        return None
    return Ratio(tuple(parse_expression(part) for part in parts))
