"""Stage 4, train: PPO from the base model on the compiled prompts.

Artefact: exports/step-*/{actor,critic} (Hugging Face format), prompts.parquet and rejects.parquet,
metrics.jsonl (METRIC), evaluations.jsonl (EVALUATION) with their responses below evaluations/, rollouts/
(ROLLOUT), timings.jsonl (TIMING). While it runs, state/ holds the resumable checkpoints.
"""

import shutil
from pathlib import Path

import polars as pl

from pipelines.artifact import Artifact, Draft, Stage
from pipelines.progress import OnAdvance, Progress
from pipelines.worker import Job, run_job
from pipelines.workspace import Workspace, section

STAGE = Stage(
    "train",
    ("training", "rewards", "pipelines/train.py", "pipelines/worker.py", "pipelines/evaluate_in_training.py"),
    is_resumable=True,
)


def train_stage(
    workspace: Workspace, prompts: Artifact, base: Artifact, on_steps: OnAdvance | None = None
) -> Artifact:
    """Train, continue a killed training, or find it done; `on_steps` is told how many steps are made."""
    training = workspace.config.training

    def build(draft: Draft) -> None:
        job = Job(
            "train",
            workspace.config.model_dump(mode="json"),
            str(draft.folder),
            model=str(base.folder / "model"),
            rows=str(prompts.folder / "prompts.parquet"),
            tensorboard=str(workspace.folder / "tensorboard"),
        )
        with Progress("train", "steps", on_advance=on_steps) as progress:
            run_job(job, workspace.log("train"), progress.line, training.deepspeed.n_ranks)
        # The engines' states serve only to resume this very training; the exports are the result.
        shutil.rmtree(draft.folder / "state")
        draft.volatile = {"timings.jsonl"}
        n_kept, n_rejected = (
            pl.read_parquet(draft.folder / name).height for name in ("prompts.parquet", "rejects.parquet")
        )
        draft.count(n_kept + n_rejected, n_kept, n_rejected)
        draft.seeds = {"training": training.seed}

    inputs = {"rewards": prompts.content, "base": base.content}
    settings = section(training, "model", "keep_checkpoints", "tracker")
    if training.eval_every:
        settings["evals"] = section(workspace.config.evals)
    return workspace.produce(STAGE, settings, inputs, build)


def final_model(trained: Artifact) -> Path:
    """The policy after the last step."""
    return sorted((trained.folder / "exports").iterdir())[-1] / "actor"
