"""Parsers for the names in answers: x, a_1, f(3), (x, y), the angle A, dy/dx, |AB|, Area."""

import re

from rewards.answer.types import Expression, Operation, Symbol
from rewards.answer.units import words
from rewards.parsing.expressions import APPLIED_NAMES, parse_expression
from rewards.parsing.splitting import closing_position
from rewards.parsing.tokens import Token
from rewards.parsing.words import canonical_words
from rewards.verdict import UnparsableAnswer

MAX_LABEL_CHARS = 80
"""Longer text before an equals sign is not a name."""
_MARKS = frozenset(
    ("angle", "triangle", "measuredangle", "overline", "vec", "Delta", "odot", "parallelogram")
)
ANY_VARIABLE = "?"
"""The variable of y', which may be any."""
_DERIVATIVE = re.compile(
    r"(?:frac \{ )?d(?: \^ (?:\{ )?(?P<order>\d)(?: \})?)?"
    r" (?P<of>[A-Za-z](?: _ (?:\{ )?\w+(?: \})?)?) (?:\} \{|/)"
    r" d (?P<by>[A-Za-z])(?: \^ (?:\{ )?(?P=order)(?: \})?)?(?: \})?"
)
"""dy/dx, d^2 y/dx^2: the same order above and below."""
_MARKED = re.compile(r"'*(?:_\{?\w+\}?)?(?:\^\{?-1\}?|\^\{?\(\d\)\}?)?'*")
_GREEK = words("Phi Psi Gamma Theta Lambda Omega phi psi gamma rho sigma mu lambda theta eta chi varphi")
_NO_LABEL = frozenset(("where", "such", "or", "not", "if", "maybe", "unless", "is", "are"))
_NAMING_FUNCTIONS = frozenset(
    ("sin", "cos", "tan", "cot", "max", "min", "gcd", "lcm", "det", "arg", "Re", "Im", "dim")
)


def parse_label(tokens: list[Token]) -> Expression | None:
    """Return the name on the left side of an equation, None when it is an expression."""
    values = [token.value for token in tokens]
    if not tokens or sum(map(len, values)) > MAX_LABEL_CHARS:
        return None
    if any(token.kind == "word" for token in tokens):
        if any(word in _NO_LABEL for word in " ".join(values).casefold().split()):
            return None
        has_unknown = any(token.kind == "name" and token.value.islower() for token in tokens)
        if has_unknown and any(_is_operation(*pair) for pair in zip(tokens, tokens[1:], strict=False)):
            return None  # "the plane x + y" of x + y = 0 is no name
        return Symbol(canonical_words(" ".join(values)))
    if derivative := _DERIVATIVE.fullmatch(" ".join(values)):
        order, of, by = (derivative[name] or "" for name in ("order", "of", "by"))
        return Symbol(f"derivative {order or 1} {of} {by}")
    if len(values) > 1 and tokens[0].kind == "name" and set(values[1:]) == {"'"}:
        return Symbol(f"derivative {len(values) - 1} {values[0]} {ANY_VARIABLE}")
    if (label := _applied(tokens) or _tuple(tokens)) is not None:
        return label
    if all(token.kind == "name" and token.value.isupper() for token in tokens) or values[0] in _MARKS:
        return Symbol("".join(values))
    if values[0] in ("m", "|", "[", "{") and any(value in _MARKS or value.isupper() for value in values):
        return Symbol("".join(values).strip("m"))
    if (
        tokens[0].kind == "command"
        and tokens[0].value in _NAMING_FUNCTIONS
        and any(token.kind == "name" and token.value not in ("e", "i") for token in tokens)
    ):
        return Symbol("".join(values))
    try:
        expression = parse_expression(tokens)
    except UnparsableAnswer:
        return None
    return expression if isinstance(expression, Symbol) else None


def _is_operation(first: Token, second: Token) -> bool:
    """Tell an operation from the hyphen of a word: x-coordinate."""
    if first.value in ("+", "*", "/", "^", "cdot", "times", "frac", "sqrt"):
        return True
    values = {"number", "name"}
    is_operated = first.value == "-" and second.kind in values
    return is_operated or (first.kind == "number" and second.kind == "name")


def _applied(tokens: list[Token]) -> Expression | None:
    r"""f(x), g'(2), P(A), \\Phi(x, y): a letter, its marks, and arguments in parentheses."""
    first = tokens[0]
    is_greek = first.kind == "command" and first.value in _GREEK
    if not (first.kind == "name" or is_greek) or tokens[-1].value != ")":
        return None
    start = next((n for n, token in enumerate(tokens) if token.value == "("), 0)
    marks = "".join(token.value for token in tokens[1:start])
    if (
        not start
        or not _MARKED.fullmatch(marks)
        or closing_position(tokens[start:]) != len(tokens) - start - 1
    ):
        return None
    is_capital = is_greek or first.value.split()[-1][:1].isupper()
    if not (first.value in APPLIED_NAMES or is_capital or marks or len(tokens) == 4):
        return None
    arguments = _arguments(tokens[start + 1 : -1])
    name = f"@{first.value}{marks.replace('{', '').replace('}', '')}"
    if arguments is None and is_capital:  # P(X > 2)
        return Symbol("".join(token.value for token in tokens))
    return Operation(name, arguments) if arguments else None


def _tuple(tokens: list[Token]) -> Expression | None:
    if tokens[0].value != "(" or tokens[-1].value != ")" or len(tokens) < 5:
        return None
    arguments = _arguments(tokens[1:-1])
    if arguments is None or not all(isinstance(argument, Symbol) for argument in arguments):
        return None
    return Operation("@tuple", arguments)


def _arguments(tokens: list[Token]) -> tuple[Expression, ...] | None:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.value in ("(", ")"):
            return None
        if token.value == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    try:
        return tuple(parse_expression(part) for part in parts)
    except UnparsableAnswer:
        return None
