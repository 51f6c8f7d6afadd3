"""The stages as Prefect tasks: names, tags and artifacts on the server, without computation or caching.

The artifact store caches results, also for runs without Prefect, so Prefect keeps none.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import polars as pl
from prefect import Task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.blocks.system import Secret
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.concurrency.sync import concurrency
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed
from prefect.tasks import exponential_backoff

from pipelines.ablate import COLUMNS, Cell, summary_rows
from pipelines.ablate import ablate as run_cells
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import markdown_table
from pipelines.claims.page import write_index
from pipelines.claims.run import run_claim
from pipelines.config import RunConfig
from pipelines.jobs.gpus import visible_gpus
from pipelines.orchestration.automations import CURATED
from pipelines.orchestration.devices import lease, n_devices
from pipelines.orchestration.live_training import LiveTraining, artifact_key
from pipelines.orchestration.own_server import has_lost_server
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
from pipelines.stages.readiness import check_benchmarks
from pipelines.stages.report import report_stage
from pipelines.stages.rewards import rewards_stage
from pipelines.stages.train import anneal_stage, train_stage

logger = logging.getLogger(__name__)
SHOWN = (
    *("benchmark", "n_questions", "n_samples", "accuracy", "ci95_low", "ci95_high"),
    *("pass_at_k", "maj_at_k", "truncated", "formatted", "response_tokens"),
)
"""Columns of a benchmark's summary that the server shows."""


