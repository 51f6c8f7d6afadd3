"""The training stage believes records, not launchers, and refuses what cannot fit."""

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from pipelines.jobs.process import ChildFailed
from pipelines.stages import base as base_stage
from pipelines.stages import train
from tests.pipelines.conftest import tiny_model, write_base

STEPS = 2


@pytest.fixture
def workspace(licensed_run: Workspace, tmp_path: Path) -> Workspace:
    """A run of its own with curated prompts and a base model."""
    shutil.copytree(licensed_run.root, tmp_path / "runs", symlinks=True)
    return Workspace.open(licensed_run.config, tmp_path / "runs")


def start(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, run_job):
    prompts = workspace.linked("rewards")
    base = workspace.produce(base_stage.STAGE, {}, {"rewards": prompts.content}, write_base)
    started = []

    def run(job, *arguments):
        started.append(job)
        run_job(Path(job.out))

    monkeypatch.setattr(train, "run_job", run)
    return train.train_stage(workspace, prompts, base), started


def make(folder: Path, n_steps: int, export: str) -> None:
    """What a training of `n_steps` leaves: records, a checkpoint, an export under this name."""
    lines = "".join(json.dumps({"step": step}) + "\n" for step in range(1, n_steps + 1))
    (folder / "metrics.jsonl").write_text(lines)
    (folder / "state" / f"step-{n_steps:06d}").mkdir(parents=True)
    for name in ("actor", "critic"):
        tiny_model(folder / "exports" / export / name, seed=0)
    for name in ("prompts", "rejects"):
        import polars as pl

        pl.DataFrame({"problem_id": ["a"]}).write_parquet(folder / f"{name}.parquet")


@pytest.mark.parametrize(
    ("n_steps", "export", "reason"),
    [
        pytest.param(0, "none", "end at step 0 of 2", id="a launcher that started nothing"),
        pytest.param(1, "step-000001", "end at step 1 of 2", id="a launcher that was killed"),
        pytest.param(2, "step-000002.partial", "export of its last step", id="half an export"),
        pytest.param(2, "step-000001", "export of its last step", id="an export of an earlier step"),
    ],
)
def test_an_exit_status_of_0_proves_nothing(workspace, monkeypatch, n_steps, export, reason) -> None:
    with pytest.raises(ChildFailed, match=f"ended before it was finished: .*{reason}"):
        start(workspace, monkeypatch, lambda folder: make(folder, n_steps, export))
    folder = (workspace.folder / "train").resolve()
    assert folder.suffix == ".partial" and (folder / "state" / f"step-{n_steps:06d}").exists()
    assert not (folder / "manifest.json").exists()


def test_a_finished_training_is_kept_with_its_checkpoint_and_not_started_again(workspace, monkeypatch):
    made, started = start(workspace, monkeypatch, lambda folder: make(folder, STEPS, "step-000002"))
    assert len(started) == 1 and not (made.folder / "state").exists()
    assert made.folder.with_suffix(".state").joinpath("step-000002").exists()
    assert not [name for name in made.manifest["files"] if "state" in name]
    again, started = start(workspace, monkeypatch, lambda folder: pytest.fail("trained twice"))
    assert again == made and not started


def test_a_training_killed_after_its_last_step_is_only_named(workspace, monkeypatch) -> None:
    def killed(folder: Path) -> None:
        make(folder, STEPS, "step-000002")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(workspace, monkeypatch, killed)
    made, started = start(workspace, monkeypatch, lambda folder: pytest.fail("a step is missing"))
    assert not started and (made.folder / "manifest.json").exists()


def test_a_disk_that_cannot_hold_the_run_is_refused_unless_told_otherwise(workspace, monkeypatch) -> None:
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(train.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(ValueError, match=r"GiB of disk .*--training.must-fit False"):
        start(workspace, monkeypatch, lambda folder: pytest.fail("started"))
    table = workspace.config.model_dump(mode="json")
    table["training"]["must_fit"] = False
    path = workspace.root / "c.json"
    path.write_text(json.dumps(table))
    forced = Workspace.open(load_config(path), workspace.root)
    made, started = start(forced, monkeypatch, lambda folder: make(folder, STEPS, "step-000002"))
    assert len(started) == 1 and made.folder.exists()


def test_more_ranks_than_gpus_need_a_hostfile(licensed_run: Workspace, tmp_path, monkeypatch) -> None:
    overrides = {"deepspeed": {"n_ranks": 4, "precision": "fp32"}}
    training = licensed_run.config.training
    table = training.model_dump() | {"ppo": {"critic_minibatches": 1}}
    ranks = type(training).model_validate(table | overrides)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ValueError, match="n_ranks is 4, but this machine has 2 GPUs"):
        train.check_room(ranks, tmp_path, tmp_path)
    hosts = {"deepspeed": overrides["deepspeed"] | {"hostfile": "hosts"}}
    train.check_room(type(training).model_validate(table | hosts), tmp_path, tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    train.check_room(ranks, tmp_path, tmp_path)


def test_a_trained_critic_is_checked_and_named_by_its_content(tmp_path) -> None:
    model, critic = tmp_path / "model", tmp_path / "critic"
    for folder, n_tokens in ((model, 100), (critic, 100)):
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"vocab_size": n_tokens}))
    with pytest.raises(ValueError, match="without a value head"):
        train.trained_critic(critic, model)
    (critic / "value_head.safetensors").write_bytes(b"")
    assert train.trained_critic(critic, model) == critic
    (critic / "config.json").write_text(json.dumps({"vocab_size": 90}))
    with pytest.raises(ValueError, match="vocabulary has 90 tokens, the base model's 100"):
        train.trained_critic(critic, model)
    with pytest.raises(ValueError, match="no model is there"):
        train.trained_critic(tmp_path / "none", model)
