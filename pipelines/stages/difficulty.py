"""Optional stage, difficulty: compiled prompts and a model in, pass rates and the hard prompts out.

Artifact: counts.parquet (curation.difficulty.COUNTS), prompts.parquet and hard.parquet
(rewards.contracts.records.COMPILED_REWARD, then n_samples, n_solved, n_truncated, pass_rate),
rejects.parquet; samples/*.jsonl are the resumable shards. Instead of sampling, it can count the rollouts of a
training run.
"""

from dataclasses import asdict
from pathlib import Path

import polars as pl

from curation.difficulty import counts_of_rollouts, sort_by_difficulty
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.progress import Progress
from pipelines.stages.models import Model
from training.data import select_rows

CODE = (
    *("curation/difficulty.py", "rewards", "training/data.py"),
    *("training/rollout", "training/model.py", "training/packed", "training/head.py", "training/rope.py"),
    *("training/selfcheck/sampling.py", "training/selfcheck/report.py", "training/vocabulary.py"),
    *("pipelines/stages/difficulty.py", "pipelines/jobs/difficulty.py"),
)
STAGE = Stage("difficulty", CODE, is_resumable=True)


def difficulty_stage(workspace: Workspace, prompts: Artifact, model: Model) -> Artifact:
    """Sample every training prompt with `model`, as in training, and sort by how often it solves them."""
    config = workspace.config
    settings = {
        "difficulty": section(config.difficulty),
        "prompt": section(config.training.prompt),
        "sampling": asdict(config.training.rollout.sampling),
        "engine": config.training.rollout.engine,
        "precision": config.training.deepspeed.precision,
        "bos": config.training.rollout.bos,
        "max_prompt_tokens": config.training.rollout.max_prompt_tokens,
    }
    inputs = {"rewards": prompts.content, "model": model.content}

    def build(draft: Draft) -> None:
        dump, rows = config.model_dump(mode="json"), str(prompts.folder / "prompts.parquet")
        job = Job("difficulty", dump, str(draft.folder), model=str(model.folder), rows=rows)
        with Progress("difficulty", "problems") as progress:
            run_job(job, workspace.log("difficulty"), progress.line)
        _sort(workspace, draft, prompts, draft.folder / "counts.parquet")

    return workspace.produce(STAGE, settings, inputs, build)


def difficulty_of_rollouts(workspace: Workspace, prompts: Artifact, trained: Artifact) -> Artifact:
    """Sort the prompts by how often the rollouts of training solved them."""
    inputs = {"rewards": prompts.content, "train": trained.content}

    def build(draft: Draft) -> None:
        rollouts = pl.scan_parquet(trained.folder / "rollouts" / "*.parquet")
        draft.write("counts.parquet", counts_of_rollouts(rollouts))
        _sort(workspace, draft, prompts, draft.folder / "counts.parquet")

    return workspace.produce(STAGE, section(workspace.config.difficulty), inputs, build)


def _sort(workspace: Workspace, draft: Draft, prompts: Artifact, counts: Path) -> None:
    config, rows = workspace.config.difficulty, select_rows(prompts.read("prompts.parquet"), "train")
    result = sort_by_difficulty(rows, pl.read_parquet(counts), config)
    draft.write("prompts.parquet", result.kept)
    draft.write("hard.parquet", result.hard)
    draft.write_rejects(result.rejects)
    draft.count(rows.height, result.kept.height, result.rejects.height)
    draft.seeds = {"difficulty": config.seed}
