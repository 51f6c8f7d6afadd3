"""The stages as Prefect tasks: name, tags, artifacts on the server. No computation, no caching of its own.

Results are cached by content in the artefact store, which also serves runs without Prefect, so Prefect
keeps none.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from pipelines.artifact import Artifact
from pipelines.compile_rewards import rewards_stage
from pipelines.curate import curate_stage
from pipelines.evaluate import evaluate_stage
from pipelines.make_base import base_stage
from pipelines.report import report_stage
from pipelines.sample import Model
from pipelines.train import train_stage
from pipelines.workspace import Workspace


def _task(name: str, *tags: str) -> Callable[[Callable[..., Any]], Any]:
    return task(name=name, tags=set(tags), cache_policy=NO_CACHE, persist_result=False)


def _rows(frame: pl.DataFrame) -> list[list[Any]]:
    return [frame.columns, *[list(row) for row in frame.iter_rows()]]


@_task("curate")
def curate(workspace: Workspace) -> Artifact:
    artifact = curate_stage(workspace)
    create_table_artifact(_rows(artifact.read("funnel.parquet")), key="curation-funnel")
    return artifact


@_task("compile-rewards")
def compile_rewards(workspace: Workspace, curated: Artifact) -> Artifact:
    artifact = rewards_stage(workspace, curated)
    create_table_artifact(_rows(artifact.read("answer_types.parquet")), key="answer-types")
    return artifact


@_task("base-model", "model")
def make_base(workspace: Workspace, prompts: Artifact) -> Artifact:
    return base_stage(workspace, prompts)


@_task("train", "model")
def train(workspace: Workspace, prompts: Artifact, base: Artifact) -> Artifact:
    return train_stage(workspace, prompts, base)


@_task("evaluate", "model")
def evaluate(workspace: Workspace, prompts: Artifact, model: Artifact, which: str) -> Artifact:
    artifact = evaluate_stage(workspace, prompts, Model.of_stage(model), which)
    create_table_artifact(_rows(artifact.read("summary.parquet")), key=f"evaluate-{which}-table")
    return artifact


@_task("report")
def report(workspace: Workspace) -> dict[str, Any]:
    summary = report_stage(workspace)
    path: Path = workspace.folder / "report.html"
    create_markdown_artifact(f"Report of **{workspace.config.name}**: `{path}`", key="report")
    return summary
