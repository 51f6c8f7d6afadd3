"""Multiplication of two numbers by partial products.

23*14=?   ->   23*4=92;23*10=230;92+230=322   ->   322
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("multiplication")
def make_multiplication(rng: random.Random, config: GeneratorConfig) -> Task:
    a, b = operand(rng, config.digits), operand(rng, config.digits)
    problem = f"{a}*{b}=?" if config.style == "short" else f"What is {a} times {b}?"
    return Task(problem, str(a * b), multiply_by_parts(a, b))


def multiply_by_parts(a: int, b: int) -> str:
    """Write one product per non-zero digit of `b`, then their running sum.

    >>> multiply_by_parts(23, 14)
    '23*4=92;23*10=230;92+230=322'
    >>> multiply_by_parts(7, 8)
    '7*8=56'
    """
    parts = [int(digit) * 10**power for power, digit in enumerate(reversed(str(b))) if digit != "0"]
    steps = [f"{a}*{part}={a * part}" for part in parts]
    total = a * parts[0]
    for part in parts[1:]:
        steps.append(f"{total}+{a * part}={total + a * part}")
        total += a * part
    return ";".join(steps)
