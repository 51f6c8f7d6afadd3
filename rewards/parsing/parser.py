r"""The parser of whole answers: a value, a collection, a region, a named value, a relation, or words.

>>> parse_answer("x=5")
Named(label=Symbol(name='x'), value=Scalar(value=Number(value=Fraction(5, 1)), unit=None, is_percent=False))
>>> type(parse_answer(r"2<x\le 5")).__name__, type(parse_answer("Alice")).__name__
('Region', 'Words')
"""

import re
from fractions import Fraction
from functools import lru_cache

from rewards.answer.types import (
    INFINITY,
    Answer,
    Collection,
    Expression,
    Interval,
    Named,
    Number,
    Operation,
    Region,
    Relation,
    Residue,
    Scalar,
    Symbol,
    Words,
    symbols,
    walk,
)
from rewards.arithmetic import real_sets as regions
from rewards.arithmetic.real_sets import as_region
from rewards.arithmetic.values import same_value
from rewards.parsing.brackets import flat_collection, parse_structure
from rewards.parsing.expressions import parse_expression
from rewards.parsing.labels import parse_label
from rewards.parsing.normalize import normalize
from rewards.parsing.plus_minus import both_signs
from rewards.parsing.quantities import parse_quantity
from rewards.parsing.spelling import spelling
from rewards.parsing.splitting import RELATIONS, separator_kind, split_tokens, split_words
from rewards.parsing.tokens import Token, tokenize
from rewards.parsing.words import (
    ALL_REALS,
    INFINITY_WORDS,
    NO_SOLUTION,
    NUMBER_WORDS,
    canonical_words,
    parse_clock,
    parse_numeral,
)
from rewards.verdict import AnswerTooLarge, UnparsableAnswer

_INTEGER = re.compile(r"-?\d{1,4000}")
_REMARK = re.compile(r"for (?:all|any|every|each|some)\b")
_OUTWARD_INTERVAL = re.compile(r"([\[\]])([^\[\]]+)([\[\]])")


@lru_cache(maxsize=16384)
def parse_answer(text: str, splits_thousands: bool = False) -> Answer:
    """Return the typed answer; UnparsableAnswer when the text is not one, AnswerTooLarge past the limits."""
    normal = normalize(text)
    if not normal:
        raise UnparsableAnswer("nothing is left after normalization")
    if _INTEGER.fullmatch(normal):
        return Scalar(Number(Fraction(int(normal))))
    if special := parse_numeral(normal) or parse_clock(normal):
        return special
    words = canonical_words(normal)
    if words in ALL_REALS:
        return Region((regions.REALS,))
    if words in INFINITY_WORDS:
        return Scalar(INFINITY)
    if words in NO_SOLUTION:
        return Collection("set", ())
    outward = _OUTWARD_INTERVAL.fullmatch(normal)
    if (
        outward
        and "]" in outward[1] + outward[3]
        and (outward[1], outward[3]) != ("[", "]")
        and "," in outward[2]
    ):
        normal = f"{'(' if outward[1] == ']' else '['}{outward[2]}{')' if outward[3] == '[' else ']'}"
    try:
        tokens = tokenize(normal, splits_thousands=splits_thousands)
        return _parse(tokens)
    except UnparsableAnswer:
        if re.search(r"[^\W\d_]{2}", normal):
            return Words(spelling(normal))
        raise
    except RecursionError:
        raise AnswerTooLarge("nested too deeply") from None


def _parse(tokens: list[Token]) -> Answer:
    tokens = _without_remark(split_words(tokens))
    is_text = all(token.kind == "word" or token.value in ("-", "'", ".", "!", "?") for token in tokens)
    if tokens and is_text and not any(separator_kind(token) for token in tokens):
        return _words(tokens)
    separators: list[str] = []
    parts = split_tokens(tokens, lambda token: separator_kind(token) is not None, separators)
    if len(parts) == 1:
        return _item(parts[0])
    if (systems := _systems(tokens, separators)) is not None:
        return systems
    return _assemble([_item(part) for part in parts if part], separators)


