"""The runs of a claim: bases until enough pass the gate, then every variant with every seed on each.

Every run is an ordinary training artifact, named by what it is made from: a claim that was interrupted goes
on, and cells that exist are reused, by other claims as well.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evals.statistics.metrics import question_means
from evals.statistics.reflection import reflects
from pipelines.artifacts.workspace import Workspace
from pipelines.claims.config import Claim, Gate, Task, Variant, with_values
from pipelines.config import RunConfig
from pipelines.stages.chain import Chain
from rewards.contracts.records import EVALUATION, METRIC
from training.recorder import read_records

Say = Callable[[str], None]
Opened = Callable[[RunConfig, Path], Workspace]
"""Opens a run's workspace in the folder of all runs."""


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
    """CPU seconds of its samples (those of the base itself are counted with the runs on it)."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What a claim's runs came to. Every frame has the columns task, variant (its number), base and seed."""

    bases: list[Base]
    steps: list[pl.DataFrame]
    """The columns of METRIC: a row per step."""
    held_out: list[pl.DataFrame]
    """step, accuracy (mean over benchmarks): a row per evaluation during training."""
    questions: list[pl.DataFrame]
    """benchmark, question_id, before, after: shares of right samples of base and trained model (gain)."""
    costs: dict[str, float]
    """CPU seconds of each base and run, when it was made."""


def make_runs(
    claim: Claim,
    tasks: Mapping[str, Task],
    runs: Path,
    say: Say,
    data_root: str | None = None,
    opened: Opened = Workspace.open,
) -> Runs:
    """Make, or reuse, the bases and runs of a claim on its tasks, by name. ValueError when too few bases pass
    a task's gate."""
    made = Runs([], [], [], [], {})
    for name, task in tasks.items():
        found = find_bases(claim, name, task, runs, say, data_root, opened)
        made.bases.extend(found)
        made.costs.update({f"{base.task}:{base.seed}": base.cpu_s for base in found})
        # A pretrained model has no seed.
        seeds = [base.seed for base in found if base.passes] if task.gate else [None]
        for base, seed in itertools.product(seeds, claim.seeds):
            for number, variant in enumerate(claim.variants):
                values = values_of(claim, task, variant, seed, base)
                key = {"task": name, "variant": number, "base": base or 0, "seed": seed}
                run = with_values(task.run, values, data_root)
                steps = add_run(made, claim, key, Chain(opened(run, runs)))
                accuracy = steps["accuracy"].to_numpy()
                mean, last = accuracy.mean(), accuracy[-5:].mean()
                where = f"{name}, base {base or 0}, seed {seed}, {variant.name}"
                say(f"  {where}: accuracy {mean:.3f} over all steps, {last:.3f} over the last five")
    return made


def add_run(made: Runs, claim: Claim, key: dict[str, Any], chain: Chain) -> pl.DataFrame:
    """Make or reuse one run and add what it came to; returns its steps."""
    columns = [pl.lit(value).alias(name) for name, value in key.items()]
    artifacts = [chain.base, chain.trained]
    steps = read_records(chain.trained.folder / "metrics.jsonl", METRIC).sort("step")
    made.steps.append(steps.with_columns(columns))
    tested = read_records(chain.trained.folder / "evaluations.jsonl", EVALUATION)
    tested = tested.filter(pl.col("name").str.ends_with("/accuracy"))
    made.held_out.append(
        tested.group_by("step").agg(accuracy=pl.col("value").mean()).sort("step").with_columns(columns)
    )
    if claim.measure == "gain":
        artifacts += [chain.evaluated_base, chain.evaluated_final]
        before, after = (question_means(each.read("completions.parquet")) for each in artifacts[2:])
        paired = before.rename({"accuracy": "before"}).join(
            after.rename({"accuracy": "after"}), on=["benchmark", "question_id"]
        )
        made.questions.append(paired.with_columns(columns))
    made.costs.update({each.content: float(each.manifest["usage"]["cpu_s"]) for each in artifacts})
    return steps


def values_of(claim: Claim, task: Task, variant: Variant, seed: int, base: int | None) -> dict[str, Any]:
    """What a run changes of its task's configuration, by dotted key; `base` is None without a gate."""
    values = task.set | claim.set | variant.set | {"training.seed": seed}
    return values if base is None else values | {"training.model.seed": base}


def gate_values(claim: Claim, task: Task, gate: Gate, seed: int) -> dict[str, Any]:
    """The same for the one step of training whose responses, which come before its update, the gate judges.

    All of them, those that dynamic sampling would replace included.
    """
    return (
        task.set
        | claim.set
        | {
            "training.model.seed": seed,
            "training.n_steps": 1,
            "training.anneal.n_steps": 0,
            "training.eval_every": 0,
            "training.ppo.critic_warmup_steps": 0,
            "training.ppo.critic_warmup_variance": None,
            "training.rollout.prompts_per_step": gate.n_prompts,
            "training.rollout.resample_rounds": 0,
        }
    )


def find_bases(
    claim: Claim, name: str, task: Task, runs: Path, say: Say, data_root: str | None, opened: Opened
) -> list[Base]:
    """Make bases with seeds 0, 1, ... until enough pass the gate; returns all of them, in order.

    ValueError when the gate's limit is reached.
    """
    gate, found = task.gate, list[Base]()
    if gate is None:
        return found
    for seed in range(gate.most):
        run = with_values(task.run, gate_values(claim, task, gate, seed), data_root)
        chain = Chain(opened(run, runs))
        rollouts = pl.read_parquet(chain.trained.folder / "rollouts" / "*.parquet")
        cpu_s = float(chain.trained.manifest["usage"]["cpu_s"])
        found.append(judge(gate, name, seed, rollouts, cpu_s))
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
    right = chosen.filter(pl.col("reason") == "correct").height / max(1, chosen.height)
    passes = right >= gate.right and gate.share[0] <= share <= gate.share[1]
    return Base(task, seed, share, right, passes, cpu_s)


def in_words(base: Base) -> str:
    """One base, as a line says it."""
    verdict = "passes" if base.passes else "does not pass"
    kind = f"{base.share:.1%} of this kind, {base.right:.0%} of them right"
    return f"{base.task}, base {base.seed} {verdict} ({kind})"
