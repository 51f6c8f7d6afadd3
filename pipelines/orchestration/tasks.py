"""The stages as Prefect tasks: names, tags and artifacts on the server, without computation or caching.

The artifact store caches results, also for runs without Prefect, so Prefect keeps none.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.concurrency.sync import concurrency
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL

from pipelines.ablate import COLUMNS, Cell, summary_rows
from pipelines.ablate import ablate as run_cells
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import markdown_table
from pipelines.orchestration.automations import CURATED
from pipelines.orchestration.live_training import LiveTraining
from pipelines.orchestration.settings import GPU_LIMIT
from pipelines.publishing.hub import Kind
from pipelines.publishing.model import benchmark_table
from pipelines.publishing.publish import publish as publish_run
from pipelines.stages.audit_golds import audit_golds_stage
from pipelines.stages.base import base_stage
from pipelines.stages.curate import curate_stage
from pipelines.stages.difficulty import difficulty_stage
from pipelines.stages.evaluate import evaluate_stage
from pipelines.stages.models import Model
from pipelines.stages.report import report_stage
from pipelines.stages.rewards import rewards_stage
from pipelines.stages.train import anneal_stage, train_stage

SHOWN = (
    *("benchmark", "n_questions", "n_samples", "accuracy", "ci95_low", "ci95_high"),
    *("pass_at_k", "maj_at_k", "truncated", "formatted", "response_tokens"),
)
"""Columns of a benchmark's summary that the server shows."""