def _systems(tokens: list[Token], separators: list[str]) -> Answer | None:
    """Several solutions of several unknowns: x = 2, y = 3 or x = 3, y = 2. None for anything else."""
    if not {"or", ","} <= set(separators):
        return None
    parts = split_tokens(tokens, lambda token: separator_kind(token) == "or")
    if any(sum(token.value == "=" for token in part) < 2 for part in parts):
        return None
    solutions = [_parse(part) for part in parts]
    for solution in solutions:
        items = solution.items if isinstance(solution, Collection) else ()
        if len({item.label for item in items if isinstance(item, Named)}) != max(len(items), 2):
            return None
    return Collection("list", tuple(solutions))


def _without_remark(tokens: list[Token]) -> list[Token]:
    """Drop `for all x` after a definition; a condition with a relation or a number in it stays."""
    if not any(token.value == "=" for token in tokens):
        return tokens
    for position, token in enumerate(tokens[1:], 1):
        rest = tokens[position:]
        text = " ".join(part.value for part in rest[:3]).casefold()
        if token.kind == "word" and _REMARK.match(text):
            is_plain = not any(part.kind == "number" or part.value in RELATIONS for part in rest)
            head = tokens[:position]
            while head[-1].value in (",", ";") and len(head) > 1:
                head = head[:-1]
            return head if is_plain else tokens
    return tokens


def _words(tokens: list[Token]) -> Answer:
    words = canonical_words(" ".join(token.value for token in tokens))
    return Scalar(Number(Fraction(NUMBER_WORDS[words]))) if words in NUMBER_WORDS else Words(words)


def _assemble(items: list[Answer], separators: list[str]) -> Answer:
    if len(items) == 1:
        return items[0]
    if not items:
        raise UnparsableAnswer("only separators")
    items = [items[0], *(item for item in items[1:] if not _is_qualifier(item, items[0]))]
    if all(isinstance(item, Region) for item in items) and (joined := _join_regions(items, separators)):
        return joined
    first = items[0]
    rest_bare = all(not isinstance(item, Named | Relation | Region | Words) for item in items[1:])
    if isinstance(first, Named) and rest_bare:
        return Named(first.label, flat_collection("list", (first.value, *items[1:])))
    if all(isinstance(item, Named) for item in items):
        labels = {item.label for item in items if isinstance(item, Named)}
        if len(labels) == 1 and isinstance(first, Named):
            return Named(
                first.label,
                flat_collection("list", tuple(item.value for item in items if isinstance(item, Named))),
            )
    return flat_collection("list", tuple(items))


def _is_qualifier(item: Answer, first: Answer) -> bool:
    """A remark such as `k in Z` that gives the range of a parameter; one about the unknown is an answer."""
    if not (isinstance(item, Named) and isinstance(item.value, Words)):
        return False
    is_unknown = isinstance(first, Region) and first.variable == item.label
    return item.value.text.startswith("mathbb") and not is_unknown


def _join_regions(items: list[Answer], separators: list[str]) -> Region | None:
    pieces = [item for item in items if isinstance(item, Region)]
    variable = next((piece.variable for piece in pieces if piece.variable), None)
    if any(piece.variable not in (None, variable) for piece in pieces) or variable is None:
        return None
    if "or" not in separators:
        common: list[Interval] | None = list(pieces[0].intervals)
        for piece in pieces[1:]:
            common = regions.intersect(common, piece.intervals) if common is not None else None
        if common:
            return Region(tuple(common), variable)
    return Region(regions.merge([interval for piece in pieces for interval in piece.intervals]), variable)


def _item(tokens: list[Token]) -> Answer:
    """Parse one item: a value, or a relation between two or more."""
    found: list[str] = []
    if len(tokens) > 1 and tokens[0].value in ("approx", "="):
        tokens = tokens[1:]
    parts = split_tokens(
        tokens, lambda token: token.kind in ("sign", "command") and token.value in RELATIONS, found
    )
    if not found:
        return _value(tokens)
    operators = found
    if "approx" in operators:
        first = operators.index("approx")
        parts, operators = parts[: first + 1], operators[:first]
        if not operators:
            return _value(parts[0])
    if operators[0] in ("in", "equiv") and len(operators) == 1:
        return _member(parts[0], parts[1], operators[0])
    if set(operators) == {"="}:
        return _chain(parts)
    if len(operators) == 1:
        return _relation(operators[0], parse_expression(parts[0]), parse_expression(parts[1]))
    sides = [parse_expression(part) for part in parts]
    steps = [_relation(op, a, b) for op, a, b in zip(operators, sides, sides[1:], strict=False)]
    solved = [step for step in steps if isinstance(step, Region)]
    if len(solved) == len(steps) == 2 and solved[0].variable == solved[1].variable:
        common = regions.intersect(solved[0].intervals, solved[1].intervals)
        if common:
            return Region(tuple(common), solved[0].variable)
    return Collection("list", tuple(steps))


