"""A sum of products, evaluated in the usual order of operations.

4*7+12-3*5=?   ->   4*7=28; 3*5=15; 28+12=40; 40-15=25   ->   25
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand


@family("expression")
def make_expression(rng: random.Random, config: GeneratorConfig) -> Task:
    text, products, values, signs = "", [], [], []
    for index in range(config.n_terms):
        signs.append(rng.choice((1, -1)) if index else 1)
        text += ("+" if signs[-1] > 0 else "-") if index else ""
        if rng.random() < 0.5:
            a, b = rng.randint(2, 9), rng.randint(2, 9)
            text += f"{a}*{b}"
            products.append(f"{a}*{b}={a * b}")
            values.append(a * b)
        else:
            values.append(operand(rng, config.digits))
            text += str(values[-1])
    total, sums = values[0], []
    for sign, value in zip(signs[1:], values[1:], strict=True):
        sums.append(f"{total}{'+' if sign > 0 else '-'}{value}={total + sign * value}")
        total += sign * value
    problem = f"{text}=?" if config.style == "short" else f"Compute {text}."
    return Task(problem, str(total), "; ".join(products + sums))
