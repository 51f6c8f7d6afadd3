r"""The parser of quantities: a value with currency before it, or a unit, percent or degree sign after it.

>>> from rewards.parsing.tokens import tokenize
>>> parse_quantity(tokenize(r"25\%")).is_percent
True
"""

import re
from fractions import Fraction

from rewards.answer.types import MINUS_ONE, Expression, Number, Operation, Scalar
from rewards.answer.units import CURRENCIES, DEGREE, Unit, is_known_unit, parse_unit
from rewards.arithmetic.values import same_value
from rewards.parsing.expressions import parse_expression
from rewards.parsing.tokens import Token
from rewards.verdict import UnparsableAnswer

_PERCENT_WORDS = frozenset(("percent", "per cent", "percentage", "percents"))
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALES |= {
    "万": 10**4,
    "百万": 10**6,
    "亿": 10**8,
    "千": 1000,
    "百": 100,
    "dozen": 12,
    "lakh": 10**5,
    "crore": 10**7,
    "bn": 10**9,
}
_CHINESE_SCALE = re.compile("百万|[万亿千百]")
_PARTS = {"half": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9}
_PARTS |= {"tenth": 10, "hundredth": 100, "thousandth": 1000}


def parse_quantity(tokens: list[Token]) -> Scalar:
    """Separate unit, currency, percent and degrees from the value; UnparsableAnswer when no value is left."""
    if (compound := _compound(tokens)) is not None:
        return compound
    tokens, unit = _currency(tokens)
    tokens, words = _trailing_words(tokens)
    scale, words = _scale(words)
    is_percent = words in _PERCENT_WORDS
    if words and not is_percent:
        found = parse_unit(words)
        if found is None or (unit is not None and unit != found):
            raise UnparsableAnswer(f"{words!r} after a value is not a unit")
        if not any(_is_amount(token) for token in tokens) and "'" in str(found.dimension):
            raise UnparsableAnswer(f"{words!r} after a letter is not a unit")
        unit = found
    if len(tokens) == 1 and tokens[0].kind == "word":
        raise UnparsableAnswer("words in place of a number")
    value = parse_expression(tokens)
    if scale != 1:
        if same_value(value, Number(Fraction(0))):
            raise UnparsableAnswer("zero millions")
        value = Operation("*", (value, Number(scale)))
    if isinstance(value, Operation) and value.name == "percent":
        inner = value.operands[0]
        if is_percent or (isinstance(inner, Operation) and inner.name == "percent"):
            raise UnparsableAnswer("a percentage of a percentage")
        return Scalar(inner, unit, True)
    in_degrees = _degrees(value)
    if in_degrees is not None:
        return Scalar(in_degrees, DEGREE)
    return Scalar(value, unit, is_percent)


def _compound(tokens: list[Token]) -> Scalar | None:
    """Read 1 hour 30 minutes; None for anything else than amounts that alternate with units."""
    if len(tokens) < 4 or len(tokens) % 2 or any(token.kind != "number" for token in tokens[::2]):
        return None
    units = [parse_unit(token.value) if token.kind in ("word", "name") else None for token in tokens[1::2]]
    if not any(token.kind == "word" for token in tokens):
        return None
    amounts = [Number(token.number or Fraction(0)) for token in tokens[::2]]
    return total([Scalar(value, unit) for value, unit in zip(amounts, units, strict=True)])


def total(parts: list[Scalar]) -> Scalar | None:
    """Add amounts in ever smaller units of one kind, 2 hours and 30 minutes; None for any others."""
    units = [part.unit for part in parts]
    dimensions = {unit.dimension if unit else () for unit in units}
    if len(dimensions) > 1 or not units[0] or any(name[0] == "'" for name, _ in units[0].dimension):
        return None
    factors = [unit.factor for unit in units if unit]
    if any(small >= large for large, small in zip(factors, factors[1:], strict=False)):
        return None
    terms = [
        Operation("*", (part.value, Number(factor / factors[0])))
        for part, factor in zip(parts, factors, strict=True)
    ]
    return Scalar(Operation("+", tuple(terms)), units[0])


