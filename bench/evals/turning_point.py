"""How often the turning point detector errs: false alarms on eight families without, power on three with one.

python bench/evals/turning_point.py                     200 runs a family (about 7 CPU-minutes)
python bench/evals/turning_point.py --runs 50 --families "random walks" "paper"

Each run has a reward and a response length over 300 steps, with first-order autoregressive noise (lag 0.5 and
0.7); "every tenth step" keeps 100 of 1,000 steps.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.statistics.turning_point import find_bends, turning_point

Shape = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""From places in the run (0 to 1) to reward and length without noise, the length in units of the reward."""


def autoregressive(n: int, scale: float, lag: float, generator: np.random.Generator) -> np.ndarray:
    noise = generator.standard_normal(n) * scale * np.sqrt(1 - lag**2)
    noise[0] /= np.sqrt(1 - lag**2)
    for step in range(1, n):
        noise[step] += lag * noise[step - 1]
    return noise


def rise(z: np.ndarray, at: float) -> np.ndarray:
    return np.maximum(0, z - at)


def paper(z: np.ndarray) -> np.ndarray:
    return 0.2 + 0.15 * z + 0.9 * rise(z, 0.68)


def plateau(z: np.ndarray) -> np.ndarray:
    return 0.2 + 0.25 * (1 - np.exp(-z / 0.05)) + 0.9 * rise(z, 0.68)


FAMILIES: dict[str, tuple[Shape, int]] = {
    "flat": (lambda z, g: (0 * z + 0.4, 0 * z + 0.4), 1),
    "linear": (lambda z, g: (0.2 + 0.5 * z, 0.2 + 0.5 * z), 1),
    "saturating": (lambda z, g: (0.2 + 0.5 * (1 - np.exp(-z / 0.2)),) * 2, 1),
    "square root": (lambda z, g: (0.2 + 0.5 * np.sqrt(z),) * 2, 1),
    "random walks": (
        lambda z, g: tuple(0.4 + g.standard_normal(len(z)).cumsum() * 0.02 for _ in range(2)),  # type: ignore[return-value]
        1,
    ),
    "one of two": (
        lambda z, g: (
            (0.2 + 0.9 * rise(z, 0.6), 0 * z + 0.4)
            if g.random() < 0.5
            else (0 * z + 0.4, 0.2 + 0.9 * rise(z, 0.6))
        ),
        1,
    ),
    "bends apart": (lambda z, g: (0.2 + 0.9 * rise(z, 0.3), 0.2 + 0.9 * rise(z, 0.7)), 1),
    "dip and recovery": (lambda z, g: (0.6 - 0.6 * np.minimum(z, 1 - z),) * 2, 1),
    "paper": (lambda z, g: (paper(z), paper(z)), 1),
    "paper, early plateau": (lambda z, g: (plateau(z), plateau(z)), 1),
    "paper, every tenth step": (lambda z, g: (plateau(z), plateau(z)), 10),
}
WITH_ONE = tuple(name for name in FAMILIES if name.startswith("paper"))


def run(name: str, seed: int) -> tuple[bool, float]:
    """Tell whether a turning point was found, and how far from 0.68 of the run."""
    shape, every = FAMILIES[name]
    generator = np.random.default_rng(seed)
    n = 1000 if every > 1 else 300
    z = np.linspace(0, 1, n)
    reward, length = shape(z, generator)
    reward = reward + autoregressive(n, 0.03, 0.5, generator)
    length = 500 + 2000 * length + autoregressive(n, 50, 0.7, generator)
    kept = slice(None, None, every)
    point = turning_point(
        find_bends(np.arange(n)[kept], {"reward": reward[kept], "length": length[kept]}, seed=seed)
    )
    return point is not None, abs(point.step / n - 0.68) if point is not None else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="FAMILY")
    arguments = parser.parse_args()
    table = Table(title=f"{arguments.runs} runs a family, level 0.01")
    for heading in ("family", "found", "limit", "median error, share of the run", "CPU-s a run"):
        table.add_column(heading, justify="left" if heading == "family" else "right")
    for name in arguments.families:
        started = time.process_time()
        found, errors = zip(*(run(name, seed) for seed in range(arguments.runs)), strict=True)
        share = sum(found) / arguments.runs
        error = "" if name not in WITH_ONE else f"{np.nanmedian(errors):.3f}"
        limit = ">= 90 %" if name in WITH_ONE else "<= 2 %"
        cost = (time.process_time() - started) / arguments.runs
        table.add_row(name, f"{100 * share:.1f} %", limit, error, f"{cost:.2f}")
        Console().print(f"{name}: {100 * share:.1f} %", markup=False)
    Console().print(table)


if __name__ == "__main__":
    main()
