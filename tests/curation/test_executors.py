"""Worker processes and a real Ray cluster: the same bytes as in one process, even when a worker is killed."""

import os
import signal
import threading
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from curation.config import CurationConfig
from curation.curate import curate
from curation.executors import ExecutionConfig, open_executor
from rewards.contracts.files import hash_file

FAMILIES = ("word_problem", "linear_equation", "fraction_sum", "expression")
PROTECTED = pl.DataFrame({"benchmark": ["b"], "question_id": ["1"], "problem": ["What is 3/4 + 1/2?"]})


def files_of(config: CurationConfig, folder: Path) -> dict[str, str]:
    curate(config, data_root=None, protected=PROTECTED, folder=folder)
    return {str(path.relative_to(folder)): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def config_with(**execution) -> CurationConfig:
    sources = [
        {"name": name, "generator": {"family": name, "n_problems": 150, "digits": 2}} for name in FAMILIES
    ]
    return CurationConfig.model_validate({"sources": sources, "execution": execution})


class Killer(threading.Thread):
    """Kills the first worker process that it sees working, once."""

    def __init__(self, is_worker) -> None:
        super().__init__(daemon=True)
        self.is_worker, self.killed, self.stop = is_worker, 0, threading.Event()

    def run(self) -> None:
        while not self.stop.is_set() and not self.killed:
            for process in psutil.Process().children(recursive=True):
                try:
                    if self.is_worker(process):
                        os.kill(process.pid, signal.SIGKILL)
                        self.killed = process.pid
                        break
                except psutil.Error:
                    continue
            time.sleep(0.005)


def is_pool_worker(process: psutil.Process) -> bool:
    return any("spawn_main" in part for part in process.cmdline()) and process.cpu_times().user > 0.3


def is_ray_task(process: psutil.Process) -> bool:
    return any(part.startswith(("ray::tidy_part", "ray::solve_partition")) for part in process.cmdline())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "is_worker"),
    [pytest.param("processes", is_pool_worker, id="processes"), pytest.param("ray", is_ray_task, id="ray")],
)
def test_two_workers_give_the_same_bytes_although_one_is_killed(executor, is_worker, tmp_path, monkeypatch):
    # Workers must not import what a user's working folder contains.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rewards.py").write_text("raise SystemExit('the user\\'s own file was imported')\n")
    alone = files_of(config_with(rows_per_part=100, rows_per_partition=100), tmp_path / "alone")
    assert len(alone) >= 5
    killer = Killer(is_worker)
    killer.start()
    execution = {"executor": executor, "n_workers": 2, "rows_per_part": 60, "rows_per_partition": 70}
    together = files_of(config_with(**execution), tmp_path / "together")
    killer.stop.set()
    killer.join()
    assert killer.killed and together == alone


def test_a_step_that_fails_fails_the_run():
    with open_executor(ExecutionConfig(executor="processes", n_workers=1)) as executor:
        with pytest.raises(ValueError, match="invalid literal"):
            list(executor.map(int, [("1",), ("x",)]))
        assert list(executor.map(int, [("1",), ("2",)])) == [1, 2]
