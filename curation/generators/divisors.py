"""Greatest common divisor and least common multiple by Euclid's algorithm.

gcd(84, 36)=?   ->   84=36*2+12; 36=12*3+0; gcd 12   ->   12
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


def euclid(a: int, b: int) -> tuple[int, str]:
    """Return the greatest common divisor and the division steps that lead to it.

    >>> euclid(84, 36)
    (12, '84=36*2+12; 36=12*3+0')
    """
    steps = []
    while b:
        steps.append(f"{a}={b}*{a // b}+{a % b}")
        a, b = b, a % b
    return a, "; ".join(steps)


def _pair(rng: random.Random, digits: int) -> tuple[int, int]:
    """Two numbers that share a factor more often than by chance."""
    shared = rng.randint(2, 12)
    low, high = sorted((operand(rng, digits) * shared, operand(rng, digits) * shared))
    return high, low


@family("gcd")
def make_gcd(rng: random.Random, config: GeneratorConfig) -> Task:
    a, b = _pair(rng, config.digits)
    divisor, steps = euclid(a, b)
    words = f"What is the greatest common divisor of {a} and {b}?"
    return Task(
        f"gcd({a}, {b})=?" if config.style == "short" else words, str(divisor), f"{steps}; gcd {divisor}"
    )


@family("lcm")
def make_lcm(rng: random.Random, config: GeneratorConfig) -> Task:
    a, b = _pair(rng, config.digits)
    divisor, steps = euclid(a, b)
    multiple = a // divisor * b
    words = f"What is the least common multiple of {a} and {b}?"
    solution = f"{steps}; gcd {divisor}; {a}/{divisor}*{b}={multiple}"
    return Task(f"lcm({a}, {b})=?" if config.style == "short" else words, str(multiple), solution)