def _task(name: str, *tags: str, run_name: str = "") -> Callable[[Callable[..., Any]], Any]:
    return task(
        name=name,
        task_run_name=run_name or name,
        tags=set(tags),
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def gpu_slot() -> AbstractContextManager[Any]:
    """Wait for one of the server's GPU slots, so that runs take turns on the device.

    A run on a temporary server is alone and needs none. On a shared server the limit must exist; create it
    with reasoner-zero up, or with prefect gcl create gpu --limit N --slot-decay-per-second 0.
    """
    return concurrency(GPU_LIMIT, occupy=1, strict=True) if PREFECT_API_URL.value() else nullcontext()


def _show_table(frame: pl.DataFrame, key: str, description: str) -> None:
    """Create a table artifact, with numbers rounded for readability."""
    rows = [[_rounded(value) for value in row] for row in frame.iter_rows()]
    create_table_artifact([frame.columns, *rows], key=key, description=description)


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


@_task("curate")
def curate(workspace: Workspace) -> Artifact:
    artifact = curate_stage(workspace)
    _show_table(
        artifact.read("funnel.parquet"), "curation-funnel", f"{workspace.config.name}: rows kept by each step"
    )
    return artifact


@_task("announce-corpus")
def announce_corpus(workspace: Workspace, curated: Artifact, config: str, overrides: dict[str, Any]) -> None:
    """Emit the event that the corpus of a configuration is ready; an automation may then train on it."""
    resource = {"prefect.resource.id": f"reasoner-zero.corpus.{workspace.config.name}"}
    payload = {
        "config": config,
        "overrides": overrides,
        "runs": str(workspace.root),
        "fingerprint": curated.fingerprint,
        "content": curated.content,
    }
    emit_event(CURATED, resource=resource, payload=payload)


@_task("compile-rewards")
def compile_rewards(workspace: Workspace, curated: Artifact) -> Artifact:
    artifact = rewards_stage(workspace, curated)
    types = artifact.read("answer_types.parquet")
    _show_table(types, "answer-types", f"{workspace.config.name}: compiled rewards by answer type")
    return artifact


@_task("base-model", "model")
def make_base(workspace: Workspace, prompts: Artifact) -> Artifact:
    with gpu_slot():
        return base_stage(workspace, prompts)


@_task("train", "model")
def train(workspace: Workspace, prompts: Artifact, base: Artifact) -> Artifact:
    live = LiveTraining(workspace.config.name, workspace.folder / "train" / "metrics.jsonl")
    with gpu_slot():
        return train_stage(workspace, prompts, base, live.update)


@_task("evaluate", "model", run_name="evaluate-{which}")
def evaluate(workspace: Workspace, prompts: Artifact, model: Model, which: str) -> Artifact:
    with gpu_slot():
        artifact = evaluate_stage(workspace, prompts, model, which)
    summary = artifact.read("summary.parquet").select(SHOWN)
    _show_table(summary, f"evaluate-{which}-table", f"{workspace.config.name}: benchmarks of {which}")
    return artifact


@_task("mine-hard", "model")
def mine_hard(workspace: Workspace, prompts: Artifact, model: Model) -> Artifact:
    with gpu_slot():
        artifact = difficulty_stage(workspace, prompts, model)
    hard = artifact.read("hard.parquet").select("problem_id", "problem", "n_solved", "n_samples").head(50)
    _show_table(hard, "hard-prompts", f"{workspace.config.name}: the first 50 hard prompts")
    return artifact


@_task("audit-golds", "corpus")
def audit_golds(workspace: Workspace, corpus: Artifact, trained: Artifact | None) -> Artifact:
    artifact = audit_golds_stage(workspace, corpus, trained)
    page = (artifact.folder / "README.md").read_text(encoding="utf-8")
    create_markdown_artifact(page, key="gold-audit", description=f"{workspace.config.name}: suspect golds")
    return artifact


@_task("anneal", "model")
def anneal(workspace: Workspace, hard: Artifact, trained: Artifact, n_steps: int) -> Artifact:
    live = LiveTraining(f"{workspace.config.name}-anneal", workspace.folder / "anneal" / "metrics.jsonl")
    with gpu_slot():
        return anneal_stage(workspace, hard, trained, n_steps, live.update)


@_task("compare-variants")
def compare_variants(
    config: str, variants: list[dict[str, Any]], cells: list[Cell], runs: str
) -> list[list[str]]:
    rows = summary_rows(run_cells(Path(config), cells, Path(runs)), variants)
    create_table_artifact([list(COLUMNS), *rows], key="ablation")
    return rows


@_task("report")
def report(workspace: Workspace) -> dict[str, Any]:
    summary = report_stage(workspace)
    path: Path = workspace.folder / "report.html"
    text = [f"# {workspace.config.name}: {summary['steps']} PPO steps", "", markdown_table(overview(summary))]
    if summary["accuracy"]:
        text += ["", markdown_table(benchmark_table(summary["accuracy"]))]
    text += ["", f"[Full report]({path.as_uri()}): `{path}`"]
    create_markdown_artifact("\n".join(text), key="report", description=f"{workspace.config.name}: results")
    return summary


def overview(summary: dict[str, Any]) -> pl.DataFrame:
    """Reward, response length and format, before and after training."""
    names = {
        "reward": "training reward",
        "response_length": "response length, tokens",
        "worked": "worked responses",
        "formatted": "formatted responses",
        "truncated": "truncated responses",
    }
    rows = [
        (shown, *(float(summary[name][when]) for when in ("before", "after")))
        for name, shown in names.items()
    ]
    return pl.DataFrame(rows, schema=[" ", "before", "after"], orient="row")


@_task("publish")
def publish(
    run: str, what: Kind, repo: str, is_dry_run: bool, forced_licenses: tuple[str, ...], token_block: str
) -> str | None:
    """The token is read here, from a Secret block, so that no parameter and no log contains it."""
    token = read_token(token_block) if token_block else None
    shown = publish_run(
        Path(run), what, repo, is_dry_run=is_dry_run, forced_licenses=forced_licenses, token=token
    )
    files = pl.DataFrame(shown.files, schema=["file", "bytes", "sha256"], orient="row")
    done = f"commit {shown.commit}" if shown.commit else "dry run: nothing was sent"
    _show_table(files, f"published-{what}", f"{what} {repo}: {done}")
    return shown.commit


def read_token(block: str) -> str:
    loaded = Secret.load(block)
    assert isinstance(loaded, Secret), "called from synchronous code"
    return str(loaded.get())
