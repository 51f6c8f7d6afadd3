"""Built-in generators of reasoning tasks with exact answers: one file per family; importing registers it."""

from curation.generators import (
    addition,
    arithmetic_sequence,
    base_conversion,
    division,
    divisors,
    expression,
    fraction_sum,
    linear_equation,
    modular_chain,
    modular_power,
    multiplication,
    percentage,
    subtraction,
    word_problem,
)
from curation.generators.family import FAMILIES, GeneratorConfig, Task, generate

__all__ = [
    "FAMILIES",
    "GeneratorConfig",
    "Task",
    "addition",
    "arithmetic_sequence",
    "base_conversion",
    "division",
    "divisors",
    "expression",
    "fraction_sum",
    "generate",
    "linear_equation",
    "modular_chain",
    "modular_power",
    "multiplication",
    "percentage",
    "subtraction",
    "word_problem",
]
