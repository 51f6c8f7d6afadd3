"""A percentage of a number, chosen so that the result is an integer.

35% of 80=?   ->   35*80=2800; 2800/100=28   ->   28
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("percentage")
def make_percentage(rng: random.Random, config: GeneratorConfig) -> Task:
    percent, number = 5 * rng.randint(1, 19), 20 * operand(rng, config.digits)
    problem = f"{percent}% of {number}=?" if config.style == "short" else f"What is {percent}% of {number}?"
    product = percent * number
    return Task(problem, str(product // 100), f"{percent}*{number}={product}; {product}/100={product // 100}")
