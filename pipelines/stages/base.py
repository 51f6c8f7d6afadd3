"""Stage 3, base: the model that PPO starts from, in Hugging Face format in model/.

Made from scratch (with a warm-up on the prompt set), dequantized from a GGUF file, or linked to a folder.
"""

from pathlib import Path

from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.progress import Progress
from rewards.contracts.files import hash_file

CODE = (
    *("training/base", "training/model.py", "training/packed", "training/head.py", "training/rope.py"),
    *("training/vocabulary.py", "rewards/contracts"),
    *("pipelines/stages/base.py", "pipelines/jobs/base.py"),
)
STAGE = Stage("base", CODE)


WAYS_OUT = (
    "a model made from scratch (training.model.scratch) first learns to write from worked solutions. Either "
    'name the column that has them (solution = "..." under [[curation.sources]]), or '
    "train a model that can write already: training.model.path = a Hugging Face model folder or its name "
    "on the hub"
)


def base_stage(workspace: Workspace, prompts: Artifact) -> Artifact:
    """Make the base model, or reuse its artifact."""
    training = workspace.config.training
    model = training.model
    if model.scratch is not None:
        rows = prompts.read("prompts.parquet").filter(split="train")
        if rows["solution"].is_null().all():
            raise ValueError(f"no problem to train on has a worked solution, and {WAYS_OUT}")
    settings = {
        "model": section(model),
        "prompt": section(training.prompt),
        "precision": training.deepspeed.precision,
        "seed": training.base_seed,
    }

    def build(draft: Draft) -> None:
        job = Job(
            "base",
            workspace.config.model_dump(mode="json"),
            str(draft.folder),
            rows=str(prompts.folder / "prompts.parquet"),
        )
        with Progress("base", "steps") as progress:
            run_job(job, workspace.log("base"), progress.line)
        draft.seeds = {"model": training.base_seed}

    return workspace.produce(STAGE, settings, _inputs(workspace, prompts), build)


def _inputs(workspace: Workspace, prompts: Artifact) -> dict[str, str]:
    """What the model is made from; the prompt set only if the model is made from scratch."""
    model = workspace.config.training.model
    if model.scratch is not None:
        return {"rewards": prompts.content}
    if model.gguf is not None:
        from training.base.gguf import find_gguf

        return {"gguf": hash_file(find_gguf(model.gguf))}
    path = Path(model.path or "")
    if path.is_dir():
        from training.fingerprint import hash_model

        return {"model": hash_model(path)}
    return {"model": f"hub:{model.path}@{model.revision}"}
