"""The remainder of a division, with its quotient shown.

What is the remainder when 87 is divided by 6?   ->   87=6*14+3   ->   3
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("division_remainder")
def make_division_remainder(rng: random.Random, config: GeneratorConfig) -> Task:
    a, b = operand(rng, config.digits), rng.randint(2, 12)
    problem = (
        f"{a} mod {b}=?" if config.style == "short" else f"What is the remainder when {a} is divided by {b}?"
    )
    return Task(problem, str(a % b), f"{a}={b}*{a // b}+{a % b}")
