"""Stage 5, sample: a model and benchmarks in, responses out; the part of an evaluation that needs the model.

Artifact: plan/<benchmark>.parquet (evals.plan.PROMPT), completions/*.jsonl (resumable shards),
responses.parquet (evals.sampling.RESPONSE), rejects.parquet, conditions.json (evals.conditions).
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import polars as pl

from evals import conditions
from evals.benchmarks.registry import Benchmark
from evals.endpoint.sampling import sample_remote
from evals.plan import Chat, Plan, chat_of, hash_plan, make_plans, sampling_conditions
from evals.replay import Replay
from evals.sampling import RESPONSE, sample, write_part
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace
from pipelines.config import RunConfig
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.progress import Progress
from pipelines.stages.models import Model
from rewards.contracts.files import canonical_json, read_json, write_json
from rewards.contracts.records import REJECT

CODE = (
    *("evals/plan.py", "evals/profiles.py", "evals/replay.py", "evals/sampling.py", "rewards/contracts"),
    *("evals/conditions.py", "evals/endpoint"),
    *("training/rollout", "training/model.py", "training/packed", "training/head.py", "training/rope.py"),
    *("training/selfcheck/sampling.py", "training/selfcheck/report.py", "training/vocabulary.py"),
    *("pipelines/stages/sample.py", "pipelines/jobs/sample.py"),
)
STAGE = Stage("sample", CODE, is_resumable=True)


def sample_stage(workspace: Workspace, benchmarks: Sequence[Benchmark], model: Model, link: str) -> Artifact:
    """Sample a model's responses to the run's benchmarks; the result is linked into the run as `link`."""
    config = workspace.config
    chat: Chat | None = chat_of(config.evals, model.folder if model.kind == "folder" else None)
    if model.kind == "endpoint":
        chat = canonical_json
    plans = make_plans(config.evals, benchmarks, chat)
    settings = {
        "conditions": {plan.benchmark: sampling_conditions(plan.conditions) for plan in plans},
        "n_samples": {plan.benchmark: plan.n_samples for plan in plans},
        "seed": config.evals.seed,
        "chunk": config.evals.chunk,
        **_engine_settings(config, model),
    }
    inputs = {"model": model.content} | {f"plan:{plan.benchmark}": hash_plan(plan) for plan in plans}

    def build(draft: Draft) -> None:
        for plan in plans:
            draft.write(f"plan/{plan.benchmark}.parquet", plan.prompts)
        if model.kind == "stored":
            replay(workspace, draft.folder, model.folder, plans)
        elif model.kind == "endpoint":
            ask_endpoints(workspace, draft.folder, plans, link)
        else:
            run_engines(workspace, draft.folder, model.folder, link)
        collect(draft, plans, config.evals.n_engines if model.kind == "folder" else 1)
        write_json(draft.folder / conditions.FILE, _conditions(config, model, plans))
        draft.seeds = {"evals": config.evals.seed}

    return workspace.produce(STAGE, settings, inputs, build, link)


def _engine_settings(config: RunConfig, model: Model) -> dict[str, Any]:
    """What else decides the responses, by who gives them."""
    if model.kind == "endpoint":
        return {"engine": "endpoint", "template_args": config.evals.template_args}
    return {
        "engine": config.training.rollout.engine,
        "precision": config.training.deepspeed.precision,
        "bos": config.training.rollout.bos,
        "max_prompt_tokens": config.eval_prompt_tokens,
    }


def _conditions(config: RunConfig, model: Model, plans: Sequence[Plan]) -> dict[str, Any]:
    """The conditions of each benchmark's responses; those of stored ones are stored beside them."""
    if model.kind == "stored":
        known = model.folder.parent / conditions.FILE
        return read_json(known) if known.exists() else {}
    if model.kind == "endpoint":
        engine = conditions.describe_engine("endpoint")
    else:
        engine = conditions.describe_engine(
            config.training.rollout.engine,
            template=model.folder,
            precision=config.training.deepspeed.precision,
            bos=config.training.rollout.bos,
        )
    return {
        plan.benchmark: conditions.sampled(plan, entry, config.evals, model=model.content, engine=engine)
        for entry, plan in zip(config.evals.benchmarks, plans, strict=True)
    }


def ask_endpoints(workspace: Workspace, out: Path, plans: Sequence[Plan], link: str) -> None:
    """Let the run's endpoints sample the plans, from this process; a rerun resumes."""
    evals, folder = workspace.config.evals, out / "completions"
    assert evals.endpoint is not None
    with Progress(link, "responses") as progress:
        generated = sample_remote(
            evals.endpoint, plans, config=evals, folder=folder, on_progress=progress.advance
        )
    for plan, made in zip(plans, generated, strict=True):
        write_part(made, folder, plan.benchmark, 0)


def run_engines(workspace: Workspace, out: Path, model: Path, link: str) -> None:
    """Run one child process per engine, in parallel; when one fails, or this process must end, all are ended.

    A rerun resumes.
    """
    config = workspace.config
    n_engines = config.evals.n_engines
    dump = config.model_dump(mode="json")
    stop = threading.Event()

    def run(part: int) -> None:
        name = link if n_engines == 1 else f"{link}-{part}"
        job = Job("sample", dump, str(out), model=str(model), plans=str(out / "plan"), part=part)
        run_job(job, workspace.log(name), progress.part(part), stop=stop)

    with (
        Progress(link, "responses", n_parts=n_engines) as progress,
        ThreadPoolExecutor(n_engines) as pool,
    ):
        try:
            for ended in as_completed([pool.submit(run, part) for part in range(n_engines)]):
                ended.result()
        except BaseException:
            stop.set()  # The pool waits for its threads.
            raise


def replay(workspace: Workspace, out: Path, stored: Path, plans: Sequence[Plan]) -> None:
    """Take the responses to the plans from stored ones, in this process."""
    engine, folder = Replay(stored), out / "completions"
    for plan in plans:
        generated = sample(engine, plan, config=workspace.config.evals, folder=folder)
        write_part(generated, folder, plan.benchmark, 0)


def collect(draft: Draft, plans: Sequence[Plan], n_engines: int) -> None:
    """Join what the engines wrote, in the order of the plans, independent of which engine sampled what."""
    responses: list[pl.DataFrame] = [pl.DataFrame(schema=RESPONSE)]
    rejects: list[pl.DataFrame] = [REJECT.frame([])]
    folder = draft.folder / "completions"
    for plan in plans:
        parts = [f"{plan.benchmark}.{part}" for part in range(n_engines)]
        joined = pl.concat([pl.read_parquet(folder / f"{part}.responses.parquet") for part in parts])
        order = plan.prompts.select("question_id").with_row_index("order")
        joined = joined.join(order, on="question_id", how="left").sort("order", "sample").drop("order")
        responses.append(joined)
        set_aside = pl.concat([pl.read_parquet(folder / f"{part}.rejects.parquet") for part in parts])
        rejects.append(set_aside.unique("source_id", keep="first", maintain_order=True))
        if joined.is_empty():
            raise ValueError(
                f"{plan.benchmark}: no question has a response; the first was rejected because: "
                f"{set_aside['detail'][0]}. For long prompts raise evals.max_prompt_tokens"
            )
    draft.write("responses.parquet", pl.concat(responses))
    draft.write_rejects(pl.concat(rejects))
    n_questions = sum(plan.prompts.height for plan in plans)
    n_rejected = sum(frame.height for frame in rejects)
    draft.count(n_questions, n_questions - n_rejected, n_rejected)