def _relation(operator: str, left: Expression, right: Expression) -> Answer:
    solved = regions.solve_relation(operator, left, right)
    return solved or Relation(operator, left, right)


def _member(left: list[Token], right: list[Token], operator: str) -> Answer:
    """`x in S` and `n = 2 (mod 3)`."""
    label = parse_label(left)
    if operator == "equiv":
        value = _value(right)
        if not isinstance(value, Residue):
            raise UnparsableAnswer("a congruence without a modulus")
        return Residue(value.value, value.modulus, label or parse_expression(left))
    value = _value(right)
    if isinstance(value, Collection) and value.kind in ("tuple", "square") and len(value.items) == 2:
        value = as_region(value) or value
    if label is None:
        raise UnparsableAnswer("a membership of an expression")
    if isinstance(value, Region):
        return Region(value.intervals, label)
    return Named(label, value)


def _chain(parts: list[list[Token]]) -> Answer:
    """Sides joined by equals signs: a named value, an arithmetic derivation, or an equation."""
    label = parse_label(parts[0])
    names = [parse_label(part) for part in parts[:-1]]
    if len(names) > 1 and all(isinstance(name, Symbol) for name in names) and len(set(names)) == len(names):
        return Collection("list", tuple(_assignments(name, _item(parts[-1])) for name in names if name))
    if label is not None and len(parts) > 1:
        last = _item(parts[-1])
        for part in parts[1:-1]:
            middle = _value(part)
            if not (isinstance(middle, Scalar) and isinstance(last, Scalar)):
                raise UnparsableAnswer("a chain of equalities between unlike things")
            if not same_value(middle.value, last.value) and not symbols(last.value):
                raise UnparsableAnswer("a chain of equalities that is false")
        return _assignments(label, last)
    values = [_value(part) for part in parts]
    scalars = [value for value in values if isinstance(value, Scalar)]
    if len(scalars) != len(values):
        raise UnparsableAnswer("an equation between unlike things")
    if len(parts) == 2:
        left, right = scalars[0].value, scalars[1].value
        flipped = parse_label(parts[1])
        if flipped is not None and not symbols(left):
            return Named(flipped, values[0])
        if _is_open(left) or _is_open(right):
            return Relation("=", left, right)
    if scalars[0] == scalars[1]:
        raise UnparsableAnswer("a tautology")
    if all(
        same_value(first.value, second.value) for first, second in zip(scalars, scalars[1:], strict=False)
    ):
        return scalars[-1]
    raise UnparsableAnswer("equalities that are false")


def _is_open(value: Expression) -> bool:
    """True when a value depends on variables or unknown functions."""
    return any(
        isinstance(part, Symbol) or (isinstance(part, Operation) and part.name[0] == "@")
        for part in walk(value)
    )


def _assignments(label: Expression, value: Answer) -> Answer:
    """(x, y) = (2, 5) names two values."""
    if isinstance(label, Operation) and label.name == "@tuple":
        if isinstance(value, Collection) and len(value.items) == len(label.operands) and value.kind != "list":
            named = zip(label.operands, value.items, strict=True)
            return Collection("list", tuple(Named(name, item) for name, item in named))
        return value
    return Named(label, value)


def _value(tokens: list[Token]) -> Answer:
    """Parse a value without relations around it."""
    tokens = _trim(tokens)
    if not tokens:
        raise UnparsableAnswer("a value is missing")
    if all(token.kind == "word" for token in tokens):
        return _words(tokens)
    if (structure := parse_structure(tokens, _parse)) is not None:
        return structure
    scalar = parse_quantity(tokens)
    return both_signs(scalar)


def _trim(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].kind == "sign" and tokens[-1].value in (".", ":", "!?"):
        tokens = tokens[:-1]
    if (
        len(tokens) > 1
        and tokens[0].value == "\\{"
        and tokens[1].kind == "begin"
        and tokens[-1].value != "\\}"
    ):
        tokens = tokens[1:]
    return tokens
