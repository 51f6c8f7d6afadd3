"""Stage 5, evaluate: a model and the benchmarks in, scored completions and statistics out.

Artefact: completions/*.jsonl (resumable shards), completions.parquet (rewards.records.COMPLETION),
rejects.parquet, summary.parquet and curves.parquet (evals.metrics.SUMMARY, CURVE).
"""

from pathlib import Path

import polars as pl

from evals.benchmarks.registry import Benchmark
from evals.metrics import curves, summarise
from evals.scoring import score
from pipelines.artifact import Artifact, Draft, Stage
from pipelines.benchmarks import load_benchmarks
from pipelines.progress import Progress
from pipelines.train import final_model
from pipelines.worker import Job, run_job
from pipelines.workspace import Workspace, section
from rewards.records import COMPLETION
from rewards.verdict import Mode

STAGE = Stage(
    "evaluate",
    ("evals", "rewards", "training/rollout", "pipelines/evaluate.py", "pipelines/worker.py"),
    is_resumable=True,
)


def evaluate_stage(workspace: Workspace, prompts: Artifact, model: Artifact, link: str) -> Artifact:
    """Benchmark the model of a base or train artefact; the result is linked into the run as `link`."""
    config = workspace.config
    benchmarks = load_benchmarks(config, prompts.read("prompts.parquet"))
    settings = {
        "evals": section(config.evals),
        "engine": config.training.rollout.engine,
        "precision": config.training.deepspeed.precision,
        "max_prompt_tokens": config.training.rollout.max_prompt_tokens,
    }
    inputs = {"model": model.content} | {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}

    def build(draft: Draft) -> None:
        for benchmark in benchmarks:
            draft.write(f"questions/{benchmark.name}.parquet", benchmark.questions)
        job = Job(
            "evaluate",
            config.model_dump(mode="json"),
            str(draft.folder),
            model=str(model_folder(model)),
            questions=str(draft.folder / "questions"),
        )
        with Progress(link, "responses") as progress:
            run_job(job, workspace.log(link), progress)
        write_scores(draft, config.evals.mode, benchmarks)
        draft.seeds = {"evals": config.evals.seed}

    return workspace.produce(STAGE, settings, inputs, build, link)


def model_folder(artifact: Artifact) -> Path:
    """Folder of the policy in an artefact of stage base or train."""
    return artifact.folder / "model" if artifact.stage == "base" else final_model(artifact)


def write_scores(draft: Draft, mode: Mode, benchmarks: list[Benchmark]) -> None:
    """Score the sampled responses and write verdicts and statistics; needs no model."""
    folder = draft.folder / "completions"
    scored: list[pl.DataFrame] = []
    rejects: list[pl.DataFrame] = []
    for benchmark in benchmarks:
        responses = pl.read_parquet(folder / f"{benchmark.name}.responses.parquet")
        result = score(responses, benchmark, mode=mode)
        scored.append(result.completions)
        rejects += [pl.read_parquet(folder / f"{benchmark.name}.rejects.parquet"), result.rejects]
    completions, rejected = pl.concat(scored), pl.concat(rejects)
    draft.write("completions.parquet", COMPLETION.check(completions))
    draft.write_rejects(rejected)
    draft.write("summary.parquet", summarise(completions))
    draft.write("curves.parquet", curves(completions))
    n_questions = sum(benchmark.questions.height for benchmark in benchmarks)
    draft.count(n_questions, n_questions - rejected.height, rejected.height)
