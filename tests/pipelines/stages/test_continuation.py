"""A run that its owner changed: operation continues it, anything else is asked, nothing is lost."""

import json
import os
import time
from pathlib import Path

import pytest

from pipelines.artifacts.artifact import MANIFEST, Stage
from pipelines.artifacts.workspace import Workspace
from pipelines.config import RunConfig, load_config
from pipelines.stages import continuation
from pipelines.stages.continuation import (
    STATE,
    RunChanged,
    describe,
    drop_old_states,
    keep_state,
    note_days,
    prepare,
)
from rewards.contracts.settings import Kind, fields_by_kind
from training.saving.segments import begin_segment, describe_segments, read_segments

STAGE = Stage("train", ("training/gae.py",))


def changed(config: RunConfig, **values) -> RunConfig:
    """`config` with fields of `training` set, by dotted key with __ for the dots."""
    table = config.model_dump()
    for key, value in values.items():
        *path, last = key.split("__")
        place = table if key == "on_change" else table["training"]
        for part in path:
            place = place[part]
        place[last] = value
    return RunConfig.model_validate(table)


class Run:
    """A run whose trainings are folders made by hand: records, a checkpoint, segments."""

    def __init__(self, root: Path, config: RunConfig) -> None:
        self.root, self.config = root, config

    def key(self, config: RunConfig):
        settings = {
            f"training.{key}": value
            for key, kind, value in fields_by_kind(config.training)
            if kind is Kind.RESULT
        }
        return settings, describe(config, settings, {"base": "abc"}, STAGE)

    def prepare(self, **values) -> Path:
        """Prepare the run with changed fields; returns the folder that training would then continue."""
        config = changed(self.config, **values)
        workspace = Workspace.open(config, self.root)
        settings, now = self.key(config)
        fingerprint = workspace.store.fingerprint(STAGE, settings, {"base": "abc"})
        prepare(workspace, STAGE, fingerprint, now, config.training.total_steps)
        return workspace.store.root / "train" / f"{fingerprint}.partial"

    def train(self, n_steps: int, saved: int | None, *, is_finished: bool = False, **values) -> Path:
        config = changed(self.config, **values)
        workspace = Workspace.open(config, self.root)
        settings, now = self.key(config)
        name = workspace.store.fingerprint(STAGE, settings, {"base": "abc"})
        folder = workspace.store.root / "train" / (name if is_finished else f"{name}.partial")
        folder.mkdir(parents=True)
        lines = "".join(json.dumps({"step": step}) + "\n" for step in range(1, n_steps + 1))
        (folder / "metrics.jsonl").write_text(lines)
        begin_segment(folder, 0, now, 1)
        if saved is not None:
            (folder / "state" / f"step-{saved:06d}").mkdir(parents=True)
            (folder / "state" / f"step-{saved:06d}" / "weights").write_text(f"of step {saved}")
        if is_finished:
            keep_state(folder, folder, 30)
            (folder / MANIFEST).write_text("{}")
        workspace._link("train", folder)
        return folder


@pytest.fixture
def run(tmp_path: Path, config_file: Path) -> Run:
    return Run(tmp_path / "runs", changed(load_config(config_file), n_steps=10, ppo__critic_minibatches=2))


OPERATION = {
    "ppo__micro_batch_tokens": 99,
    "ppo__logprob_chunk_tokens": 99,
    "rollout__kv_cache_gib": 1.0,
    "rollout__gpu_memory_utilization": 0.5,
    "rollout__probe_responses": 3,
    "deepspeed__gradient_checkpointing": False,
    "deepspeed__n_ranks": 2,
    "deepspeed__zero_stage": 1,
    "deepspeed__offload_optimizer": True,
    "save_every": 3,
    "keep_best": 3,
    "keep_checkpoints": 3,
    "tracker": "wandb",
}


@pytest.mark.parametrize("key", OPERATION)
def test_operation_continues_the_same_folder_without_a_question(run: Run, key: str) -> None:
    folder = run.train(7, 6)
    assert run.prepare(**{key: OPERATION[key]}) == folder


RESULT = {
    "n_steps": 12,
    "seed": 1,
    "actor__lr": 1e-3,
    "ppo__gae_lambda": 0.9,
    "rollout__temperature": 0.5,
    "rollout__samples_per_prompt": 2,
    "rollout__max_mismatch": 0.1,
    "deepspeed__precision": "fp32",
    "rails__reward_stuck__limit": 0.1,
    "eval_every": 5,
}


@pytest.mark.parametrize("is_finished", [False, True], ids=["unfinished", "finished"])
@pytest.mark.parametrize("key", RESULT)
def test_anything_else_is_asked_and_named(run: Run, key: str, is_finished: bool) -> None:
    folder = run.train(10 if is_finished else 7, 6, is_finished=is_finished)
    with pytest.raises(RunChanged, match="--resume .*--fresh") as error:
        run.prepare(**{key: RESULT[key]})
    assert f"training.{key.replace('__', '.')}: " in str(error.value)
    assert folder.exists() and (run.root / "small" / "train").resolve() == folder


def test_changed_code_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.train(7, 6)
    monkeypatch.setattr(continuation, "code_version", lambda packages: "0123456789abcdef")
    monkeypatch.setattr("pipelines.artifacts.artifact.code_version", lambda packages: "0123456789abcdef")
    with pytest.raises(RunChanged, match="code of the stage: .* -> 0123456789abcdef"):
        run.prepare()
    assert (run.prepare(on_change="resume") / "state" / "step-000006").exists()


