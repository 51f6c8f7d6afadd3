"""Eight pretended GPUs and real processes that lease them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.orchestration.devices import holders, lease, n_devices
from tests.pipelines.conftest import ROOT

EIGHT = [str(index) for index in range(8)]
HOLD = """
import os, sys, time
from pathlib import Path
from pipelines.orchestration.devices import lease
with lease(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]) as taken:
    print(",".join(taken), os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(taken), flush=True)
    sys.stdin.read()
"""


def hold(n: int, folder: Path, name: str) -> subprocess.Popen:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(EIGHT), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(n), str(folder), name]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder.parent
    )


def devices_of(process: subprocess.Popen) -> set[str]:
    assert process.stdout is not None
    taken, is_visible = process.stdout.readline().split()
    assert is_visible == "True"
    return set(taken.split(","))


def test_processes_get_different_devices_and_a_crash_frees_them(tmp_path: Path) -> None:
    folder = tmp_path / "gpus"
    training, evaluation = hold(5, folder, "training"), hold(2, folder, "evaluation")
    try:
        first, second = devices_of(training), devices_of(evaluation)
        assert len(first) == 5 and len(second) == 2 and not first & second
        held = holders(folder)
        assert {device for device, name in held.items() if name == "training"} == first
        assert len(held) == 7
        waiting = hold(4, folder, "waits")  # One is free: it waits and holds none meanwhile.
        time.sleep(0.2)
        assert set(holders(folder).values()) == {"training", "evaluation"}
        training.send_signal(signal.SIGKILL)
        training.wait()
        third = devices_of(waiting)
        assert len(third) == 4 and not third & second
        waiting.communicate("")
    finally:
        for process in (training, evaluation):
            process.kill()
            process.wait()


def test_more_than_there_are_is_refused_and_a_cpu_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(ValueError, match="needs 9 GPUs, and the worker has 8"),
        lease(9, tmp_path, "x", EIGHT),
    ):
        pass
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with lease(4, tmp_path, "x", []) as taken:
        assert taken == [] and "CUDA_VISIBLE_DEVICES" not in os.environ
    with lease(3, tmp_path, "x", EIGHT) as taken:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(taken)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ and holders(tmp_path) == {}


@pytest.mark.parametrize(
    ("stage", "overrides", "n"),
    [
        pytest.param("train", {"training.deepspeed.n_ranks": 8}, 8, id="a GPU for each rank"),
        pytest.param("sample", {"evals.n_engines": 4}, 4, id="one for each engine"),
        pytest.param("base", {}, 1, id="base"),
        pytest.param("curate", {"training.deepspeed.n_ranks": 8}, 0, id="curation needs none"),
        pytest.param("evaluate", {"evals.n_engines": 4}, 0, id="scoring needs none"),
    ],
)
def test_a_stage_takes_what_it_uses(stage: str, overrides: dict, n: int) -> None:
    assert n_devices(load_config(ROOT / "configs" / "demo.toml", overrides), stage) == n


def test_a_finished_stage_waits_for_nothing(licensed_run) -> None:
    """The devices are asked for only while something is built."""
    from dataclasses import replace

    from pipelines.stages.chain import Chain

    def refuse(config, stage):
        raise AssertionError(f"{stage} is finished and asked for devices")

    assert Chain(replace(licensed_run, occupy=refuse)).prompts.folder.is_dir()
