"""Addition of two numbers, worked column by column.

27+58=?   ->   7+8=15;2+5+1=8   ->   85
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("addition")
def make_addition(rng: random.Random, config: GeneratorConfig) -> Task:
    a, b = operand(rng, config.digits), operand(rng, config.digits)
    problem = f"{a}+{b}=?" if config.style == "short" else f"What is {a} + {b}?"
    return Task(problem, str(a + b), add_by_columns(a, b))


def add_by_columns(a: int, b: int) -> str:
    """Write the column sums, ones first; a carry is the third summand of the next column.

    >>> add_by_columns(27, 58)
    '7+8=15;2+5+1=8'
    >>> add_by_columns(31, 42)
    '1+2=3;3+4=7'
    >>> add_by_columns(95, 8)
    '5+8=13;9+0+1=10'
    """
    width = max(len(str(a)), len(str(b)))
    columns, carry = [], 0
    for x, y in zip(reversed(str(a).zfill(width)), reversed(str(b).zfill(width)), strict=True):
        total = int(x) + int(y) + carry
        columns.append(f"{x}+{y}{'+1' if carry else ''}={total}")
        carry = total // 10
    return ";".join(columns)
