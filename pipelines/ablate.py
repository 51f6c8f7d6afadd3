"""Ablations: train a small grid of settings over several seeds and compare them in one table.

    python -m pipelines.ablate --config configs/demo.toml --vary training.ppo.gae_lambda=1.0,0.95
    python -m pipelines.ablate --config configs/demo.toml --vary training.ppo.kl_coef=0.0,0.1 --steps 30

Several --vary options make a grid. A seed decides base model, data order and sampling, so variants are
compared seed by seed: the table gives means with 95% t-intervals over seeds, and the interval of the paired
difference from the first variant. The mean reward over all steps shows how fast a variant learns, and over
the last five where it ends. "held out" is the accuracy on the run's benchmarks after the last step, for
configurations that evaluate during training. Every run is an ordinary training artifact, and one that exists
is reused.
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table
from scipy import stats

from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from pipelines.stages.chain import Chain
from rewards.contracts.files import hash_text
from rewards.contracts.records import EVALUATION, METRIC
from training.recorder import read_records

COLUMNS = (
    "variant",
    "reward, all steps",
    "minus the first, paired",
    "last five",
    "held out",
    "tokens",
    "steps to 0.8",
)
LAST = 5
"""Steps at the end whose mean is a run's final value."""
TARGET = 0.8
"""Reward for which the first step that reaches it is reported."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One training run of a grid: its variant, its seed, and all overrides of the configuration."""

    variant: int
    seed: int
    overrides: dict[str, Any]


def plan_cells(
    config: Path, variants: Sequence[dict[str, Any]], seeds: Sequence[int], n_steps: int | None = None
) -> list[Cell]:
    """Every variant with every seed; each cell is a separate run, named by a hash of its overrides.

    ValueError when seeds or variants repeat, so that one run would count as several, or when a variant sets
    what a cell decides.
    """
    _check_grid(variants, seeds, n_steps)
    cells = []
    for seed, (number, variant) in itertools.product(seeds, enumerate(variants)):
        overrides = variant | {"training.seed": seed}
        if n_steps is not None:
            overrides |= {"training.n_steps": n_steps, "training.save_every": n_steps}
        training = load_config(config, overrides).training
        # Only the training rewards and the last evaluation are used; earlier evaluations would waste time.
        overrides["training.eval_every"] = training.total_steps if training.eval_every else 0
        name = f"ablate-{hash_text(json.dumps(overrides, sort_keys=True), 8)}"
        cells.append(Cell(number, seed, overrides | {"name": name}))
    return cells


def _check_grid(variants: Sequence[dict[str, Any]], seeds: Sequence[int], n_steps: int | None) -> None:
    shown = [", ".join(f"{key}={value}" for key, value in variant.items()) for variant in variants]
    for what, values, names in (("variant", variants, shown), ("seed", seeds, seeds)):
        if places := repeated(values):
            raise ValueError(f"{what} {names[places[0]]} is there twice; each counts once")
    decided = {"name": "every cell has a name of its own", "training.seed": "use --seeds"}
    if n_steps is not None:
        decided["training.n_steps"] = "leave out --steps"
    for key, hint in decided.items():
        if any(key in variant for variant in variants):
            raise ValueError(f"--vary {key}: a cell decides it: {hint}")


def repeated(values: Sequence[Any]) -> list[int]:
    """Places of the values that are there before as well.

    >>> repeated([0, {"a": 1}, 0, {"a": 1}])
    [2, 3]
    """
    return [place for place, value in enumerate(values) if value in values[:place]]


def ablate(config: Path, cells: Sequence[Cell], runs: Path, on_change: str = "ask") -> pl.DataFrame:
    """Train every cell, or reuse its artifact; returns [variant, seed] and the columns of `measure`.

    `on_change` says what to do with cells that other code has trained, as in the configuration.
    """
    rows = []
    for cell in cells:
        loaded = load_config(config, cell.overrides | {"on_change": on_change})
        trained = Chain(Workspace.open(loaded, runs)).trained
        metrics = read_records(trained.folder / "metrics.jsonl", METRIC)
        evaluations = read_records(trained.folder / "evaluations.jsonl", EVALUATION)
        rows.append({"variant": cell.variant, "seed": cell.seed} | measure(metrics, evaluations))
    return pl.DataFrame(rows)


