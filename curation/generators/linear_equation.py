"""A linear equation with an integer solution.

Solve for x: 3x + 5 = 26   ->   3x = 26 - 5 = 21; x = 21 / 3 = 7   ->   7
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("linear_equation")
def make_linear_equation(rng: random.Random, config: GeneratorConfig) -> Task:
    a = rng.randint(2, 9)
    x = rng.choice((-1, 1)) * operand(rng, config.digits)
    b = rng.choice((-1, 1)) * operand(rng, config.digits)
    right = a * x + b
    sign, back = ("+", "-") if b > 0 else ("-", "+")
    equation = f"{a}x {sign} {abs(b)} = {right}"
    problem = f"{equation}, x=?" if config.style == "short" else f"Solve for x: {equation}"
    solution = f"{a}x = {right} {back} {abs(b)} = {right - b}; x = {right - b} / {a} = {x}"
    return Task(problem, str(x), solution)