def _is_amount(token: Token) -> bool:
    return token.kind == "number" or token.value in ("pi", "sqrt", "frac", "infty")


def _scale(words: str) -> tuple[Fraction, str]:
    """Split off a word that multiplies: 1.5 million, 2 thirds of a mile; 5 fifth graders are 5."""
    first, _, rest = words.partition(" ")
    first = first.casefold()
    if (large := _CHINESE_SCALE.match(words)) and not is_known_unit(words):
        return Fraction(_SCALES[large[0]]), words[large.end() :]
    several = first.replace("halves", "halfs").removesuffix("s")
    for name in (first, several):
        if name in _SCALES:
            return Fraction(_SCALES[name]), rest
    if several in _PARTS and (several != first or not rest or rest.startswith("of ")):
        return Fraction(1, _PARTS[several]), rest
    return Fraction(1), words


def _currency(tokens: list[Token]) -> tuple[list[Token], Unit | None]:
    for position in (0, 1):
        if position < len(tokens) and tokens[position].value in CURRENCIES:
            if position and tokens[0].value != "-":
                continue
            return tokens[:position] + tokens[position + 1 :], parse_unit(CURRENCIES[tokens[position].value])
    if tokens and tokens[-1].value in CURRENCIES:
        return tokens[:-1], parse_unit(CURRENCIES[tokens[-1].value])
    return tokens, None


def _trailing_words(tokens: list[Token]) -> tuple[list[Token], str]:
    """Split off a unit: words, with the powers and slashes between and after them."""
    start = next((n for n, token in enumerate(tokens) if token.kind == "word" and n), len(tokens))
    if start == len(tokens):
        return tokens, ""
    tail = tokens[start:]
    if tokens[start - 1].value == "(" and tail[-1].value == ")":
        start, tail = start - 1, tail[:-1]
    allowed = ("/", "^", "{", "}", "-", "*", "cdot", "(", ")", ".")
    after_slash = {n + 1 for n, token in enumerate(tail) if token.value == "/"}
    after_slash |= {
        n + 1
        for n, token in enumerate(tail[:-1])
        if token.value == "cdot" and tail[n + 1].value in "smhLNJKCAVW"
    }
    known = [
        token.kind in ("word", "number")
        or token.value in allowed
        or (token.kind == "name" and n in after_slash)
        for n, token in enumerate(tail)
    ]
    if not all(known):
        raise UnparsableAnswer("words inside an expression")
    if tokens[start - 1].value == "^" and tail[0].value.startswith("circ"):
        return tokens, ""
    parts: list[str] = []
    for token in tail:
        if token.kind == "number" and (not parts or parts[-1][-1] not in "^{-"):
            raise UnparsableAnswer("a number after a unit")
        if token.value not in ("{", "}", "(", ")"):
            parts.append("*" if token.value == "cdot" else token.value)
    text = ""
    for part in parts:
        needs_space = text and part[0].isalpha() and text[-1].isalnum()
        text += (" " if needs_space else "") + part
    head = tokens[:start]
    while head and head[-1].kind == "sign" and head[-1].value in ("-", "*"):
        head = head[:-1]
    return head, text.strip()


def _degrees(value: Expression) -> Expression | None:
    """Value in degrees of an angle that has degree signs outside of functions."""
    if isinstance(value, Operation):
        if value.name == "degree":
            return value.operands[0]
        if value.name == "*" and len(value.operands) == 2 and value.operands[0] == MINUS_ONE:
            inner = _degrees(value.operands[1])
            return None if inner is None else Operation("*", (MINUS_ONE, inner))
        if value.name == "+":
            parts = [_degrees(operand) for operand in value.operands]
            if all(part is not None for part in parts):
                return Operation("+", tuple(part for part in parts if part is not None))
    return None