class StageTask(Task[..., Any]):
    """A task whose run is named Cached on the server when its artifact was there already."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        returned = super().__call__(*arguments, **named)
        is_asked = named.get("return_state", False)
        return returned.result() if isinstance(returned, State) and not is_asked else returned


def _task(name: str, *tags: str, run_name: str = "", retries: int = 0) -> Callable[[Callable[..., Any]], Any]:
    """Make a stage's function a task, repeated up to `retries` times, with growing pauses, when a network
    failed."""

    def make(function: Callable[..., Any]) -> StageTask:
        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            if isinstance(result, Artifact) and result.is_cached:
                # Prefect would look in its own cache, which we do not use.
                message = f"{result.stage} {result.fingerprint} was there"
                return Completed(name="Cached", message=message, data=result)
            return result

        return StageTask(
            run,
            name=name,
            task_run_name=run_name or name,
            tags={*tags},
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=retries,
            retry_delay_seconds=exponential_backoff(backoff_factor=RETRY_S) if retries else 0,
            retry_jitter_factor=0.5 if retries else None,
            retry_condition_fn=_is_worth_a_repeat,
        )

    return make


RETRY_S = 30.0
"""Seconds before the first repeat; each further pause is twice as long."""


def _is_worth_a_repeat(task: Task[..., Any], run: TaskRun, state: State) -> bool:
    """Prefect asks as long as repeats are left; its own word about the pause is not shown in a terminal."""
    failure = state.result(raise_on_failure=False)
    if not is_network(failure) or has_lost_server():
        return False
    pause_s = RETRY_S * 2 ** max(0, run.run_count - 1)
    logger.warning("%s: %s; it is tried again in %.0f s or a little more", task.name, failure, pause_s)
    return True


UNREACHABLE = {
    "ConnectionError",
    "TransportError",
    "ClientConnectionError",
    "HTTPClientError",
    "Timeout",
    "TimeoutError",
}
"""Classes of errors of the network in Python, httpx, aiohttp, botocore and requests."""


def is_network(failure: Any) -> bool:
    """True when a network was the cause, or a server that was busy: a repeat may succeed.

    >>> is_network(TimeoutError()), is_network(ValueError("a bad row"))
    (True, False)
    """
    seen: set[int] = set()
    while isinstance(failure, BaseException) and id(failure) not in seen:
        seen.add(id(failure))
        if UNREACHABLE & {kind.__name__ for kind in type(failure).__mro__}:
            return not isinstance(failure, BrokenPipeError)
        answer = getattr(failure, "response", None)
        status = getattr(answer, "status_code", 0) or getattr(failure, "status", 0)
        if isinstance(status, int) and (status == 429 or status >= 500):
            return True
        failure = failure.__cause__ or failure.__context__
    return False


LEASE_S = 60.0
"""Seconds until the slots of a killed run are free again: the least that Prefect allows (default: 300)."""
MAKE_LIMIT = f"prefect gcl create {GPU_LIMIT} --limit N --slot-decay-per-second 0"


@contextmanager
def occupy_gpus(config: RunConfig, stage: str) -> Iterator[None]:
    """Wait for as many of the server's GPU slots as the stage uses GPUs, then for the devices themselves.

    Entered only when the stage is built, so finished stages wait for nothing. A machine without a GPU takes
    one slot, so that heavy stages take turns. A run on a temporary server is alone and needs no slot.
    """
    n = n_devices(config, stage)
    if not n or not PREFECT_API_URL.value():
        yield
        return
    n_slots = n if visible_gpus() else 1
    _check_limit(n_slots, stage)
    holder = f"flow run {flow_run.id} {flow_run.name}, stage {stage}"
    with (
        concurrency(
            GPU_LIMIT,
            occupy=n_slots,
            strict=True,
            lease_duration=LEASE_S,
            # A server that is away must not end a training of days: the devices' own locks hold.
            raise_on_lease_renewal_failure=False,
        ),
        lease(n, Path(os.environ.get("PREFECT_HOME", "runs/.prefect")) / "gpus", holder),
    ):
        yield


def _check_limit(n_slots: int, stage: str) -> None:
    """Say how to make the limit when it is missing, and refuse what could never start."""
    try:
        limit = get_client(sync_client=True).read_global_concurrency_limit_by_name(GPU_LIMIT).limit
    except ObjectNotFound:
        raise RuntimeError(
            f"the server has no limit {GPU_LIMIT!r} of GPU slots; make it, for N GPUs, with: {MAKE_LIMIT}"
        ) from None
    if n_slots > limit:
        raise ValueError(
            f"stage {stage} needs {n_slots} GPUs, and the limit {GPU_LIMIT!r} has {limit} slots; lower "
            f"training.deepspeed.n_ranks, or raise it: prefect gcl update {GPU_LIMIT} --limit {n_slots}"
        )


def _show_table(frame: pl.DataFrame, key: str, description: str) -> None:
    """Create a table artifact, a row for each row of the frame, with numbers rounded for readability."""
    rows = [{name: _rounded(value) for name, value in row.items()} for row in frame.iter_rows(named=True)]
    create_table_artifact(rows, key=key, description=description)


def _key(workspace: Workspace, name: str) -> str:
    return artifact_key(name, workspace.config.name)


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


@_task("curate", "network", retries=3)
def curate(workspace: Workspace) -> Artifact:
    artifact = curate_stage(workspace)
    _show_table(
        artifact.read("funnel.parquet"),
        _key(workspace, "curation-funnel"),
        f"{workspace.config.name}: rows kept by each step",
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
    _show_table(
        types, _key(workspace, "answer-types"), f"{workspace.config.name}: compiled rewards by answer type"
    )
    return artifact


@_task("base-model", "model")
def make_base(workspace: Workspace, prompts: Artifact) -> Artifact:
    return base_stage(workspace, prompts)


@_task("train", "model")
def train(workspace: Workspace, prompts: Artifact, base: Artifact) -> Artifact:
    live = LiveTraining(workspace.config.name, workspace.folder / "train" / "metrics.jsonl")
    return train_stage(workspace, prompts, base, live.update)


@_task("evaluate", "model", run_name="evaluate-{which}")
def evaluate(workspace: Workspace, prompts: Artifact, model: Model, which: str) -> Artifact:
    check_benchmarks(workspace.config)
    artifact = evaluate_stage(workspace, prompts, model, which)
    summary = artifact.read("summary.parquet").select(SHOWN)
    _show_table(
        summary, _key(workspace, f"evaluate-{which}"), f"{workspace.config.name}: benchmarks of {which}"
    )
    return artifact


@_task("mine-hard", "model")
def mine_hard(workspace: Workspace, prompts: Artifact, model: Model) -> Artifact:
    artifact = difficulty_stage(workspace, prompts, model)
    hard = artifact.read("hard.parquet").select("problem_id", "problem", "n_solved", "n_samples").head(50)
    _show_table(hard, _key(workspace, "hard-prompts"), f"{workspace.config.name}: the first 50 hard prompts")
    return artifact


@_task("audit-golds", "corpus")
def audit_golds(workspace: Workspace, corpus: Artifact, trained: Artifact | None) -> Artifact:
    artifact = audit_golds_stage(workspace, corpus, trained)
    page = (artifact.folder / "README.md").read_text(encoding="utf-8")
    create_markdown_artifact(
        page, key=_key(workspace, "gold-audit"), description=f"{workspace.config.name}: suspect golds"
    )
    return artifact


@_task("anneal", "model")
def anneal(workspace: Workspace, hard: Artifact, trained: Artifact, n_steps: int) -> Artifact:
    live = LiveTraining(f"{workspace.config.name}-anneal", workspace.folder / "anneal" / "metrics.jsonl")
    return anneal_stage(workspace, hard, trained, n_steps, live.update)


@_task("compare-variants")
def compare_variants(
    config: str, variants: list[dict[str, Any]], cells: list[Cell], runs: str
) -> list[list[str]]:
    rows = summary_rows(run_cells(Path(config), cells, Path(runs)), variants)
    create_table_artifact([dict(zip(COLUMNS, row, strict=True)) for row in rows], key="ablation")
    return rows


@_task("claim", run_name="claim {name}")
def try_claim(name: str, runs: str, data_root: str | None) -> str:
    def opened(config: RunConfig, runs: Path) -> Workspace:
        return replace(Workspace.open(config, runs), occupy=occupy_gpus)

    return run_claim(name, Path(runs), lambda line: logger.info("%s", line), data_root, opened).outcome


@_task("claims-page")
def show_claims(runs: str) -> str:
    markdown, page = write_index(Path(runs) / "claims")
    table, *_ = markdown.read_text(encoding="utf-8").partition("\n## ")
    where = f"With plots, to open in a browser on the worker's machine:\n\n    {page.resolve()}"
    text = f"# Claims\n\n{table}\n{where}"
    create_markdown_artifact(text, key="claims", description="the paper's claims in the small")
    return str(page)


@_task("report")
def report(workspace: Workspace, *results: Artifact) -> dict[str, Any]:
    """`results` are what the report is about; given, they are edges in the run's graph."""
    summary = report_stage(workspace)
    path: Path = workspace.folder / "report.html"
    text = [f"# {workspace.config.name}: {summary['steps']} PPO steps", "", markdown_table(overview(summary))]
    if summary["accuracy"]:
        text += ["", markdown_table(benchmark_table(summary["accuracy"]))]
    # A browser opens no file: link from this page.
    text += ["", "Full report, to open in a browser on the worker's machine:", "", f"    {path}"]
    create_markdown_artifact(
        "\n".join(text), key=_key(workspace, "report"), description=f"{workspace.config.name}: results"
    )
    return summary


