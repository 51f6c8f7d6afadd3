r"""Write a typed answer as LaTeX in one canonical style that the parser reads back.

>>> from rewards.parsing.parser import parse_answer
>>> render_answer(parse_answer("x in (0, 3/6]".replace("in", r"\in"))), render_answer(parse_answer("2.50"))
('x\\in (0,\\frac{1}{2}]', '\\frac{5}{2}')
"""

import re
from fractions import Fraction

from rewards.answer.types import (
    Answer,
    Cases,
    Clock,
    Collection,
    Constant,
    Expression,
    Matrix,
    Named,
    Number,
    Numeral,
    Operation,
    Ratio,
    Region,
    Relation,
    Residue,
    Scalar,
    Symbol,
    Words,
)
from rewards.arithmetic.exact import NotRational, Undefined, rational_value

_OPERATORS = {"le": "\\le ", "ge": "\\ge ", "ne": "\\ne "}
_PLAIN_NAME = re.compile(r"[A-Za-z](_\{?\w+\}?)?'*")
_BRACKETS = {"list": ("", ""), "tuple": ("(", ")"), "square": ("[", "]"), "set": ("\\{", "\\}")}
MAX_BITS = 400
"""Longer fractions keep the form they were written in."""
BACKSLASH = chr(92)
_NAMES = {"asin": "\\arcsin", "acos": "\\arccos", "atan": "\\arctan"}


def render_answer(answer: Answer) -> str:
    """Return the canonical spelling."""
    match answer:
        case Scalar():
            unit = f"\\text{{ {answer.unit.spelling}}}" if answer.unit else ""
            return _value(answer.value) + ("\\%" if answer.is_percent else "") + unit
        case Collection():
            opening, closing = _BRACKETS[answer.kind]
            return opening + ",".join(render_answer(item) for item in answer.items) + closing
        case Region():
            pieces = "\\cup ".join(
                f"{'[' if piece.is_low_closed else '('}{_value(piece.low)},{_value(piece.high)}"
                f"{']' if piece.is_high_closed else ')'}"
                for piece in answer.intervals
            )
            return pieces if answer.variable is None else f"{_label(answer.variable)}\\in {pieces}"
        case Matrix():
            rows = "\\\\".join("&".join(_value(cell) for cell in row) for row in answer.rows)
            return f"\\begin{{pmatrix}}{rows}\\end{{pmatrix}}"
        case Named():
            return f"{_label(answer.label)}={render_answer(answer.value)}"
        case Relation():
            operator = _OPERATORS.get(answer.operator, answer.operator)
            operator = f"\\{operator} " if operator.isalpha() else operator
            return f"{_value(answer.left)}{operator}{_value(answer.right)}"
        case Ratio():
            return ":".join(_value(term) for term in answer.terms)
        case Clock():
            seconds = f":{answer.second:02d}" if answer.second else ""
            return f"{answer.hour}:{answer.minute:02d}{seconds}" + (
                f"\\text{{ {answer.half}}}" if answer.half else ""
            )
        case Numeral():
            return f"{answer.digits}_{{{answer.base}}}"
        case Residue():
            name = f"{_value(answer.variable)}\\equiv " if answer.variable is not None else ""
            return f"{name}{_value(answer.value)}\\pmod{{{_value(answer.modulus)}}}"
        case Cases():
            rows = "\\\\".join(f"{render_answer(value)}&{render_answer(when)}" for value, when in answer.rows)
            return f"\\begin{{cases}}{rows}\\end{{cases}}"
        case Words():
            return f"\\text{{{answer.text}}}"


def _label(label: Expression) -> str:
    if isinstance(label, Operation) and label.name == "@tuple":
        return "(" + ",".join(_value(operand) for operand in label.operands) + ")"
    if isinstance(label, Symbol) and not _PLAIN_NAME.fullmatch(label.name):
        return f"\\text{{{label.name}}}"
    return _value(label)


def _value(value: Expression) -> str:
    try:
        rational = rational_value(value)
    except (NotRational, Undefined):
        return render_expression(value)
    is_short = max(rational.numerator.bit_length(), rational.denominator.bit_length()) < MAX_BITS
    return _number(rational) if is_short else render_expression(value)


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def render_expression(value: Expression) -> str:
    """Write an expression, with parentheses around every operand that is not an atom."""
    if isinstance(value, Number):
        return _number(value.value)
    if isinstance(value, Constant):
        return {"pi": "\\pi ", "e": "e", "i": "i", "infinity": "\\infty "}[value.name]
    if isinstance(value, Symbol):
        return _symbol(value.name)
    name, operands = value.name, value.operands
    if name == "+":
        return "+".join(_term(operand) for operand in operands).replace("+-", "-")
    if name == "*":
        if operands[0] == Number(Fraction(-1)):
            return "-" + "\\cdot ".join(_factor(operand) for operand in operands[1:])
        return "\\cdot ".join(_factor(operand) for operand in operands)
    if name == "/":
        return f"\\frac{{{render_expression(operands[0])}}}{{{render_expression(operands[1])}}}"
    if name == "^":
        return f"{_factor(operands[0], is_base=True)}^{{{render_expression(operands[1])}}}"
    if name == "root":
        index = render_expression(operands[1])
        return f"\\sqrt{'' if index == '2' else f'[{index}]'}{{{render_expression(operands[0])}}}"
    if name == "log":
        return f"\\log_{{{render_expression(operands[1])}}}({render_expression(operands[0])})"
    if name == "binom":
        return f"\\binom{{{render_expression(operands[0])}}}{{{render_expression(operands[1])}}}"
    if name in ("!", "!!"):
        return _factor(operands[0], is_base=True) + name
    if name in ("percent", "degree"):
        return _factor(operands[0], is_base=True) + ("%" if name == "percent" else "^{\\circ}")
    if name == "abs":
        return f"\\abs{{{render_expression(operands[0])}}}"
    if name in ("floor", "ceil"):
        return f"\\l{name} {render_expression(operands[0])}\\r{name} "
    arguments = ",".join(render_expression(operand) for operand in operands)
    if name.startswith("@"):
        is_letter = len(name.strip("@'^-1")) == 1
        return f"{'' if is_letter else BACKSLASH}{name[1:]}({arguments})"
    return f"{_NAMES.get(name) or BACKSLASH + name}({arguments})"


def _symbol(name: str) -> str:
    letter, _, index = name.partition("_")
    if index:
        return f"{_symbol(letter)}_{{{index}}}"
    if " " in name:
        accent, _, letter = name.partition(" ")
        return f"\\{accent}{{{letter}}}"
    return name + " " if name.startswith("\\") else name


def _term(value: Expression) -> str:
    """A summand: sums keep their parentheses."""
    text = render_expression(value)
    return f"({text})" if isinstance(value, Operation) and value.name == "+" else text


def _factor(value: Expression, *, is_base: bool = False) -> str:
    """A factor or the base of a power: an atom needs no parentheses."""
    text = render_expression(value)
    if isinstance(value, Number):
        return f"({text})" if value.value < 0 or value.value.denominator > 1 else text
    if isinstance(value, Symbol | Constant):
        return text
    if not is_base and value.name in ("^", "root", "/", "binom", "!", "abs", "floor", "ceil"):
        return text
    return f"({text})"
