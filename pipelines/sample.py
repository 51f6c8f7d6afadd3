"""Stage 5, sample: a model and the benchmarks in, their responses out; what only a model can do.

Artefact: plan/<benchmark>.parquet (evals.plan.PROMPT), completions/*.jsonl (resumable shards),
responses.parquet (evals.sampling.RESPONSE), rejects.parquet.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evals.benchmarks.registry import Benchmark
from evals.plan import Chat, Plan, chat_renderer, make_plan
from evals.profiles import Conditions
from evals.replay import Replay
from evals.sampling import RESPONSE, Generated, sample
from pipelines.artifact import Artifact, Draft, Stage
from pipelines.config import RunConfig
from pipelines.progress import Progress
from pipelines.train import final_model
from pipelines.worker import Job, run_job
from pipelines.workspace import Workspace
from rewards.files import canonical_json, hash_text
from rewards.records import REJECT
from training.fingerprint import hash_model

STAGE = Stage(
    "sample",
    (
        "evals/plan.py",
        "evals/profiles.py",
        "evals/replay.py",
        "evals/sampling.py",
        "rewards/prompts.py",
        "training/rollout",
        "pipelines/sample.py",
        "pipelines/worker.py",
    ),
    is_resumable=True,
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model to benchmark: its folder in Hugging Face format, and the hash of what is in it."""

    folder: Path
    content: str
    is_stored: bool = False
    """The folder holds stored samples instead, which answer for a model."""

    @classmethod
    def of_stage(cls, artifact: Artifact) -> "Model":
        """The policy of an artefact of stage base or train."""
        folder = artifact.folder / "model" if artifact.stage == "base" else final_model(artifact)
        return cls(folder, artifact.content)

    @classmethod
    def of_folder(cls, folder: Path) -> "Model":
        """Any model folder; FileNotFoundError when it holds none."""
        if not (folder / "config.json").exists():
            raise FileNotFoundError(f"{folder}: no config.json; give the folder of a Hugging Face model")
        return cls(folder.resolve(), hash_model(folder))

    @classmethod
    def of_checkpoints(cls, workspace: Workspace) -> dict[str, "Model"]:
        """Every checkpoint that the run's training has exported so far, by name (step-000050)."""
        folders = sorted((workspace.folder / "train").glob("exports/step-*/actor"))
        return {folder.parent.name: cls.of_folder(folder) for folder in folders}

    @classmethod
    def of_samples(cls, folder: Path) -> "Model":
        """Stored samples: the folder `completions` of an earlier sampling, or files like its."""
        return cls(folder.resolve(), Replay(folder).fingerprint, is_stored=True)


def sample_stage(workspace: Workspace, benchmarks: Sequence[Benchmark], model: Model, link: str) -> Artifact:
    """Sample a model's responses to the run's benchmarks; the result is linked into the run as `link`."""
    config = workspace.config
    plans = make_plans(config, benchmarks, None if model.is_stored else model.folder)
    settings = {
        "conditions": {plan.benchmark: sampling_conditions(plan.conditions) for plan in plans},
        "n_samples": {plan.benchmark: plan.n_samples for plan in plans},
        "seed": config.evals.seed,
        "chunk": config.evals.chunk,
        "engine": config.training.rollout.engine,
        "precision": config.training.deepspeed.precision,
        "max_prompt_tokens": config.eval_prompt_tokens,
    }
    inputs = {"model": model.content} | {f"plan:{plan.benchmark}": hash_plan(plan) for plan in plans}

    def build(draft: Draft) -> None:
        for plan in plans:
            draft.write(f"plan/{plan.benchmark}.parquet", plan.prompts)
        if model.is_stored:
            replay(workspace, draft.folder, model.folder, plans)
        else:
            run_engines(workspace, draft.folder, model.folder, link)
        collect(draft, plans, 1 if model.is_stored else config.evals.n_engines)
        draft.seeds = {"evals": config.evals.seed}

    return workspace.produce(STAGE, settings, inputs, build, link)


def sampling_conditions(conditions: Conditions) -> dict[str, Any]:
    """Everything in the conditions but the verifier, which only judges what was sampled."""
    prompt = conditions.prompt.model_dump(mode="json")
    return {"prompt": prompt, "sampling": asdict(conditions.sampling), "method": conditions.method}


def make_plans(config: RunConfig, benchmarks: Sequence[Benchmark], model: Path | None) -> list[Plan]:
    """The prompts of every benchmark of the run, in order; reads the chat template where one is asked for.

    Without a model (stored samples) a chat prompt is the user's message alone.
    """
    needs_chat = any(config.evals.conditions(entry).method == "chat" for entry in config.evals.benchmarks)
    chat: Chat = chat_renderer(model) if needs_chat and model else str
    return [
        make_plan(benchmark, entry, config.evals, chat)
        for entry, benchmark in zip(config.evals.benchmarks, benchmarks, strict=True)
    ]


def hash_plan(plan: Plan) -> str:
    """What decides the responses: questions and prompts, not the reference answers."""
    return hash_text(canonical_json(plan.prompts.select("question_id", "prompt", "n_choices").rows()))


def run_engines(workspace: Workspace, out: Path, model: Path, link: str) -> None:
    """Run one child process per engine, side by side; when one fails, or this process is told to end, all are
    ended. A rerun resumes."""
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
            stop.set()  # the pool waits for its threads
            raise


def replay(workspace: Workspace, out: Path, stored: Path, plans: Sequence[Plan]) -> None:
    """Answer the plans from stored samples, in this process."""
    engine, folder = Replay(stored), out / "completions"
    for plan in plans:
        generated = sample(engine, plan, config=workspace.config.evals, folder=folder)
        write_part(generated, folder, plan.benchmark, 0)


def write_part(generated: Generated, folder: Path, benchmark: str, part: int) -> None:
    """Leave one engine's share of a benchmark for `collect`."""
    generated.responses.write_parquet(folder / f"{benchmark}.{part}.responses.parquet")
    generated.rejects.write_parquet(folder / f"{benchmark}.{part}.rejects.parquet")


def collect(draft: Draft, plans: Sequence[Plan], n_engines: int) -> None:
    """Join what the engines wrote, in the order of the plans, whichever engine sampled what."""
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
                f"{plan.benchmark}: no question has a response; the first was set aside because: "
                f"{set_aside['detail'][0]}. For long prompts raise evals.max_prompt_tokens"
            )
    draft.write("responses.parquet", pl.concat(responses))
    draft.write_rejects(pl.concat(rejects))
    n_questions = sum(plan.prompts.height for plan in plans)
    n_rejected = sum(frame.height for frame in rejects)
    draft.count(n_questions, n_questions - n_rejected, n_rejected)
