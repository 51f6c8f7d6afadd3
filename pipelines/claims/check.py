"""A claim beside its tasks: every run is checked before the first one is made, and what is wrong is named."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from evals.statistics.turning_point import MIN_STEPS
from pipelines.claims.cells import gate_values, values_of
from pipelines.claims.config import Claim, Gate, Task, load_task, with_values
from pipelines.config import ConfigError, RunConfig, explain


def load_tasks(name: str, claim: Claim) -> dict[str, Task]:
    """The tasks of the claim `name`, by their names; ConfigError names each run that cannot be as it is."""
    beside = Path(name).parent if name.endswith(".toml") else None
    try:
        tasks = {task: load_task(task, beside) for task in claim.tasks}
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    wrong = [f"{name}: {line}" for task in tasks for line in _wrong(claim, task, tasks[task])]
    if wrong:
        raise ConfigError("\n".join(dict.fromkeys(wrong)))
    return tasks


def _wrong(claim: Claim, name: str, task: Task) -> Iterator[str]:
    where, gate = f"task {name}", task.gate
    if gate is not None and (wrong := _wrong_with_gate(claim, task, gate)):
        yield f"{where}: {wrong}"
        return
    runs: dict[str, RunConfig] = {}
    for variant in claim.variants:
        here = f"{where}, variant {variant.name!r}"
        values = values_of(claim, task, variant, claim.seeds[0], None if gate is None else 0)
        try:
            run = with_values(task.run, values)
        except (ConfigError, ValidationError) as error:
            yield _explained(here, error)
            continue
        yield from (f"{here}: {line}" for line in _unmeasured(claim, run))
        # The name is a hash of all the rest.
        same = next((other for other, made in runs.items() if made.name == run.name), None)
        if same is not None:
            yield f"{here}: has the same settings as {same!r}, so nothing is compared"
        runs[variant.name] = run


def _wrong_with_gate(claim: Claim, task: Task, gate: Gate) -> str | None:
    if task.run.training.model.scratch is None:
        return "its base is not made from scratch and has no seeds to choose from: remove its gate"
    if gate.most < claim.n_bases:
        return f"gate.most = {gate.most} bases, but n_bases = {claim.n_bases} have to pass: raise it"
    settings = (task.set, claim.set, *(variant.set for variant in claim.variants))
    if any("training.model.seed" in values for values in settings):
        return "training.model.seed is decided by the gate, base by base: remove it"
    try:
        with_values(task.run, gate_values(claim, task, gate, 0))
    except (ConfigError, ValidationError) as error:
        return _explained("the gate's sample", error)
    return None


def _explained(where: str, error: ValueError) -> str:
    return explain(where, error) if isinstance(error, ValidationError) else f"{where}: {error}"


def _unmeasured(claim: Claim, run: RunConfig) -> Iterator[str]:
    """What keeps a run from having the claim's measure."""
    training, measure = run.training, claim.measure
    if measure in ("held_out", "gain") and not run.evals.benchmarks:
        yield f"measure = {measure!r} needs benchmarks: set evals.benchmarks"
    elif measure == "held_out" and (not training.eval_every or training.total_steps % training.eval_every):
        yield (
            "measure = 'held_out' is of the last step: set training.eval_every, now "
            f"{training.eval_every}, to a divisor of the {training.total_steps} steps"
        )
    if measure == "turning_point" and training.total_steps < MIN_STEPS:
        yield (
            f"measure = 'turning_point' looks at {MIN_STEPS} steps or more, and these runs have "
            f"{training.total_steps}: raise training.n_steps"
        )
