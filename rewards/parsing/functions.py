"""Functions by name: their other names, and those that are written with others."""

from fractions import Fraction

from rewards.answer.types import Constant, Expression, Number, Operation
from rewards.answer.units import words

COMMUTATIVE = frozenset(("gcd", "lcm", "max", "min"))
INVERSE = {
    "sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sec": "asec", "csc": "acsc",
    "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh", "coth": "arcoth",
    "sech": "arsech", "csch": "arcsch",
}  # fmt: skip
ALIASES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsec": "asec", "arccsc": "acsc", "lg": "log",
    "arcsinh": "arsinh", "asinh": "arsinh", "argsinh": "arsinh", "arccosh": "arcosh", "acosh": "arcosh",
    "argcosh": "arcosh", "arctanh": "artanh", "atanh": "artanh", "argtanh": "artanh", "arccoth": "arcoth",
    "acoth": "arcoth",
}  # fmt: skip
_RECIPROCAL = {"asec": "acos", "acsc": "asin", "arcoth": "artanh", "arsech": "arcosh", "arcsch": "arsinh"}
"""Inverse functions that are another one of 1/x."""
_UNKNOWN_FUNCTIONS = words("arg det deg Re Im sgn dim")


def apply_function(
    name: str, operands: list[Expression], base: Expression, power: Expression | None
) -> Expression:
    """The value of a function; `base` is a logarithm's, `power` that of \\sin^2 x."""
    if name == "log":
        operands = [operands[0], base]
    if name in _RECIPROCAL:
        name, operands = _RECIPROCAL[name], [Operation("/", (Number(Fraction(1)), operands[0]))]
    if name == "cis":
        turn = Operation("*", (Constant("i"), Operation("sin", tuple(operands))))
        value: Expression = Operation("+", (Operation("cos", tuple(operands)), turn))
    elif name in ("sech", "csch"):
        inner = Operation("cosh" if name == "sech" else "sinh", tuple(operands))
        value = Operation("/", (Number(Fraction(1)), inner))
    elif name in COMMUTATIVE:
        value = Operation(name, tuple(sorted(operands, key=repr))) if len(operands) > 1 else operands[0]
    else:
        value = Operation("@" + name if name in _UNKNOWN_FUNCTIONS else name, tuple(operands))
    return value if power is None else Operation("^", (value, power))
