"""Subtraction of a smaller number from a larger one, worked column by column.

82-57=?   ->   12-7=5;8-5-1=2   ->   25
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("subtraction")
def make_subtraction(rng: random.Random, config: GeneratorConfig) -> Task:
    b, a = sorted((operand(rng, config.digits), operand(rng, config.digits)))
    problem = f"{a}-{b}=?" if config.style == "short" else f"What is {a} - {b}?"
    return Task(problem, str(a - b), subtract_by_columns(a, b))


def subtract_by_columns(a: int, b: int) -> str:
    """Write the column differences, ones first; a column may borrow ten from the next, which loses one.

    >>> subtract_by_columns(82, 57)
    '12-7=5;8-5-1=2'
    >>> subtract_by_columns(68, 23)
    '8-3=5;6-2=4'
    """
    columns, borrow = [], 0
    for x, y in zip(reversed(str(a)), reversed(str(b).zfill(len(str(a)))), strict=True):
        lent = 10 if int(x) - int(y) - borrow < 0 else 0
        columns.append(f"{int(x) + lent}-{y}{'-1' if borrow else ''}={int(x) + lent - int(y) - borrow}")
        borrow = 1 if lent else 0
    return ";".join(columns)
