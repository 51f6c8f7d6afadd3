r"""Check the value of a reference answer with sympy, which shares no arithmetic with our own code.

>>> from rewards.parsing.parser import parse_answer
>>> confirm_value(parse_answer(r"\frac{\sqrt{5}-1}{2}").value), confirm_value(parse_answer("f(x)").value)
(True, None)
"""

from fractions import Fraction

from flint import acb, arb

from rewards.algebra.worker_pool import shared_pool
from rewards.answer.types import Expression, Number, Operation, Symbol, substitute, symbols, walk
from rewards.arithmetic.balls import evaluate, log2_magnitude
from rewards.arithmetic.exact import Undefined
from rewards.verdict import AnswerTooLarge

PRECISION = 128
AGREEMENT_BITS = 40
"""The two values agree when they differ by less than 2^-40, relative to ours when ours is above 1."""


def confirm_value(value: Expression) -> bool | None:
    """Compare our value of an expression with sympy's, at a fixed point when it has variables.

    None when either has no value there: unknown functions, infinities, a result past the limits.
    """
    names = sorted(symbols(value))
    point: dict[Expression, Expression] = {
        Symbol(name): Number(Fraction(2 * n + 3, 2 * n + 4)) for n, name in enumerate(names)
    }
    constant = substitute(value, point)
    try:
        ours = evaluate(constant, {}, PRECISION)
    except (Undefined, AnswerTooLarge, KeyError):
        return None
    theirs = None if _has_unknown_function(constant) else shared_pool().value(constant)
    if theirs is None:
        return None
    difference = ours - acb(arb(theirs[0]), arb(theirs[1]))
    return log2_magnitude(difference) < max(log2_magnitude(ours), 0.0) - AGREEMENT_BITS


def _has_unknown_function(value: Expression) -> bool:
    return any(isinstance(part, Operation) and part.name[0] == "@" for part in walk(value))
