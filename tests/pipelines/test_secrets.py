"""A token in the environment: not in output, logs, files, or the command lines of any process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pipelines.artifacts.workspace import Workspace
from tests.pipelines.conftest import ROOT

TOKEN = "hf_plantedTokenThatNobodyElseHas"
NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "PREFECT_API_KEY", "AWS_SECRET_ACCESS_KEY")


def command_lines(leader: psutil.Process) -> set[str]:
    """Command lines of a process and its descendants now: what `ps` shows to everybody."""
    found = set()
    for process in [leader, *leader.children(recursive=True)]:
        try:
            found.add(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def run_watched(arguments: list[str], tmp_path: Path) -> tuple[str, set[str]]:
    """Output of a command, and all command lines seen while it ran."""
    environment = {**os.environ, **dict.fromkeys(NAMES, TOKEN), "PYTHONPATH": str(ROOT)}
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"  # nobody is asked
    with (tmp_path / "output").open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelines", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        leader, seen = psutil.Process(child.pid), set()
        while child.poll() is None:
            try:
                seen |= command_lines(leader)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        assert child.wait() == 0, (tmp_path / "output").read_text()
    return (tmp_path / "output").read_text(), seen


def test_a_token_stays_in_the_environment(config_file: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    output, seen = run_watched(["rewards", "--config", str(config_file), "--runs", str(runs)], tmp_path)
    assert any("pipelines" in line for line in seen)
    assert not [line for line in seen if TOKEN in line]
    assert TOKEN not in output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in files)
    assert any(path.name == "README.md" for path in files)
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


def test_a_token_is_not_in_what_would_be_published(trained_run: Workspace, tmp_path: Path) -> None:
    """A model; tests/pipelines/publishing looks at data sets."""
    arguments = [
        "publish",
        str(trained_run.folder),
        "model",
        "--repo",
        "me/sums",
        "--dry-run",
        "--out",
        "kept",
    ]
    output, seen = run_watched(arguments, tmp_path)
    assert TOKEN not in output and not [line for line in seen if TOKEN in line]
    files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert {"README.md", "SHA256SUMS"} <= {path.name for path in files}
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
