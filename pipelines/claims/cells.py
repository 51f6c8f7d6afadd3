"""The runs of a claim: bases until enough pass the gate, then every variant with every seed on each.

Every run is an ordinary training artifact, named by what it is made from: a claim that was interrupted goes
on, and cells that exist are reused, by other claims as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from evals.statistics.reflection import reflects
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.claims.config import Claim, Gate, Task, load_task, with_values
from pipelines.config import RunConfig
from pipelines.stages.chain import Chain
from rewards.contracts.records import EVALUATION, METRIC
from training.recorder import read_records

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Base:
    """A base model and what the gate saw of it."""

    task: str
    seed: int
    share: float
    """Responses that the gate looks at, as a share of all."""
    right: float
    """Right ones, as a share of these."""
    passes: bool
    cpu_s: float
    """CPU seconds of the model and of its samples."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What a claim's runs came to."""

    bases: list[Base]
    steps: pl.DataFrame
    """task, variant (its number), base, seed, and the columns of METRIC: a row per run and step."""
    held_out: pl.DataFrame
    """task, variant, base, seed, step, accuracy (mean over benchmarks): a row per run and evaluation."""
    cpu_s: float
    """CPU seconds of all bases and runs, when they were made."""


def make_runs(claim: Claim, runs: Path, say: Say) -> Runs:
    """Make, or reuse, the bases and runs of a claim. ValueError when too few bases pass a task's gate."""
    bases, steps, held_out, costs = [], [], [], {}
    for name in claim.tasks:
        task = load_task(name)
        found = find_bases(claim, name, task, runs, say)
        bases += found
        seeds = [base.seed for base in found if base.passes] if task.gate else [None]
        for base in seeds:
            for seed in claim.seeds:
                for number, variant in enumerate(claim.variants):
                    values = claim.set | variant.set | {"training.seed": seed}
                    if base is not None:
                        values["training.model.seed"] = base
                    chain = open_chain(with_values(task.run, values), runs)
                    trained = chain.trained
                    costs[trained.content] = cpu_seconds(trained)
                    costs[chain.base.content] = cpu_seconds(chain.base)
                    key = {"task": name, "variant": number, "base": base or 0, "seed": seed}
                    metrics = read_records(trained.folder / "metrics.jsonl", METRIC).sort("step")
                    steps.append(metrics.with_columns(pl.lit(value).alias(k) for k, value in key.items()))
                    tested = read_records(trained.folder / "evaluations.jsonl", EVALUATION)
                    held_out.append(
                        tested.filter(pl.col("name").str.ends_with("/accuracy"))
                        .group_by("step", maintain_order=True)
                        .agg(accuracy=pl.col("value").mean())
                        .with_columns(pl.lit(value).alias(k) for k, value in key.items())
                    )
                    where = f"{name}, base {base or 0}, seed {seed}, {variant.name}"
                    mean, last = metrics["accuracy"].mean(), metrics["accuracy"].tail(5).mean()
                    say(f"  {where}: accuracy {mean:.3f} over all steps, {last:.3f} over the last five")
    cpu_s = sum(costs.values()) + sum(base.cpu_s for base in bases)
    return Runs(bases, pl.concat(steps), pl.concat(held_out), cpu_s)


def open_chain(run: RunConfig, runs: Path) -> Chain:
    return Chain(Workspace.open(run, runs))


def find_bases(claim: Claim, name: str, task: Task, runs: Path, say: Say) -> list[Base]:
    """Make bases with seeds 0, 1, ... until enough pass the gate; returns all of them, in order.

    What a base samples is read from one step of training on it, whose responses come before the update.
    ValueError when the gate's limit is reached.
    """
    gate, found = task.gate, list[Base]()
    if gate is None:
        return found
    for seed in range(gate.most):
        values = {
            "training.model.seed": seed,
            "training.n_steps": 1,
            "training.eval_every": 0,
            "training.rollout.prompts_per_step": gate.n_prompts,
        }
        chain = open_chain(with_values(task.run, values), runs)
        rollouts = pl.read_parquet(chain.trained.folder / "rollouts" / "*.parquet")
        found.append(judge(gate, name, seed, rollouts, cpu_seconds(chain.trained)))
        say(f"  {in_words(found[-1])}")
        if sum(base.passes for base in found) == claim.n_bases:
            return found
    raise ValueError(
        f"{sum(base.passes for base in found)} of {len(found)} bases of task {name} pass the gate, "
        f"{claim.n_bases} are needed: change the warm-up of the task, or raise gate.most"
    )


def judge(gate: Gate, task: str, seed: int, rollouts: pl.DataFrame, cpu_s: float) -> Base:
    """Whether a base that sampled these responses (rewards.contracts.records.ROLLOUT) passes the gate."""
    if gate.longer_than is None:
        chosen = rollouts.filter(reflects(rollouts["response"]))
    else:
        chosen = rollouts.filter(pl.col("n_response_tokens") > gate.longer_than)
    share = chosen.height / rollouts.height
    right = float((chosen["reason"] == "correct").mean() or 0.0)
    passes = right >= gate.right and gate.share[0] <= share <= gate.share[1]
    return Base(task, seed, share, right, passes, cpu_s)


def in_words(base: Base) -> str:
    """One base, as a line says it."""
    verdict = "passes" if base.passes else "does not pass"
    return f"{base.task}, base {base.seed} {verdict} ({base.share:.1%} of this kind, {base.right:.0%} of them right)"


def cpu_seconds(artifact: Artifact) -> float:
    """CPU seconds that the artifact took when it was made."""
    return float(artifact.manifest["usage"]["cpu_s"])
