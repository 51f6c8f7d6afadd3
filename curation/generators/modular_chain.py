"""One digit added again and again, of which the last digit counts; at most `n_terms` steps with a countdown.

For responses of a length that the settings choose, about nine tokens a step. Sums are written out in full:
models learn them much faster than sums modulo 10.

4+7*3 mod 10=?   ->   03:4+7=11;02:1+7=8;01:8+7=15;   ->   5
"""

import random

from curation.generators.family import GeneratorConfig, Task, family


@family("modular_chain")
def make_modular_chain(rng: random.Random, config: GeneratorConfig) -> Task:
    start, step = rng.randint(0, 9), rng.randint(1, 9)
    n_steps = rng.randint(config.n_terms // 2 + 1, config.n_terms)
    value, lines = start, []
    for left in range(n_steps, 0, -1):
        lines.append(f"{left:02d}:{value}+{step}={value + step};")
        value = (value + step) % 10
    short = f"{start}+{step}*{n_steps} mod 10=?"
    words = f"What is the last digit of {start}+{step}*{n_steps}?"
    return Task(short if config.style == "short" else words, str(value), "".join(lines))
