"""Stage 4, train: PPO from the base model on the compiled prompts.

Artifact: exports/step-*/{actor,critic} (Hugging Face format), prompts.parquet and rejects.parquet,
metrics.jsonl (METRIC), evaluations.jsonl (EVALUATION) with their responses in evaluations/, rollouts/
(ROLLOUT), timings.jsonl (TIMING), segments.json (the configuration, code and ranks of each stretch of steps).
During training, state/ has the resumable checkpoints; the newest one stays for training.keep_state_days. The
optional stage anneal makes the same from a trained model and the hard prompts of stage difficulty.
"""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
from tokenizers import Tokenizer

from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace
from pipelines.benchmarks import load_benchmarks
from pipelines.config import RunConfig
from pipelines.jobs.gpus import smallest_gpu_gib, visible_gpus
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.process import ChildFailed
from pipelines.jobs.progress import OnAdvance, Progress
from pipelines.stages.continuation import describe, drop_old_states, keep_state, prepare
from pipelines.stages.models import final_model
from rewards.contracts.files import read_json
from rewards.contracts.settings import Kind, fields_by_kind
from training.config import CRITIC_HEAD, TrainingConfig
from training.fingerprint import hash_model
from training.planning.plan import why_not
from training.planning.shape import shape_of_folder
from training.saving.segments import FILE as SEGMENTS
from training.saving.segments import begin_segment, describe_segments, read_segments
from training.saving.steps import what_is_missing

CODE = (
    *(
        "training/*.py",
        "training/packed",
        "training/rollout",
        "training/saving",
        "training/sections",
        "training/selfcheck",
        "rewards",
        "evals/statistics",
    ),
    *("pipelines/stages/train.py", "pipelines/jobs/train.py", "pipelines/jobs/evaluate_in_training.py"),
)
IN_PLACE = (
    *("evals/plan.py", "evals/profiles.py", "evals/replay.py"),
    *("evals/sampling.py", "evals/scoring.py", "evals/benchmarks/choices.py"),
)
"""Code that decides the evaluations during training, if there are any (`training.eval_every`)."""
MOST_OTHER_IDS = 0.01
"""Share of the vocabulary: models of one family differ in some special tokens."""
logger = logging.getLogger(__name__)
STAGE = Stage("train", CODE, is_resumable=True)
ANNEAL = Stage("anneal", CODE, is_resumable=True)


def train_stage(
    workspace: Workspace, prompts: Artifact, base: Artifact, on_steps: OnAdvance | None = None
) -> Artifact:
    """Train, continue a killed training, or reuse its artifact; `on_steps` is called with the steps done."""
    inputs = {"rewards": prompts.content, "base": base.content}
    model, rows = base.folder / "model", prompts.folder / "prompts.parquet"
    critic = None
    if workspace.config.training.critic_path is not None:
        critic = trained_critic(Path(workspace.config.training.critic_path), model)
        inputs["critic"] = hash_model(critic)
    return _produce(
        workspace, STAGE, workspace.config, inputs, on_steps, model=model, rows=rows, critic=critic
    )


def anneal_stage(
    workspace: Workspace, hard: Artifact, trained: Artifact, n_steps: int, on_steps: OnAdvance | None = None
) -> Artifact:
    """Train the trained policy and critic for `n_steps` more on the hard prompts of stage difficulty, while
    the learning rates fall to their final_lr (paper, section 2.3: 100 steps, to 3e-7)."""
    rows = hard.folder / "hard.parquet"
    if not pl.scan_parquet(rows).select(pl.len()).collect().item():
        raise ValueError(f"{rows}: no prompt is hard for this model; raise difficulty.hard_below")
    table = workspace.config.model_dump()
    table["training"]["n_steps"], table["training"]["anneal"]["n_steps"] = 0, n_steps
    # The trained critic is warm.
    table["training"]["ppo"] |= {"critic_warmup_steps": 0, "critic_warmup_variance": None}
    config = RunConfig.model_validate(table)
    actor = final_model(trained)
    critic = next(actor.parent.glob("critic"), None)
    inputs = {"difficulty": hard.content, "train": trained.content}
    return _produce(workspace, ANNEAL, config, inputs, on_steps, model=actor, rows=rows, critic=critic)


