"""The sum of two fractions in lowest terms.

1/6+3/4=?   ->   2/12+9/12=11/12   ->   11/12
"""

import random
from fractions import Fraction
from math import gcd, lcm

from curation.generators.family import GeneratorConfig, Task, family


def _proper_fraction(rng: random.Random, digits: int) -> tuple[int, int]:
    denominator = rng.randint(2, 10**digits - 1)
    numerator = rng.randint(1, denominator - 1)
    shared = gcd(numerator, denominator)
    return numerator // shared, denominator // shared


@family("fraction_sum")
def make_fraction_sum(rng: random.Random, config: GeneratorConfig) -> Task:
    (a, b), (c, d) = _proper_fraction(rng, config.digits), _proper_fraction(rng, config.digits)
    common = lcm(b, d)
    left, right = a * (common // b), c * (common // d)
    total = Fraction(left + right, common)
    solution = f"{left}/{common}+{right}/{common}={left + right}/{common}"
    if str(total) != f"{left + right}/{common}":
        solution += f"={total}"
    words = f"What is {a}/{b} + {c}/{d} in lowest terms?"
    return Task(f"{a}/{b}+{c}/{d}=?" if config.style == "short" else words, str(total), solution)
