"""Check that the demo learns with every seed: reward, length and time of its training, one row per seed.

python bench/demo_seeds.py                      seeds 0, 1 and 2 of configs/demo.toml
python bench/demo_seeds.py --seeds 3 4 --runs runs

A seed decides base model, data order and sampling. Required: by step 25, a reward of 0.85 or more with longer
responses than at the start, in at most four minutes. A step's reward is the mean of 128 samples, with a
standard error of 0.03 near 0.85, so the mean of three steps counts. The four minutes are CPU time of base
model and training, so that a busy machine does not matter. Existing training artifacts are reused, including
those of a grid (`python -m pipelines.ablate --config configs/demo.toml ...`). Exits with status 1 when a seed
fails.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
from rich.console import Console
from rich.table import Table

from pipelines.ablate import Cell, plan_cells
from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from pipelines.stages.chain import Chain
from rewards.contracts.records import METRIC
from training.recorder import read_records

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "demo.toml"
STEP, REWARD, LIMIT_S = 25, 0.85, 240.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    arguments = parser.parse_args()
    table = Table("seed", "reward, steps 1-3", "steps 23-25", "last 3", "tokens", "CPU-s", "", title="Demo")
    n_failed = 0
    for cell in plan_cells(CONFIG, [{}], arguments.seeds):
        metrics, seconds = train(cell, arguments.runs)
        start, end = metrics.head(3), metrics.tail(3)
        by_then = metrics.filter(pl.col("step").is_between(STEP - 2, STEP))
        reward, first, last = (part["reward"].mean() for part in (by_then, start, end))
        before, after = start["response_tokens"].mean(), by_then["response_tokens"].mean()
        passes = reward >= REWARD and after > before and seconds <= LIMIT_S
        n_failed += not passes
        table.add_row(
            str(cell.seed),
            f"{first:.3f}",
            f"{reward:.3f}",
            f"{last:.3f}",
            f"{before:.1f} -> {after:.1f}",
            f"{seconds:.0f}",
            "yes" if passes else "NO",
        )
    Console().print(table)
    sys.exit(1 if n_failed else 0)


def train(cell: Cell, runs: Path) -> tuple[pl.DataFrame, float]:
    """The training steps in order, and CPU seconds of base model and training, run now or reused."""
    chain = Chain(Workspace.open(load_config(CONFIG, cell.overrides), runs))
    metrics = read_records(chain.trained.folder / "metrics.jsonl", METRIC).sort("step")
    return metrics, sum(artifact.manifest["usage"]["cpu_s"] for artifact in (chain.base, chain.trained))


if __name__ == "__main__":
    main()