def test_resume_takes_over_the_checkpoint_and_a_second_start_continues_it(run: Run) -> None:
    former = run.train(7, 6)
    taken = run.prepare(actor__lr=1e-3, on_change="resume")
    assert taken != former and (taken / "state/step-000006/weights").read_text() == "of step 6"
    assert not former.exists(), "nobody else used it, so nothing is kept twice"
    assert run.prepare(actor__lr=1e-3) == taken, "a retry is the same run: no question"


def test_a_folder_that_another_run_uses_stays(run: Run) -> None:
    former = run.train(7, 6)
    Workspace.open(changed(run.config), run.root)
    other = run.root / "other"
    other.mkdir()
    (other / "train").symlink_to(former)
    taken = run.prepare(actor__lr=1e-3, on_change="resume")
    assert (taken / "state/step-000006/weights").exists() and (former / "state/step-000006/weights").exists()


def test_a_finished_run_is_extended_from_its_kept_checkpoint(run: Run) -> None:
    former = run.train(10, 10, is_finished=True)
    assert not (former / "state").exists()
    taken = run.prepare(n_steps=20, on_change="resume")
    assert (taken / "state/step-000010/weights").read_text() == "of step 10"
    assert not (taken / MANIFEST).exists() and (former / MANIFEST).exists()
    assert run.prepare(n_steps=20) == taken


def test_fresh_starts_anew_and_leaves_what_exists(run: Run) -> None:
    former = run.train(7, 6)
    begun = run.prepare(actor__lr=1e-3, on_change="fresh")
    assert not begun.exists() and former.exists()


@pytest.mark.parametrize(
    ("made", "saved", "values", "message"),
    [
        pytest.param(10, 10, {"n_steps": 5}, "already at step 10 of the 5", id="fewer steps than made"),
        pytest.param(10, 10, {"seed": 5}, "no step would be made with the new", id="no step left"),
        pytest.param(10, None, {"n_steps": 20}, "its checkpoint is gone", id="checkpoint gone"),
    ],
)
def test_what_cannot_be_resumed_is_refused(run: Run, made, saved, values, message) -> None:
    run.train(made, saved, is_finished=True)
    with pytest.raises(RunChanged, match=message):
        run.prepare(**values, on_change="resume")


def test_steps_without_any_checkpoint_are_no_question(run: Run) -> None:
    former = run.train(3, None)
    assert run.prepare(seed=1) != former


def test_another_name_is_another_run(run: Run) -> None:
    run.train(7, 6)
    renamed = Run(run.root, run.config.model_copy(update={"name": "second"}))
    renamed.prepare(seed=1)


@pytest.mark.parametrize(
    ("days", "age", "stays"),
    [(30, 29, True), (30, 31, False), (None, 4000, True), (0.5, 0.4, True), (0.5, 0.6, False)],
)
def test_a_kept_checkpoint_goes_after_the_days_of_its_own_training(run: Run, days, age, stays) -> None:
    own, other = run.train(10, 10, is_finished=True), run.train(10, 10, is_finished=True, seed=1)
    note_days(other.with_suffix(STATE), None)
    note_days(own.with_suffix(STATE), days)
    os.utime(own.with_suffix(STATE), (time.time() - age * 86400,) * 2)
    run.prepare(seed=1, keep_state_days=None)  # The command of the other.
    drop_old_states(own.parents[1])
    assert own.with_suffix(STATE).exists() is stays and other.with_suffix(STATE).exists()


def test_another_setting_changes_how_long_a_finished_run_keeps_its_checkpoint(run: Run) -> None:
    own = run.train(10, 10, is_finished=True)
    os.utime(own.with_suffix(STATE), (time.time() - 31 * 86400,) * 2)
    run.prepare(keep_state_days=None)
    drop_old_states(own.parents[1])
    assert own.with_suffix(STATE).exists()
    run.prepare(keep_state_days=7)
    drop_old_states(own.parents[1])
    assert not own.with_suffix(STATE).exists()


@pytest.mark.parametrize(
    ("n_anneal", "done", "is_promised"),
    [(0, 6, True), (0, 10, True), (4, 6, True), (4, 10, True), (4, 12, False), (4, 14, False)],
)
def test_more_steps_promise_equal_bytes_unless_an_annealing_stage_has_begun(
    run: Run, tmp_path: Path, n_anneal: int, done: int, is_promised: bool
) -> None:
    for from_step, n_steps in ((0, 10), (done, 20)):
        config = changed(run.config, n_steps=n_steps, anneal__n_steps=n_anneal, actor__final_lr=1e-7)
        begin_segment(tmp_path, from_step, run.key(config)[1], 1)
    assert ("not the bytes" not in describe_segments(read_segments(tmp_path))[1]) is is_promised


def test_segments_say_what_changed_and_where_equal_bytes_end(run: Run, tmp_path: Path) -> None:
    plain, more_ranks, slower = (run.key(changed(run.config, **values))[1] for values in ({},) * 3)
    slower["settings"] = slower["settings"] | {"training.ppo.micro_batch_tokens": 1}
    assert begin_segment(tmp_path, 0, plain, 2) == 0
    assert begin_segment(tmp_path, 4, plain, 2) == 0, "nothing changed: the same segment"
    assert begin_segment(tmp_path, 4, slower, 2) == 1
    assert begin_segment(tmp_path, 6, more_ranks, 1) == 2
    lines = describe_segments(read_segments(tmp_path))
    assert "micro_batch_tokens" in lines[1] and "not the bytes" not in lines[1]
    assert "ranks: 2 -> 1" in lines[2] and "not the bytes" in lines[2]
    assert begin_segment(tmp_path, 2, plain, 2) == 0, "steps that are made again have no other segment"
