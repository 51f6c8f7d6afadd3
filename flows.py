"""The public Prefect flows: python flows.py runs the embedded demo and needs no server.

reasoner_zero runs all stages; curate, score, train and evaluate run those up to their own. evaluate_new
benchmarks the checkpoints of a training run, mine_hard finds the prompts that it rarely solves, audit_golds
finds wrong reference answers, ablate compares settings over seeds, claims tries the paper's claims in the
small, publish sends a finished run's prompt set or model to a hub. All but claims and publish take the path
of a TOML file; all of them but ablate also take a flat dictionary of overrides, such as
{"training.n_steps": 20}.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pipelines.orchestration.environment  # noqa: F401  (Prefect reads its settings as it is imported)

# isort: split
from prefect import flow
from prefect.runtime import flow_run

from pipelines.ablate import plan_cells, read_grid
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.artifacts.workspace import open_workspace as load_workspace
from pipelines.claims.run import choose_claims
from pipelines.orchestration import tasks
from pipelines.orchestration.hooks import say_how_to_continue
from pipelines.orchestration.own_server import end_server_with_this_process, start_server
from pipelines.orchestration.settings import LOGGED
from pipelines.stages.models import Model

DEMO = "configs/demo.toml"
Overrides = dict[str, Any]
NOTHING: Overrides = {}
"""No overrides; nothing writes to it."""
ALL: list[str] = []
"""No names; nothing writes to it."""
HOOKS: dict[str, Any] = dict.fromkeys(("on_failure", "on_crashed", "on_cancellation"), [say_how_to_continue])


def open_workspace(config: str, overrides: Overrides | None, runs: str) -> Workspace:
    end_server_with_this_process()
    # A worker's process logs only warnings; the stages' messages belong in the run's log on the server.
    for package in LOGGED:
        logging.getLogger(package).setLevel(logging.INFO)
    return replace(load_workspace(config, overrides, runs), occupy=tasks.occupy_gpus)


def name_run() -> str:
    """Name a flow run after its flow and its run (the name of the TOML file, unless overridden)."""
    given = flow_run.parameters
    config = Path(given["config"])
    file = config.parent.name if config.name == "config.json" else config.stem
    return f"{flow_run.flow_name} {(given.get('overrides') or {}).get('name', file)}"


def _prompts(workspace: Workspace) -> Artifact:
    return tasks.compile_rewards(workspace, tasks.curate(workspace))


@flow(name="curate", flow_run_name=name_run, **HOOKS)
def curate(config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs") -> str:
    """Curate the corpus; returns the folder of the artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    workspace = open_workspace(config, overrides, runs)
    artifact = tasks.curate(workspace)
    tasks.announce_corpus(workspace, artifact, config, overrides or {})
    return str(artifact.folder)


