"""Small versions of the paper's ablations: the demo's task, three seeds each, one table per question.

    python bench/ablations.py                     every grid, about 25 CPU-minutes from scratch
    python bench/ablations.py --only lambda kl    some of them
    python bench/ablations.py --seeds 0 1 2 3 4   more seeds; existing training artifacts are reused

All train a model of 160 thousand parameters on sums, where a response has 10 to 30 tokens. They show how the
switches work and what they do at this size. They cannot show effects that appear only after hundreds of steps
or with responses of thousands of tokens.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from pipelines.ablate import ablate, make_table, plan_cells, read_grid

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "demo.toml"

# Two thirds of the demo's, because variants differ in how fast they learn.
RATE: dict[str, Any] = {"training.actor.lr": 4e-4}

# What matters is how far lambda looks, 1 / (1 - lambda) tokens, relative to the response length. 0.95 sees 20
# of the paper's thousand or more tokens, but here all 20. 0.5 sees two of 20, which is closer.
LAMBDAS = read_grid(["training.ppo.gae_lambda=1.0,0.95,0.5"])

# Three-digit sums: responses of 28 tokens instead of 20, and one in five worked out at the start.
THREE_DIGITS: dict[str, Any] = {
    "held_out.0.generator.digits": 3,
    "curation.sources.0.generator.digits": 3,
    "training.model.warmup.phases.1.careful": 0.2,
    "training.model.warmup.phases.1.quick": 0.7,
}

# The base model warms up on all sources; PPO trains on one of them.
SOURCES: dict[str, Any] = {
    "curation.sources": [
        {
            "name": name,
            "license": "Apache-2.0",
            "generator": {"family": "addition", "digits": 2, "n_problems": n, "seed": n},
        }
        for name, n in (("16 problems", 16), ("100 problems", 100), ("3000 problems", 3000))
    ]
}


@dataclass(frozen=True, slots=True)
class Grid:
    question: str
    variants: list[dict[str, Any]]
    common: dict[str, Any] = field(default_factory=dict)


def switch(places: str) -> list[dict[str, Any]]:
    return [{"training.ppo.kl_coef": 0.0}] + [
        {"training.ppo.kl_coef": 0.05, "training.ppo.kl_place": place} for place in places.split()
    ]


def shapes(*sizes: tuple[int, int]) -> list[dict[str, Any]]:
    names = ("training.rollout.prompts_per_step", "training.rollout.samples_per_prompt")
    return [dict(zip(names, size, strict=True)) for size in sizes]


GRIDS = {
    "lambda": Grid("GAE lambda (paper: 1.0)", LAMBDAS),
    "lambda-3": Grid("GAE lambda, three digits", LAMBDAS, THREE_DIGITS),
    "kl": Grid("KL to the base model (paper: none)", switch("loss reward")),
    "data": Grid(
        "Problems to train on (paper: more are better)",
        [{"training.sources": [f"{n} problems"]} for n in (3000, 100, 16)],
        SOURCES,
    ),
    "updates": Grid(
        "Policy updates per step (paper: 1, strictly on-policy)",
        read_grid(["training.ppo.policy_minibatches=1,4"]),
    ),
    "shape": Grid("Prompts and samples, 128 responses per step", shapes((16, 8), (4, 32), (64, 2))),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=GRIDS, default=[*GRIDS])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    arguments = parser.parse_args()
    for name in arguments.only:
        grid = GRIDS[name]
        cells = plan_cells(
            CONFIG, [RATE | grid.common | variant for variant in grid.variants], arguments.seeds
        )
        table = make_table(ablate(CONFIG, cells, arguments.runs), grid.variants)
        table.title = f"{grid.question}; {table.title}"
        Console(width=150).print(table)


if __name__ == "__main__":
    main()
