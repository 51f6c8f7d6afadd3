"""Check that the demo has its turning point with every seed: one row per seed.

python bench/demo_seeds.py                      seeds 0, 1 and 2 of configs/demo.toml
python bench/demo_seeds.py --seeds 3 4 --runs runs

A seed decides base model, data order and sampling. Required: reward, reflection rate and response length each
bend up by themselves, at a common step, and go on rising; the mean reward of the last five steps is .8 or
more; base model and training take four CPU-minutes at most, so that a busy machine does not matter. Existing
artifacts are reused. Exits with status 1 when a seed fails.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
from rich.console import Console
from rich.table import Table

from evals.statistics.turning_point import SERIES, run_bends, turning_point
from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from pipelines.stages.chain import Chain
from rewards.contracts.records import METRIC
from training.recorder import read_records

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "demo.toml"
REWARD, LIMIT_S = 0.8, 240.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    arguments = parser.parse_args()
    columns = ("seed", *(f"{name}, first and last five" for name in SERIES), "turning point", "CPU-s", "")
    table = Table(*columns, title="Demo")
    n_failed = 0
    for seed in arguments.seeds:
        metrics, seconds = train(seed, arguments.runs)
        bends = run_bends(metrics)
        point = turning_point(bends, SERIES)
        ends = {
            name: (metrics[name].to_numpy()[:5].mean(), metrics[name].to_numpy()[-5:].mean())
            for name in SERIES
        }
        passes = point is not None and ends["reward"][1] >= REWARD and seconds <= LIMIT_S
        n_failed += not passes
        table.add_row(
            str(seed),
            *(f"{before:.3g} -> {after:.3g}" for before, after in ends.values()),
            "none" if point is None else f"{point.place}, p <= {point.p_value:.3f}",
            f"{seconds:.0f}",
            "yes" if passes else "NO",
        )
    Console(width=150).print(table)
    sys.exit(1 if n_failed else 0)


def train(seed: int, runs: Path) -> tuple[pl.DataFrame, float]:
    """The training steps in order, and CPU seconds of base model and training, run now or reused."""
    config = load_config(CONFIG, {"name": f"demo-seed-{seed}", "training.seed": seed})
    chain = Chain(Workspace.open(config, runs))
    metrics = read_records(chain.trained.folder / "metrics.jsonl", METRIC).sort("step")
    return metrics, sum(artifact.manifest["usage"]["cpu_s"] for artifact in (chain.base, chain.trained))


if __name__ == "__main__":
    main()
