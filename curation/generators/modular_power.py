"""A power modulo a small number, by repeated multiplication.

7^3 mod 5=?   ->   7 mod 5=2; 2*2=4 mod 5=4; 4*2=8 mod 5=3   ->   3
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("modular_power")
def make_modular_power(rng: random.Random, config: GeneratorConfig) -> Task:
    base, exponent, modulus = (
        operand(rng, config.digits),
        rng.randint(2, 2 + config.n_terms),
        rng.randint(3, 19),
    )
    factor = value = base % modulus
    steps = [f"{base} mod {modulus}={value}"]
    for _ in range(exponent - 1):
        steps.append(f"{value}*{factor}={value * factor} mod {modulus}={value * factor % modulus}")
        value = value * factor % modulus
    words = f"What is the remainder when {base}^{exponent} is divided by {modulus}?"
    problem = f"{base}^{exponent} mod {modulus}=?" if config.style == "short" else words
    return Task(problem, str(value), "; ".join(steps))