def _produce(
    workspace: Workspace,
    stage: Stage,
    config: RunConfig,
    inputs: dict[str, str],
    on_steps: OnAdvance | None,
    *,
    model: Path,
    rows: Path,
    critic: Path | None = None,
) -> Artifact:
    """Train `model` on `rows` as `config` says, into the stage's artifact, or reuse the artifact."""
    training = config.training
    settings = {
        f"training.{key}": value
        for key, kind, value in fields_by_kind(training)
        if kind is Kind.RESULT and not key.startswith(("model.", "critic_path"))  # models are inputs
    }
    if training.eval_every:
        stage = replace(stage, packages=CODE + IN_PLACE)
        settings |= {f"evals.{key}": value for key, _, value in fields_by_kind(config.evals)}
        benchmarks = load_benchmarks(config, pl.read_parquet(rows))
        inputs |= {f"benchmark:{benchmark.name}": benchmark.fingerprint for benchmark in benchmarks}
    described = describe(config, settings, inputs, stage)
    fingerprint = workspace.store.fingerprint(stage, settings, inputs)
    models = ("actor", "critic") if training.ppo.has_critic else ("actor",)

    def build(draft: Draft) -> None:
        tensorboard = workspace.folder / "tensorboard"
        if stage.name == ANNEAL.name:
            tensorboard /= "anneal"
        job = Job(
            "train",
            config.model_dump(mode="json"),
            str(draft.folder),
            model=str(model),
            rows=str(rows),
            tensorboard=str(tensorboard),
            critic=str(critic) if critic else "",
            segment=described,
        )
        log = workspace.log(stage.name)
        if what_is_missing(draft.folder, training.total_steps, models) is not None:
            check_room(training, model, draft.folder)
            with Progress(stage.name, "steps", on_advance=on_steps) as progress:
                run_job(job, log, progress.line, training.deepspeed.n_ranks)
        else:  # Killed after the last step, or nothing but rails and code changed since: no step is left.
            last = read_segments(draft.folder)
            n_ranks = last[-1]["n_ranks"] if last else training.deepspeed.n_ranks
            begin_segment(draft.folder, training.total_steps, described, n_ranks)
        # The records decide, not the exit status of a launcher.
        if (missing := what_is_missing(draft.folder, training.total_steps, models)) is not None:
            raise ChildFailed(f"the training ended before it was finished: {missing}; whole log: {log}")
        keep_state(draft.folder, workspace.store.root / stage.name / fingerprint, training.keep_state_days)
        draft.volatile = {"timings.jsonl", SEGMENTS}
        draft.facts = {"segments": describe_segments(read_segments(draft.folder))}
        n_kept, n_rejected = (
            pl.read_parquet(draft.folder / name).height for name in ("prompts.parquet", "rejects.parquet")
        )
        draft.count(n_kept + n_rejected, n_kept, n_rejected)
        draft.seeds = {"training": training.seed}

    prepare(workspace, stage, fingerprint, described, training.total_steps)
    drop_old_states(workspace.store.root)
    return workspace.produce(stage, settings, inputs, build)


def trained_critic(folder: Path, model: Path) -> Path:
    """Check the folder of training.critic_path against the base model; ValueError names what is missing."""
    name = f"training.critic_path = {str(folder)!r}"
    if not (folder / "config.json").exists():
        raise ValueError(
            f"{name}: no model is there; name a folder such as exports/step-001000/critic of a run"
        )
    if not (folder / CRITIC_HEAD).exists():
        raise ValueError(
            f"{name}: a model without a value head ({CRITIC_HEAD}); name the critic, not the actor"
        )
    sizes = [read_json(one / "config.json").get("vocab_size") for one in (folder, model)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"{name}: its vocabulary has {sizes[0]} tokens, the base model's {sizes[1]}")
    n_other, n = _other_ids(folder, model)
    if n_other > MOST_OTHER_IDS * n:
        raise ValueError(
            f"{name}: its tokenizer gives {n_other} of the base model's {n} tokens other ids, so it reads "
            "other texts; name the critic of a run with the same tokenizer"
        )
    if n_other:
        logger.warning("%s: its tokenizer has other ids for %d of %d tokens", name, n_other, n)
    return folder


def _other_ids(folder: Path, model: Path) -> tuple[int, int]:
    """How many tokens of the model's vocabulary have other ids in the folder's, and of how many; 0 of 0 where
    one has no tokenizer.json."""
    files = [one / "tokenizer.json" for one in (folder, model)]
    if not all(file.exists() for file in files):
        return 0, 0
    theirs, own = (Tokenizer.from_file(str(file)).get_vocab() for file in files)
    return sum(theirs.get(token) != number for token, number in own.items()), len(own)


def check_room(training: TrainingConfig, model: Path, folder: Path) -> None:
    """Raise ValueError when the plan says that the run cannot fit; with must_fit = false only warn.

    Checkpoints that exist are counted as free space, since new ones take their place. More ranks than the
    machine has GPUs are refused in any case.
    """
    n_gpus, settings = len(visible_gpus()), training.deepspeed
    if n_gpus and not settings.hostfile and settings.n_ranks > n_gpus:
        raise ValueError(
            f"training.deepspeed.n_ranks is {settings.n_ranks}, but this machine has {n_gpus} GPUs; lower it "
            "or name machines in training.deepspeed.hostfile"
        )
    if not (model / "config.json").exists():
        return
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    reason = why_not(
        training,
        shape_of_folder(model),
        gpu_gib=smallest_gpu_gib(),
        n_gpus=training.deepspeed.n_ranks,
        free_bytes=shutil.disk_usage(folder).free + held,
    )
    if reason is not None:
        if training.must_fit:
            raise ValueError(f"{reason}. To try all the same: --training.must-fit False")
        logger.warning("training.must_fit = false: %s", reason)
