"""The sympy worker process: the last resort for pairs of expressions that nothing else decided.

`rewards.algebra.worker_pool` starts it as `python -m rewards.algebra.sympy_worker`. It reads one pair of
expressions per line (trees in JSON, never text to be parsed) and answers each with one line: the finding, and
the CPU time the process has used so far, in seconds.
"""

import functools
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

from rewards.answer.types import Constant, Expression, Number, Symbol

CPU_LIMIT_S = 1.0
"""CPU seconds for one pair; the operating system kills the process when it takes more."""
MEMORY_LIMIT_BYTES = 1 << 30
_DIRECT = {"sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "asin": "asin",
           "acos": "acos", "atan": "atan", "acot": "acot", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
           "coth": "coth", "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh", "ln": "log", "exp": "exp",
           "abs": "Abs", "floor": "floor", "ceil": "ceiling", "binom": "binomial", "!": "factorial",
           "!!": "factorial2", "conj": "conjugate", "acsc": "acsc", "asec": "asec"}  # fmt: skip


Rule = Literal["simplified", "as_doubles"]
"""simplified: the difference simplifies to zero. as_doubles: the expressions as written, or their values to
15 digits, are the same object; this is Open-Reasoner-Zero's test (see `rewards.orz.comparer`)."""


def to_tree(value: Expression) -> list[Any]:
    """Write an expression as nested lists for JSON."""
    if isinstance(value, Number):
        return ["number", str(value.value.numerator), str(value.value.denominator)]
    if isinstance(value, Symbol | Constant):
        return ["symbol" if isinstance(value, Symbol) else "constant", value.name]
    return ["operation", value.name, *(to_tree(operand) for operand in value.operands)]


def _power(base: Any, exponent: Any) -> Any:
    """A power; an odd root of a negative number is the real root, as in written answers."""
    if base.is_negative and exponent.is_Rational and exponent.q % 2 and exponent.q > 1:
        return (-1) ** exponent.p * (-base) ** exponent
    return base**exponent


_RELATIONS = {"=": "Eq", "ne": "Ne", "<": "Lt", ">": "Gt", "le": "Le", "ge": "Ge"}


def from_tree(tree: list[Any]) -> Any:
    """Build the sympy expression of a tree, function by function; nothing is parsed."""
    import sympy

    kind, name = tree[0], tree[1]
    if kind == "number":
        return sympy.Rational(int(name), int(tree[2]))
    if kind == "symbol":
        return sympy.Symbol(name)
    if kind == "constant":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}[name]
    operands = [from_tree(operand) for operand in tree[2:]]
    if name in ("+", "*"):
        return (sympy.Add if name == "+" else sympy.Mul)(*operands)
    if name == "/":
        return operands[0] / operands[1]
    if name == "^":
        return _power(operands[0], operands[1])
    if name == "root":
        return _power(operands[0], 1 / operands[1])
    if name == "log":
        return sympy.log(operands[0], operands[1])
    if name == "percent":
        return operands[0] / 100
    if name == "degree":
        return operands[0] * sympy.pi / 180
    if name in ("max", "min"):
        return (sympy.Max if name == "max" else sympy.Min)(*operands)
    if name in ("gcd", "lcm"):
        return functools.reduce(sympy.gcd if name == "gcd" else sympy.lcm, operands)
    if name in ("sum", "prod"):
        body, index, low, high = operands
        return (sympy.Sum if name == "sum" else sympy.Product)(body, (index, low, high)).doit()
    if name in _DIRECT:
        return getattr(sympy, _DIRECT[name])(*operands)
    return sympy.Function(name)(*operands)


def from_tree_unevaluated(tree: list[Any]) -> Any:
    """Build the sympy expression as sympy's LaTeX parser does: nothing is evaluated."""
    import sympy

    if tree[0] != "operation":
        return from_tree(tree)
    name, operands = tree[1], [from_tree_unevaluated(operand) for operand in tree[2:]]
    if name in _RELATIONS:
        return getattr(sympy, _RELATIONS[name])(*operands)
    if name in ("+", "*"):
        return (sympy.Add if name == "+" else sympy.Mul)(*operands, evaluate=False)
    if name == "/":
        inverse = sympy.Pow(operands[1], -1, evaluate=False)
        return inverse if operands[0] == 1 else sympy.Mul(operands[0], inverse, evaluate=False)
    if name == "^":
        return sympy.Pow(*operands, evaluate=False)
    if name == "root":
        return sympy.root(*operands, evaluate=False)
    if name == "log":
        return sympy.log(*operands, evaluate=False)
    if name in _DIRECT:
        return getattr(sympy, _DIRECT[name])(*operands, evaluate=False)
    return sympy.Function(name.removeprefix("@"))(*operands)


def is_same_as_double(left: Any, right: Any) -> bool:
    """Compare two sympy expressions as objects, then their values to 15 digits, also as objects."""
    return bool(left == right or left.evalf() == right.evalf())


def is_zero(difference: Any) -> bool:
    """Tell whether simplification brings a difference to zero."""
    import sympy

    return bool(sympy.simplify(difference) == 0)


def main() -> None:
    """Answer pairs until the input ends or the parent is gone."""
    limit_memory()
    import sympy

    # The first simplification imports much of sympy: no question should be charged for that CPU time.
    angle = sympy.Symbol("x")
    is_zero(sympy.sin(angle) ** 2 + sympy.cos(angle) ** 2 - 1)
    serve(_answer, CPU_LIMIT_S)


def limit_memory() -> None:
    """Limit this process's memory; called before anything large is imported."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(answer: Callable[[bytes], str], cpu_limit_s: float) -> None:
    """Answer each line of the input with one line, until it ends or the parent is gone."""
    parent = os.getppid()
    say("ready")
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], 5)
        if os.getppid() != parent:
            return
        if not readable:
            continue
        line = sys.stdin.buffer.readline()
        if not line:
            return
        # SIGPROF is not handled: its default action kills the process, whatever code is running.
        signal.setitimer(signal.ITIMER_PROF, cpu_limit_s)
        finding = answer(line)
        signal.setitimer(signal.ITIMER_PROF, 0)
        say(finding)


def say(finding: str) -> None:
    """Write a line: the finding, and the CPU seconds this process has used."""
    sys.stdout.write(f"{finding} {time.process_time()}\n")
    sys.stdout.flush()


def _answer(line: bytes) -> str:
    rule, *trees = json.loads(line)
    try:
        if rule == "value":
            value = from_tree(trees[0]).evalf(20)
            parts = value.as_real_imag() if value.is_finite else ()
            return ",".join(str(part) for part in parts if part.is_Number) if len(parts) == 2 else "unknown"
        gold, response = trees
        if rule == "as_doubles":
            same = is_same_as_double(from_tree_unevaluated(gold), from_tree_unevaluated(response))
            return "same" if same else "different"
        return "same" if is_zero(from_tree(gold) - from_tree(response)) else "different"
    except MemoryError:
        return "timeout"
    except (
        ArithmeticError,
        AttributeError,
        TypeError,
        ValueError,
        NotImplementedError,
        RecursionError,
        KeyError,
    ):
        return "unknown"


if __name__ == "__main__":
    main()
