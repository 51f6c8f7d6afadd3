import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from rewards.contracts import files
from rewards.contracts.files import child_environment, write_parquet


def test_a_child_imports_our_packages_and_not_the_users(tmp_path: Path) -> None:
    for name in ("rewards.py", "evals.py"):
        (tmp_path / name).write_text("raise SystemExit('the user\\'s own file was imported')\n")
    code = "import evals.config, rewards.grader; print(rewards.grader.grade('\\\\boxed{4}', '4'))"
    for path in (None, str(tmp_path)):
        environment = child_environment() | ({"PYTHONPATH": f"{files.ROOT}:{path}"} if path else {})
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_an_installed_package_puts_nothing_before_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", "theirs")
    assert child_environment()["PYTHONPATH"] == "theirs"
    (tmp_path / "pyproject.toml").touch()
    assert child_environment()["PYTHONPATH"] == f"{tmp_path}:theirs"


def test_a_full_disk_is_known_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: pl.DataFrame, *_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device (os error 28)")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_parquet(tmp_path / "rows.parquet", pl.DataFrame({"a": [1]}))
    assert list(tmp_path.iterdir()) == []