def overview(summary: dict[str, Any]) -> pl.DataFrame:
    """Reward, response length and format, before and after training."""
    names = {
        "reward": "training reward",
        "response_length": "response length, tokens",
        "worked": "worked responses",
        "reflecting": "responses that reflect",
        "formatted": "formatted responses",
        "truncated": "truncated responses",
    }
    rows = [
        (shown, *(float(summary[name][when]) for when in ("before", "after")))
        for name, shown in names.items()
    ]
    return pl.DataFrame(rows, schema=[" ", "before", "after"], orient="row")


@_task("publish", "network", retries=3)
def publish(
    run: str,
    what: Kind,
    repo: str,
    is_dry_run: bool,
    forced_licenses: tuple[str, ...],
    token_block: str,
    replace: bool = False,
    private: bool | None = None,
    branch: str = "main",
    after: Any = None,
) -> str | None:
    """Send and read back; again with growing pauses when the hub stays busy. `after` is an edge in the graph.

    The token is read here, from a Secret block, so that no parameter and no log contains it."""
    token = read_token(token_block) if token_block else None
    shown = publish_run(
        Path(run),
        what,
        repo,
        is_dry_run=is_dry_run,
        forced_licenses=forced_licenses,
        token=token,
        replace=replace,
        is_private=private,
        branch=branch,
    )
    files = pl.DataFrame(shown.files, schema=["file", "bytes", "sha256"], orient="row")
    if shown.refusal:
        raise ValueError(f"dry run, nothing was sent; a real one would end here: {shown.refusal}")
    done = f"commit {shown.commit}" if shown.commit else "dry run: nothing was sent"
    if not shown.is_new:
        done += ": it had these files already, nothing was sent"
    _show_table(files, f"published-{what}", f"{what} {repo}: {done}")
    return shown.commit


def read_token(block: str) -> str:
    loaded = Secret.load(block)
    assert isinstance(loaded, Secret), "called from synchronous code"
    return str(loaded.get())
