"""The next term of an arithmetic sequence.

4, 11, 18, ?   ->   11-4=7; 18+7=25   ->   25
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("arithmetic_sequence")
def make_arithmetic_sequence(rng: random.Random, config: GeneratorConfig) -> Task:
    first, step = operand(rng, config.digits), operand(rng, config.digits)
    terms = [first + step * index for index in range(max(config.n_terms, 3) + 1)]
    shown = ", ".join(map(str, terms[:-1]))
    problem = f"{shown}, ?" if config.style == "short" else f"What comes next in {shown}, ...?"
    return Task(problem, str(terms[-1]), f"{terms[1]}-{terms[0]}={step}; {terms[-2]}+{step}={terms[-1]}")
