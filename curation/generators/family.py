"""Generator families: functions from a random generator and settings to one task with an exact answer.

A family registers itself by name; row i of a run depends only on the seed, the family and i.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from pydantic import Field, model_validator

from rewards.contracts.settings import Settings


class GeneratorConfig(Settings):
    """Which family of tasks to generate, how many, and how hard."""

    family: str
    """Name of the family, such as addition, gcd or linear_equation."""
    n_problems: int = Field(default=1000, ge=1)
    """How many distinct problems to generate."""
    digits: int = Field(default=2, ge=1, le=12)
    """Difficulty: decimal digits of the numbers involved."""
    n_terms: int = Field(default=3, ge=2, le=99)
    """Difficulty: terms or steps, in families that have several (expression, arithmetic_sequence,
    modular_chain)."""
    style: Literal["short", "words"] = "short"
    """short: "27+58=?"; words: "What is 27 + 58?". Families that need words ignore it."""
    seed: int = 0
    """Seed of the family; another seed gives another sample."""

    @model_validator(mode="after")
    def _family_is_known(self) -> "GeneratorConfig":
        if self.family not in FAMILIES:
            near = get_close_matches(self.family, FAMILIES, n=1) or sorted(FAMILIES)
            raise ValueError(f"no generator family {self.family!r}; did you mean {', '.join(near)}?")
        return self


@dataclass(frozen=True, slots=True)
class Task:
    """One generated problem with its exact answer and a worked solution."""

    problem: str
    answer: str
    solution: str


Make = Callable[[random.Random, GeneratorConfig], Task]

FAMILIES: dict[str, Make] = {}

_MAX_REPEATS = 200


def family(name: str) -> Callable[[Make], Make]:
    """Register a function as the family `name`."""

    def register(make: Make) -> Make:
        FAMILIES[name] = make
        return make

    return register


def operand(rng: random.Random, digits: int) -> int:
    """Draw an integer with exactly `digits` digits, uniformly; one digit means 1 to 9."""
    return rng.randint(10 ** (digits - 1), 10**digits - 1)


def generate(config: GeneratorConfig) -> Iterator[Task]:
    """Yield `n_problems` distinct tasks; ValueError when the settings allow fewer."""
    seen: set[str] = set()
    draw = n_repeats = 0
    while len(seen) < config.n_problems:
        # A string seed is hashed with SHA-512, so neighboring rows are unrelated on every platform.
        task = FAMILIES[config.family](random.Random(f"{config.seed}/{config.family}/{draw}"), config)
        draw += 1
        if task.problem in seen:
            n_repeats += 1
            if n_repeats > _MAX_REPEATS + 20 * len(seen):
                raise ValueError(
                    f"generator {config.family} with digits={config.digits} gave only {len(seen)} distinct "
                    f"problems, {config.n_problems} were requested; lower n_problems or raise digits"
                )
            continue
        seen.add(task.problem)
        yield task
