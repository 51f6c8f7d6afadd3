"""A job is done when its child says so; lost ones start again, those that would fail again do not."""

import json
import sys
from pathlib import Path

import pytest

from pipelines.jobs import job, supervise
from pipelines.jobs.job import DONE, FINAL, Job, allowed_ranks, run_job
from pipelines.jobs.process import ChildFailed, run_child
from pipelines.jobs.supervise import Restarts
from pipelines.jobs.worker import with_ranks, would_repeat
from tests.pipelines.conftest import ROOT

CHILD = """\
import json, os, signal, sys
from pathlib import Path

file, out = Path(sys.argv[1]), Path(sys.argv[2])
n = len(list(out.glob("start-*")))
(out / f"start-{n}").touch()
"""
SAVE = "(out / 'state' / f'step-{n:06d}').mkdir(parents=True)\n"
KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"
FINISH = f"file.with_suffix('{DONE}').touch()\n"
REFUSE = f"file.with_suffix('{FINAL}').write_text(json.dumps({{'reason': 'Stopped: x'}})); sys.exit(1)\n"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a job whose child is `code` after CHILD; returns how often it started."""
    monkeypatch.setattr(supervise, "FIRST_PAUSE_S", 0.01)
    out = tmp_path / "runs" / "train" / "abc"
    out.mkdir(parents=True)

    def run(code: str, stage: str = "train", restarts: int = 3) -> int:
        def child(command, **options):
            run_child([sys.executable, "-c", CHILD + code, command[-1], str(out)], **options)

        monkeypatch.setattr(job, "run_child", child)
        training = {"model": {"scratch": {}}, "restarts": restarts, "deepspeed": {"hostfile": None}}
        try:
            made = Job(stage, {"training": training, "deadline_hours": None}, str(out))
            run_job(made, tmp_path / "log", lambda line: None)
        finally:
            starts = len(list(out.glob("start-*")))
        assert not list(out.glob("job-*")), "nothing of the job is left"
        return starts

    run.out = out  # type: ignore[attr-defined]
    return run


def test_a_finished_child_is_started_once(start) -> None:
    assert start(FINISH) == 1


def test_a_child_that_ends_well_without_its_job_done_has_failed(start) -> None:
    with pytest.raises(ChildFailed, match="exited with status 0, but its job is not done"):
        start("sys.exit(0)", stage="base")
    assert len(list(start.out.glob("start-*"))) == 1


def test_a_killed_training_starts_again_and_finishes(start) -> None:
    assert start(f"if n < 2: {KILL}" + FINISH) == 3


def test_restarts_are_counted_from_the_newest_checkpoint(start) -> None:
    with pytest.raises(ChildFailed, match="SIGKILL"):
        start(KILL, restarts=2)
    assert len(list(start.out.glob("start-*"))) == 3


def test_each_further_checkpoint_gives_back_all_restarts(start) -> None:
    # Ten deaths, each after another checkpoint, with one restart.
    assert start(f"if n < 10: {SAVE.strip()}; {KILL}" + FINISH, restarts=1) == 11


def test_what_would_fail_again_is_not_started_again(start) -> None:
    with pytest.raises(ChildFailed, match="^Stopped: x"):
        start(REFUSE)
    assert len(list(start.out.glob("start-*"))) == 1


def test_other_stages_are_not_started_again(start) -> None:
    with pytest.raises(ChildFailed, match="SIGKILL"):
        start(KILL, stage="base")
    assert len(list(start.out.glob("start-*"))) == 1


def test_pauses_grow_to_a_limit(tmp_path: Path) -> None:
    restarts = Restarts(100, tmp_path)
    pauses = [restarts.pause_s() for _ in range(12)]
    assert pauses[:4] == [5, 10, 20, 40] and pauses[-1] == supervise.LONGEST_PAUSE_S
    (tmp_path / "step-000007.partial").mkdir()
    assert restarts.pause_s() == supervise.LONGEST_PAUSE_S, "half a checkpoint is none"
    (tmp_path / "step-000007").mkdir()
    assert restarts.pause_s() == 5


class Stopped(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "repeats"),
    [
        pytest.param(Stopped("a rail"), True, id="guardrail"),
        pytest.param(ValueError("a setting"), True, id="setting"),
        pytest.param(OSError(28, "No space left on device"), True, id="disk full"),
        pytest.param(FileNotFoundError(2, "gone"), True, id="missing file"),
        pytest.param(ModuleNotFoundError("vllm"), True, id="missing package"),
        pytest.param(RuntimeError("Connection closed by peer"), False, id="lost rank"),
        pytest.param(TimeoutError(), False, id="timeout"),
        pytest.param(ConnectionResetError(104, "reset"), False, id="network"),
        pytest.param(OSError(5, "Input/output error"), False, id="disk hiccup"),
        pytest.param(EOFError(), False, id="pipe"),
    ],
)
def test_only_lost_things_are_worth_another_start(error: Exception, repeats: bool) -> None:
    assert would_repeat(error) is repeats


@pytest.mark.parametrize(
    ("slots", "min_ranks", "expected"),
    [
        pytest.param(4, None, 4, id="all there"),
        pytest.param(8, None, 4, id="more than asked for"),
        pytest.param(3, None, 0, id="fewer, and not allowed"),
        pytest.param(3, 1, 2, id="prompts_per_step = 4 is not divisible by 3"),
        pytest.param(1, 2, 0, id="fewer than the fewest"),
        pytest.param(0, 1, 0, id="none"),
    ],
)
def test_the_configuration_says_how_few_ranks_go_on(
    slots: int, min_ranks: int | None, expected: int, config_file: Path
) -> None:
    from pipelines.config import load_config

    more = {"training.deepspeed.n_ranks": 4, "training.deepspeed.min_ranks": min_ranks}
    config = load_config(config_file, more | {"training.ppo.critic_minibatches": 1})
    assert allowed_ranks(json.loads(json.dumps(config.model_dump(mode="json"))), slots) == expected
    if expected:
        assert with_ranks(config, expected).training.deepspeed.n_ranks == expected


@pytest.mark.parametrize(
    ("stage", "slots", "n_ranks"),
    [
        pytest.param("train", 8, 4, id="several ranks"),
        pytest.param("train", 1, 1, id="a single rank on another machine"),
        pytest.param("preflight", 1, 1, id="preflight of a single rank"),
    ],
)
def test_slots_that_are_not_the_ranks_are_refused(
    stage: str, slots: int, n_ranks: int, tmp_path: Path, config_file: Path
) -> None:
    from pipelines.config import load_config

    hosts = tmp_path / "hosts"
    hosts.write_text(f"node-a slots={slots}\nnode-b slots={slots}\n")
    config = load_config(config_file, {"training.deepspeed.hostfile": str(hosts)}).model_dump(mode="json")
    out = tmp_path / "a" / "b" / "c"
    out.mkdir(parents=True)
    found = rf"\(node-a: {slots}, node-b: {slots}\) do not add up to .*n_ranks \({n_ranks}\)"
    with pytest.raises(ValueError, match=found):
        run_job(Job(stage, config, str(out)), tmp_path / "log", print, n_ranks)
    assert ROOT.exists()
