"""What of a run the viewer shows, and the command that writes it as a folder."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import polars as pl
import pytest

from pipelines.cli.main import main
from pipelines.stages.responses import find_responses, opened_first
from rewards.contracts.files import ROOT, write_json
from rewards.contracts.records import COMPLETION, REJECT, ROLLOUT

VALUES = {pl.String(): "x", pl.Int64(): 1, pl.Float64(): 1.0, pl.Boolean(): True}


def one_row(schema) -> pl.DataFrame:
    return schema.check(
        pl.DataFrame({column.name: pl.Series([VALUES[column.dtype]]) for column in schema.columns})
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    run = tmp_path / "toy"
    for name in ("evaluate-base", "evaluate-model", "evaluate-final", "evaluate-killed"):
        (run / name).mkdir(parents=True)
        if name != "evaluate-killed":
            one_row(COMPLETION).write_parquet(run / name / "completions.parquet")
            write_json(run / name / "manifest.json", {"environment": {"libraries": {}}})
            write_json(run / name / "conditions.json", {"x": {"profile": "chat", "temperature": 0.6}})
            pl.DataFrame({"benchmark": ["x"], "n_questions": [29]}).write_parquet(
                run / name / "summary.parquet"
            )
    one_row(REJECT).with_columns(reason=pl.lit("long_prompt")).write_parquet(
        run / "evaluate-final" / "rejects.parquet"
    )
    for step in (10, 9):
        for rank in (0, 1):
            path = run / "train" / "rollouts" / f"step-{step:06d}-rank-{rank:03d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            one_row(ROLLOUT).write_parquet(path)
    inside = run / "train" / "evaluations" / "step-000010"
    inside.mkdir(parents=True)
    one_row(COMPLETION).write_parquet(inside / "rank-000.parquet")
    return run


def test_a_run_shows_its_evaluations_and_its_training(run: Path) -> None:
    sets = find_responses(run)
    assert [each.name for each in sets] == ["base", "final", "model", "during-10", "training"]
    assert opened_first(sets) == "final"
    assert sets[1].facts[1:] == (
        "Sampling: profile chat, temperature 0.6",
        "x: 1 of 30 set aside: x (question x)",
    )
    assert list(sets[-1].files) == [9, 10] and len(sets[-1].files[9]) == 2
    assert [each.title for each in find_responses(run / "evaluate-base")] == ["evaluation"]
    with pytest.raises(FileNotFoundError, match="no responses yet"):
        find_responses(run / "train")


def test_the_command_serves_until_it_is_interrupted(run: Path, tmp_path: Path) -> None:
    """A real server: its address with the token, steps that a training adds meanwhile, and a clean end."""
    output = tmp_path / "output"
    with output.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "view", str(run)], cwd=ROOT, stdout=file, stderr=file
        )
        try:
            address = wait_for_address(output, server)
            assert httpx.get(address).status_code == 200
            later = run / "train" / "rollouts" / "step-000011-rank-000.parquet"
            one_row(ROLLOUT).write_parquet(later)
            page = httpx.get(address).text
            assert '"steps":[9,10,11]' in page and str(tmp_path) not in page
            index = httpx.get(f"{address}api/index", params={"set": "training", "step": 11})
            assert index.json()["n"] == 1
            assert httpx.get(address.replace("/view/", "x/view/")).status_code == 401
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
    assert "Traceback" not in output.read_text()


def wait_for_address(output: Path, server: subprocess.Popen) -> str:
    while server.poll() is None:
        if found := re.search(r"http\S+", output.read_text()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(output.read_text())


def test_the_command_writes_a_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run / "view"
    assert main(["view", str(run), "--static", str(shown), "--only", "final,training"]) == 0
    assert "5 responses" in capsys.readouterr().out
    assert {path.name for path in (shown / "data").iterdir()} == {"final", "training-9", "training-10"}
    assert main(["view", str(run), "--static", str(run)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["view", str(run), "--only", "fnal"]) == 2
    assert "'fnal' is not in" in capsys.readouterr().err