def measure(metrics: pl.DataFrame, evaluations: pl.DataFrame) -> dict[str, float | int | None]:
    """Summarize a run's steps (METRIC) and its evaluations during training (EVALUATION).

    reward: mean over all steps; reward_last and response_tokens: mean over the last ones; held_out: accuracy
    after the last step, averaged over benchmarks, NaN without an evaluation; steps_to_target: the first step
    at which the mean reward of three steps is TARGET or more, None when there is none.
    """
    is_last = pl.col("step") == metrics["step"].max()
    accuracies = evaluations.filter(is_last, pl.col("name").str.ends_with("/accuracy"))["value"]
    metrics = metrics.sort("step")
    reached = metrics.filter(metrics["reward"].rolling_mean(3) >= TARGET)["step"]
    means = metrics.select(
        pl.col("reward").mean(),
        pl.col("reward").tail(LAST).mean().alias("reward_last"),
        pl.col("response_tokens").tail(LAST).mean(),
    )
    return means.row(0, named=True) | {
        "held_out": accuracies.mean() if len(accuracies) else math.nan,
        "steps_to_target": reached[0] if len(reached) else None,
    }


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95% t-interval; a single value has no interval (NaN).

    >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan, math.nan
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    margin = float(stats.t.ppf(0.975, len(values) - 1)) * deviation / math.sqrt(len(values))
    return mean, mean - margin, mean + margin


def make_table(frame: pl.DataFrame, variants: Sequence[dict[str, Any]]) -> Table:
    """The comparison as a table for the terminal."""
    table = Table(*COLUMNS, title=f"{frame['seed'].n_unique()} seeds", title_justify="left")
    for row in summary_rows(frame, variants):
        table.add_row(*row)
    return table


def summary_rows(frame: pl.DataFrame, variants: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The comparison, one row per variant, columns COLUMNS."""
    first = frame.filter(pl.col("variant") == 0).sort("seed")["reward"]
    rows = []
    for number, variant in enumerate(variants):
        part = frame.filter(pl.col("variant") == number).sort("seed")
        rows.append(
            [
                ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in variant.items()),
                _shown(interval(part["reward"].to_list())),
                _shown(interval((part["reward"] - first).to_list())) if number else "",
                _shown(interval(part["reward_last"].to_list())),
                _shown(interval(part["held_out"].to_list())),
                _shown(interval(part["response_tokens"].to_list()), digits=1),
                "/".join("-" if step is None else str(step) for step in part["steps_to_target"]),
            ]
        )
    return rows


def _shown(values: tuple[float, float, float], digits: int = 3) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in values)
    if math.isnan(values[0]):
        return "-"
    return mean if math.isnan(values[1]) else f"{mean} [{low}, {high}]"


def read_grid(settings: Sequence[str]) -> list[dict[str, Any]]:
    """Turn KEY=VALUE,VALUE arguments into all combinations.

    >>> read_grid(["a.b=1,0.5", "c=x"])
    [{'a.b': 1, 'c': 'x'}, {'a.b': 0.5, 'c': 'x'}]
    """
    axes = []
    for setting in settings:
        key, found, values = setting.partition("=")
        if not found:
            raise ValueError(f"--vary {setting}: expected KEY=VALUE,VALUE")
        axes.append([(key, _value(text)) for text in values.split(",")])
    return [dict(combination) for combination in itertools.product(*axes)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.ablate", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file of the run")
    vary = "a field and the values to compare, such as training.ppo.gae_lambda=1.0,0.95 (repeatable)"
    parser.add_argument("--vary", action="append", required=True, metavar="KEY=V1,V2", help=vary)
    seeds = "seeds to train each variant with (default: 0 1 2)"
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help=seeds)
    parser.add_argument("--steps", type=int, help="training steps (default: the configuration's)")
    text = "what to do with runs that other code has trained (default: ask)"
    parser.add_argument("--on-change", choices=("ask", "resume", "fresh"), default="ask", help=text)
    runs = "folder of all runs (default: runs)"
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help=runs)
    parsed = parser.parse_args(arguments)
    try:
        variants = read_grid(parsed.vary)
        cells = plan_cells(parsed.config, variants, parsed.seeds, parsed.steps)
        frame = ablate(parsed.config, cells, parsed.runs, parsed.on_change)
    except ValueError as error:
        parser.error(str(error))
    Console().print(make_table(frame, variants))
    return 0


if __name__ == "__main__":
    sys.exit(main())
