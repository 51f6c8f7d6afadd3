"""Audit of a run: the path of every row, and the check of files and links."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from pipelines.artifacts.audit import check_run, trace_row
from pipelines.artifacts.workspace import Workspace
from pipelines.cli.main import main


@pytest.fixture
def copied(licensed_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the run and its artifacts that a test may damage."""
    shutil.copytree(licensed_run.root, tmp_path / "runs", symlinks=True)
    return Workspace.reopen(tmp_path / "runs" / "small")


def test_whole_run_has_no_problems(licensed_run: Workspace) -> None:
    assert check_run(licensed_run.folder) == []


def test_damage_is_named_by_stage_and_file(copied: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with (copied.linked("curate").folder / "funnel.parquet").open("ab") as file:
        file.write(b"x")
    (copied.linked("rewards").folder / "answer_types.parquet").unlink()
    assert check_run(copied.folder) == [
        "curate: funnel.parquet differs from its SHA-256",
        "rewards: answer_types.parquet is missing",
    ]
    assert main(["audit", str(copied.folder)]) == 1
    assert "2 problems" in capsys.readouterr().out


def test_link_to_another_input_is_named(copied: Workspace) -> None:
    link = copied.folder / "curate"
    manifest = link.resolve() / "manifest.json"
    text = manifest.read_text()
    content = copied.linked("curate").content
    manifest.write_text(text.replace(f'"content": "{content}"', '"content": "0000000000000000"'))
    assert check_run(copied.folder) == [
        "rewards: was made from a different curate artifact than the one linked here"
    ]


def test_kept_row_is_traced_through_both_stages(licensed_run: Workspace) -> None:
    row = licensed_run.linked("rewards").read("prompts.parquet").row(0, named=True)
    found = trace_row(licensed_run.folder, row["problem_id"])
    assert found["stage"].to_list() == ["curate", "rewards"]
    assert found["state"].to_list() == ["kept", "kept"]
    assert set(found["problem"]) == {row["problem"]}


def test_removed_row_says_where_and_why(licensed_run: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    rejects = licensed_run.linked("curate").read("rejects.parquet")
    leak = rejects.filter(pl.col("step") == "decontaminate").row(0, named=True)
    name = f"{leak['source']}:{leak['source_id']}"
    (found,) = trace_row(licensed_run.folder, name).to_dicts()
    assert found["stage"] == "curate" and found["state"] != "kept"
    assert found["step"] == "decontaminate" and found["matched"] == leak["matched"]
    assert found["matched"].startswith("sums:")
    assert main(["audit", str(licensed_run.folder), name]) == 0
    assert f"1 rows match {name!r}" in capsys.readouterr().out


def test_unknown_row_and_unknown_folder(licensed_run: Workspace, tmp_path: Path) -> None:
    assert trace_row(licensed_run.folder, "no such row anywhere").is_empty()
    for call in (lambda: trace_row(tmp_path, "x"), lambda: check_run(tmp_path)):
        with pytest.raises(FileNotFoundError, match="give a run folder"):
            call()
    assert main(["audit", str(licensed_run.folder), "no such row anywhere"]) == 1
    assert main(["audit", str(tmp_path / "absent")]) == 2