@flow(name="score", flow_run_name=name_run, **HOOKS)
def score(config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs") -> str:
    """Curate and compile the rewards; returns the folder of the artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    return str(_prompts(open_workspace(config, overrides, runs)).folder)


@flow(name="train", flow_run_name=name_run, **HOOKS)
def train(config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs") -> str:
    """Run everything up to the trained model; returns the folder of the artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    workspace = open_workspace(config, overrides, runs)
    prompts = _prompts(workspace)
    return str(tasks.train(workspace, prompts, tasks.make_base(workspace, prompts)).folder)


@flow(name="evaluate", flow_run_name=name_run, **HOOKS)
def evaluate(config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs") -> str:
    """Run everything up to the benchmarks of the base model; returns the folder of the artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    workspace = open_workspace(config, overrides, runs)
    prompts = _prompts(workspace)
    base = tasks.make_base(workspace, prompts)
    return str(tasks.evaluate(workspace, prompts, Model.of_stage(base), "base").folder)


@flow(name="evaluate-new", flow_run_name=name_run, **HOOKS)
def evaluate_new(config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs") -> list[str]:
    """Benchmark the checkpoints that training has exported since the last time, even while it still runs.

    Returns the folders of the artifacts of all checkpoints; those already benchmarked are reused.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    workspace = open_workspace(config, overrides, runs)
    prompts = _prompts(workspace)
    checkpoints = Model.of_checkpoints(workspace)
    return [
        str(tasks.evaluate(workspace, prompts, model, name).folder) for name, model in checkpoints.items()
    ]


@flow(name="mine-hard", flow_run_name=name_run, **HOOKS)
def mine_hard(
    config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs", anneal_steps: int = 0
) -> str:
    """Sample the training prompts with the trained model and keep the hard ones; with `anneal_steps`, train
    this many more steps on them and benchmark the result. Returns the folder of the last artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
        anneal_steps: Steps to train on the hard prompts; 0: only find them.
    """
    workspace = open_workspace(config, overrides, runs)
    prompts = _prompts(workspace)
    trained = tasks.train(workspace, prompts, tasks.make_base(workspace, prompts))
    hard = tasks.mine_hard(workspace, prompts, Model.of_stage(trained))
    if not anneal_steps:
        return str(hard.folder)
    annealed = tasks.anneal(workspace, hard, trained, anneal_steps)
    return str(tasks.evaluate(workspace, prompts, Model.of_stage(annealed), "annealed").folder)


@flow(name="audit-golds", flow_run_name=name_run, **HOOKS)
def audit_golds(
    config: str = DEMO, overrides: Overrides = NOTHING, runs: str = "runs", rollouts: bool = False
) -> str:
    """Find reference answers that other sources contradict; with `rollouts`, also those that a majority of
    the training run's own samples contradicts. Returns the folder of the artifact.

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
        rollouts: Also read what the training run sampled; trains first if need be.
    """
    workspace = open_workspace(config, overrides, runs)
    corpus = tasks.curate(workspace)
    trained = None
    if rollouts:
        prompts = tasks.compile_rewards(workspace, corpus)
        trained = tasks.train(workspace, prompts, tasks.make_base(workspace, prompts))
    return str(tasks.audit_golds(workspace, corpus, trained).folder)


@flow(name="ablate", flow_run_name=name_run, **HOOKS)
def ablate(
    vary: list[str],
    config: str = DEMO,
    seeds: tuple[int, ...] = (0, 1, 2),
    n_steps: int | None = None,
    runs: str = "runs",
) -> list[list[str]]:
    """Train a grid of settings over seeds, each as a subflow, and compare them in one table.

    Args:
        vary: Entries KEY=VALUE,VALUE, such as training.ppo.gae_lambda=1.0,0.95.
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        seeds: Seeds to train each setting with.
        n_steps: PPO steps of each training; empty: as the configuration says.
        runs: Folder of all runs; results go to RUNS/NAME.
    """
    variants = read_grid(vary)
    cells = plan_cells(Path(config), variants, seeds, n_steps)
    # A cell that fails does not stop the others.
    ended = [train(config, cell.overrides, runs, return_state=True) for cell in cells]
    for state in ended:
        state.result()  # Raises what the cell raised.
    return tasks.compare_variants(config, variants, cells, runs)


@flow(name="claims", **HOOKS)
def claims(names: list[str] = ALL, runs: str = "runs", data_root: str = "") -> dict[str, str]:
    """Try the paper's claims in the small; returns the verdict of each, and the page shows tables and plots.

    Args:
        names: Claims of configs/claims, such as lambda; empty: all but those that take hours.
        runs: Folder of all runs; results go to RUNS/claims.
        data_root: Folder with the corpora of claims that use some; empty: the hub.
    """
    end_server_with_this_process()
    # A claim that fails does not stop the others.
    ended = {
        name: tasks.try_claim(name, runs, data_root or None, return_state=True)
        for name in choose_claims(names)
    }
    tasks.show_claims(runs)
    return {name: state.result() for name, state in ended.items()}  # Raises what the claim raised.


@flow(name="reasoner-zero", flow_run_name=name_run, **HOOKS)
def reasoner_zero(
    config: str = DEMO,
    overrides: Overrides = NOTHING,
    runs: str = "runs",
    dataset_repo: str = "",
    model_repo: str = "",
    token_block: str = "",
) -> dict[str, Any]:
    """Curate, compile rewards, make the base model, benchmark it, train it, benchmark it again, report.

    If a repository is named, the prompt set or the model is published there at the end (see `publish`).

    Args:
        config: Path of a TOML file, from the project's folder or absolute, such as configs/demo.toml.
        overrides: Settings in place of the file's, by dotted name, such as {"training.n_steps": 20}.
        runs: Folder of all runs; results go to RUNS/NAME.
        dataset_repo: Repository OWNER/NAME to publish the prompt set in; empty: do not publish it.
        model_repo: Repository OWNER/NAME to publish the trained model in; empty: do not publish it.
        token_block: Secret block of this server with the hub token; empty: HF_TOKEN of the worker.
    """
    workspace = open_workspace(config, overrides, runs)
    prompts = _prompts(workspace)
    base = tasks.make_base(workspace, prompts)
    before = tasks.evaluate(workspace, prompts, Model.of_stage(base), "base")
    trained = tasks.train(workspace, prompts, base)
    after = tasks.evaluate(workspace, prompts, Model.of_stage(trained), "final")
    summary = tasks.report(workspace, before, trained, after)
    for what, repo in (("dataset", dataset_repo), ("model", model_repo)):
        if repo:
            tasks.publish(str(workspace.folder), what, repo, False, (), token_block, after=summary)
    return summary


@flow(name="publish", flow_run_name="publish {what} {repo}", **HOOKS)
def publish(
    repo: str,
    run: str = "runs/demo",
    what: Literal["dataset", "model"] = "dataset",
    dry_run: bool = True,
    forced_licenses: tuple[str, ...] = (),
    token_block: str = "",
    private: bool | None = None,
    branch: str = "main",
    replace_foreign: bool = False,
) -> str | None:
    """Send the prompt set or the model of a finished run to a hub and read it back; returns the commit.

    Args:
        repo: Repository on the hub, OWNER/NAME.
        run: Folder of the finished run, such as runs/demo.
        what: The prompt set (dataset) or the trained model.
        dry_run: Show what would be added, changed and deleted, and send nothing.
        forced_licenses: Sources to publish although they state no license.
        token_block: Secret block of this server with the hub token; empty: HF_TOKEN of the worker.
        private: Whether a new repository is private; empty: as the run's configuration says.
        branch: Branch to publish on.
        replace_foreign: Overwrite and delete files that no publication of this tool wrote.
    """
    end_server_with_this_process()
    return tasks.publish(
        run, what, repo, dry_run, forced_licenses, token_block, replace_foreign, private, branch
    )


if __name__ == "__main__":
    start_server()
    reasoner_zero()
