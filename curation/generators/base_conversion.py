"""A number rewritten in another base by repeated division.

Write 13 in base 2.   ->   13=2*6+1; 6=2*3+0; 3=2*1+1; 1=2*0+1   ->   1101
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("base_conversion")
def make_base_conversion(rng: random.Random, config: GeneratorConfig) -> Task:
    number, base = operand(rng, config.digits), rng.randint(2, 9)
    digits, steps, rest = "", [], number
    while rest:
        steps.append(f"{rest}={base}*{rest // base}+{rest % base}")
        digits, rest = f"{rest % base}{digits}", rest // base
    problem = f"{number} in base {base}=?" if config.style == "short" else f"Write {number} in base {base}."
    return Task(problem, digits, "; ".join(steps))
