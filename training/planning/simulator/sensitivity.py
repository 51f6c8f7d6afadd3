"""Variants of a simulated run with one setting changed: response limit, samples, engines, cluster size."""

from collections.abc import Iterator
from dataclasses import replace

import polars as pl

from training.config import TrainingConfig
from training.planning.simulator.lengths import Lengths
from training.planning.simulator.machine import Cluster
from training.planning.simulator.steps import AGREEING, Sharing, simulate_run

N_KNOTS = 5


def variants(
    config: TrainingConfig, cluster: Cluster
) -> Iterator[tuple[str, TrainingConfig, Cluster, dict[str, Sharing]]]:
    """(what changed, configuration, cluster, options of simulate_run), starting with the unchanged run."""
    rollout = config.rollout

    def with_rollout(**changes: int) -> TrainingConfig:
        return config.model_copy(update={"rollout": rollout.model_copy(update=changes)})

    yield "as configured", config, cluster, {}
    for factor in (0.5, 2):
        limit = int(rollout.max_new_tokens * factor)
        yield f"response limit {limit:,}", with_rollout(max_new_tokens=limit), cluster, {}
    for n_samples in (rollout.samples_per_prompt // 4, rollout.samples_per_prompt * 2):
        if n_samples:
            yield f"{n_samples} samples per prompt", with_rollout(samples_per_prompt=n_samples), cluster, {}
    for shared in (1, 2, 4, 8):
        fits = cluster.n_gpus % shared == 0 and shared <= cluster.gpus_per_node
        if shared != rollout.tensor_parallel and fits:
            n_engines = cluster.gpus_per_node // shared
            plural = "s" * (n_engines > 1)
            yield f"{n_engines} engine{plural} per node", with_rollout(tensor_parallel=shared), cluster, {}
    for n_gpus in (cluster.n_gpus // 2, cluster.n_gpus * 2):
        if n_gpus and n_gpus % rollout.tensor_parallel == 0:
            yield f"{n_gpus} GPUs", config, replace(cluster, n_gpus=n_gpus), {}
    yield "ranks train on what they sampled", config, cluster, {"sharing": "none"}
    yield "single responses exchanged", config, cluster, {"sharing": "responses"}


def sensitivity(
    config: TrainingConfig,
    cluster: Cluster,
    lengths: Lengths,
    *,
    n_prompt_tokens: float,
    gpu_hour_cost: float,
    agreeing: float = AGREEING,
) -> pl.DataFrame:
    """One row per variant: days, cost, waiting share, tail, truncated share; an impossible one has nulls."""
    rows: list[dict] = []
    for name, changed, other, options in variants(config, cluster):
        try:
            run = simulate_run(
                changed,
                other,
                lengths,
                n_prompt_tokens=n_prompt_tokens,
                gpu_hour_cost=gpu_hour_cost,
                agreeing=agreeing,
                n_knots=N_KNOTS,
                **options,
            )
        except ValueError as error:
            rows.append({"variant": name, "why_not": str(error)})
            continue
        measures = {column: run.mean(column) for column in ("waiting", "tail", "truncated", "tokens_per_s")}
        rows.append({"variant": name, "days": run.days, "cost": run.cost, **measures})
    columns = ("days", "cost", "waiting", "tail", "truncated", "tokens_per_s")
    schema = {"variant": pl.String} | dict.fromkeys(columns, pl.Float64) | {"why_not": pl.String}
    return pl.DataFrame(rows, schema=pl.Schema(schema))
