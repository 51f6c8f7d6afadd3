"""A training is finished when its records and its exports say so, whatever a launcher's exit status was."""

import json
from pathlib import Path

import pytest

from training.saving.steps import (
    INDEX,
    drop_later,
    keep_exports,
    saved_steps,
    step_folder,
    what_is_missing,
)

MODELS = ("actor", "critic")


def finished(folder: Path, n_steps: int = 4) -> Path:
    """The folder of a finished training of `n_steps`: a model in one file, one in shards."""
    lines = "".join(json.dumps({"step": step}) + "\n" for step in range(1, n_steps + 1))
    (folder / "metrics.jsonl").write_text(lines)
    export = folder / "exports" / f"step-{n_steps:06d}"
    for name in MODELS:
        (export / name).mkdir(parents=True)
        (export / name / "config.json").write_text("{}")
    (export / "actor" / "model.safetensors").touch()
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for shard in shards:
        (export / "critic" / shard).touch()
    weights = {"a": shards[0], "b": shards[1], "c": shards[1]}
    (export / "critic" / INDEX).write_text(json.dumps({"weight_map": weights}))
    return folder


def test_the_last_step_recorded_and_exported_is_finished(tmp_path: Path) -> None:
    assert what_is_missing(finished(tmp_path), 4, MODELS) is None


def cut_records(folder: Path) -> None:
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:-1]))


def tear_records(folder: Path) -> None:
    text = (folder / "metrics.jsonl").read_text()
    (folder / "metrics.jsonl").write_text(text[:-3])


def skip_a_record(folder: Path) -> None:
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:1] + lines[2:]))


def rename_export(folder: Path) -> None:
    (folder / "exports/step-000004").rename(folder / "exports/step-000004.partial")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(lambda f: (f / "metrics.jsonl").unlink(), "end at step 0 of 4", id="no records"),
        pytest.param(cut_records, "end at step 3 of 4", id="last record missing"),
        pytest.param(tear_records, "end at step 3 of 4", id="last record torn"),
        pytest.param(skip_a_record, "gap", id="a record missing"),
        pytest.param(rename_export, "lacks exports/step-000004/actor/config.json", id="export half written"),
        pytest.param(
            lambda f: (f / "exports/step-000004/actor/model.safetensors").unlink(),
            "lacks exports/step-000004/actor/model.safetensors",
            id="weights missing",
        ),
        pytest.param(
            lambda f: (f / "exports/step-000004/critic/model-00002-of-00002.safetensors").unlink(),
            "lacks exports/step-000004/critic/model-00002-of-00002.safetensors",
            id="shard missing",
        ),
    ],
)
def test_anything_less_is_not(tmp_path: Path, harm, message: str) -> None:
    folder = finished(tmp_path)
    harm(folder)
    assert message in (what_is_missing(folder, 4, MODELS) or "")


def test_a_run_of_fewer_steps_than_asked_is_not(tmp_path: Path) -> None:
    assert "end at step 4 of 3000" in (what_is_missing(finished(tmp_path), 3000, MODELS) or "")


def test_a_run_without_a_critic_needs_none(tmp_path: Path) -> None:
    folder = finished(tmp_path)
    (folder / "exports/step-000004/critic/config.json").unlink()
    assert what_is_missing(folder, 4, ("actor",)) is None


def test_what_was_made_after_the_checkpoint_is_dropped(tmp_path: Path) -> None:
    for name in ("step-000002-rank-000", "step-000003-rank-000", "step-000003-rank-001"):
        (tmp_path / "rollouts").mkdir(exist_ok=True)
        (tmp_path / "rollouts" / f"{name}.parquet").touch()
    for part in ("evaluations", "exports"):
        for step in (2, 3):
            (tmp_path / part / f"step-00000{step}").mkdir(parents=True)
    (tmp_path / "exports/step-000003.partial").mkdir()
    (tmp_path / "rollouts/.step-000003-rank-000.parquet.x1y2.tmp").touch()  # Killed while writing.
    drop_later(tmp_path, 2)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*step-*"))
    assert left == ["evaluations/step-000002", "exports/step-000002", "rollouts/step-000002-rank-000.parquet"]


@pytest.mark.parametrize(
    "names, expected",
    [
        pytest.param([], [], id="empty"),
        pytest.param(["step-000020", "step-000003", "step-000100"], [3, 20, 100], id="ascending"),
        pytest.param(["step-000001.partial", "step-000002"], [2], id="partial"),
        pytest.param(["step-7", "step-000008-old", "xstep-000009", ".step-000010"], [], id="foreign"),
    ],
)
def test_saved_steps_are_the_whole_folders(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).mkdir()
    assert saved_steps(tmp_path) == expected


def test_a_folder_that_does_not_exist_has_no_steps(tmp_path):
    assert saved_steps(tmp_path / "none") == []


def test_step_folders_sort_by_name_as_by_number(tmp_path):
    folders = [step_folder(tmp_path, step) for step in (1, 9, 10, 99, 100, 999_999)]
    assert sorted(folders) == folders
    for folder in folders:
        folder.mkdir()
    assert saved_steps(tmp_path) == [1, 9, 10, 99, 100, 999_999]


def test_the_best_exports_and_the_last_are_kept(tmp_path):
    for step in (2, 4, 6, 8):
        step_folder(tmp_path, step).mkdir()
    rewards = [0.1, 0.1, 0.9, 0.5, 0.6, 0.6, 0.2, 0.2]  # Means by export: 0.1, 0.7, 0.6, 0.2.
    history = [{"step": step, "reward": reward} for step, reward in enumerate(rewards, 1)]
    keep_exports(tmp_path, history, 2)
    assert saved_steps(tmp_path) == [4, 6, 8]
    keep_exports(tmp_path, history, 0)
    assert saved_steps(tmp_path) == [8]
