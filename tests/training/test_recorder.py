"""The records of a run: append, kill, resume; and the content of TensorBoard and the rollout files."""

import json
import sys
import types

import polars as pl
import pytest

from rewards.contracts.records import EVALUATION, METRIC, ROLLOUT, TIMING
from training.recorder import JsonLines, Recorder, read_lines, read_records


def metric(step: int, **changes) -> dict:
    return {name: float(step) for name in METRIC.names} | {"step": step} | changes


def timing(step: int) -> dict:
    return dict.fromkeys(TIMING.names, 0.5) | {"step": step, "memory_bytes": 1}


def rollout(step: int, sample: int) -> dict:
    texts = ("problem_id", "prompt", "response", "finish_reason", "gold", "reason")
    numbers = {"step": step, "sample": sample, "seed": 7, "n_prompt_tokens": 3, "n_response_tokens": 4}
    return dict.fromkeys(texts, "x") | numbers | {"extracted": None, "reward": 1.0}


def record(folder, steps, *, resume_step=0, rank=0, tensorboard=None):
    recorder = Recorder(folder, tensorboard, resume_step, rank)
    for step in steps:
        recorder.rollouts(step, [rollout(step, 0), rollout(step, 1)])
        recorder.step(metric(step), timing(step))
    recorder.close()


def test_a_resumed_run_leaves_the_same_files_as_an_undisturbed_one(tmp_path):
    record(tmp_path / "whole", range(1, 7))
    record(tmp_path / "killed", range(1, 6))
    record(tmp_path / "killed", range(3, 7), resume_step=2)
    for name in ("metrics.jsonl", "timings.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert [line["step"] for line in read_lines(tmp_path / "killed" / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_resuming_drops_what_came_after_the_checkpoint(tmp_path):
    record(tmp_path, range(1, 6))
    Recorder(tmp_path, None, 2, 0)
    assert [line["step"] for line in read_lines(tmp_path / "metrics.jsonl")] == [1, 2]
    assert [line["step"] for line in read_lines(tmp_path / "timings.jsonl")] == [1, 2]


def test_a_fresh_run_forgets_an_older_one_in_the_same_folder(tmp_path):
    record(tmp_path, range(1, 4))
    Recorder(tmp_path, None, 0, 0)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


@pytest.mark.parametrize("n_bytes", [1, 20, -1], ids=["a byte", "a part", "all but the newline"])
def test_a_torn_last_line_is_ignored_and_rewritten(tmp_path, n_bytes):
    record(tmp_path, range(1, 4))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    third = whole.splitlines(keepends=True)[2]
    path.write_bytes(whole[: -len(third)] + third[:n_bytes])
    assert [line["step"] for line in read_lines(path)] == [1, 2]
    record(tmp_path, [3], resume_step=2)
    assert path.read_bytes() == whole


def test_no_file_has_no_lines(tmp_path):
    assert read_lines(tmp_path / "none.jsonl") == []


def test_a_missing_column_is_refused_by_name_and_nothing_is_written(tmp_path):
    lines = JsonLines(tmp_path / "metrics.jsonl", METRIC, 0)
    incomplete = {name: value for name, value in metric(1).items() if name not in ("reward", "entropy")}
    with pytest.raises(ValueError, match=r"metrics\.jsonl: record lacks \['reward', 'entropy'\]"):
        lines.append(incomplete)
    assert lines.path.read_text() == ""


def test_columns_are_written_in_the_order_of_the_schema_and_others_left_out(tmp_path):
    lines = JsonLines(tmp_path / "metrics.jsonl", METRIC, 0)
    lines.append(dict(reversed(metric(1).items())) | {"extra": 1})
    assert list(json.loads(lines.path.read_text())) == METRIC.names


def test_records_read_back_as_a_frame_with_nulls(tmp_path):
    recorder = Recorder(tmp_path, None, 0, 0)
    recorder.step(metric(1, response_tokens_correct=None), timing(1))
    recorder.step(metric(2), timing(2))
    frame = read_records(tmp_path / "metrics.jsonl", METRIC)
    assert METRIC.check(frame).equals(frame)
    assert frame["response_tokens_correct"].to_list() == [None, 2.0]


def test_records_from_before_a_metric_was_there_have_a_null_for_it(tmp_path):
    older = {name: value for name, value in metric(1).items() if name != "first_advantage"}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(older) + "\n")
    assert read_records(tmp_path / "metrics.jsonl", METRIC)["first_advantage"].to_list() == [None]
    record(tmp_path, [2], resume_step=1)  # Such a run goes on, too.
    assert read_records(tmp_path / "metrics.jsonl", METRIC)["first_advantage"].to_list() == [None, 2.0]


def test_rollout_files_have_the_schema_and_name_step_and_rank(tmp_path):
    record(tmp_path, [1, 12], rank=0)
    record(tmp_path, [1, 12], rank=1)
    names = sorted(path.name for path in (tmp_path / "rollouts").iterdir())
    assert names == [f"step-{step:06d}-rank-{rank:03d}.parquet" for step in (1, 12) for rank in (0, 1)]
    frame = pl.read_parquet(tmp_path / "rollouts" / names[2])
    assert frame.schema == ROLLOUT.polars
    assert frame.select("step", "sample").rows() == [(12, 0), (12, 1)]


def test_only_the_first_rank_writes_metrics(tmp_path):
    record(tmp_path, [1, 2], rank=1, tensorboard=tmp_path / "board")
    assert [path.name for path in tmp_path.iterdir()] == ["rollouts"]


def test_tensorboard_shows_each_step_once_after_a_resume(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = tmp_path / "board"
    record(tmp_path, range(1, 5), tensorboard=board)
    record(tmp_path, range(3, 7), resume_step=2, tensorboard=board)
    events = EventAccumulator(str(board))
    events.Reload()
    shown = events.Scalars("train/reward")
    assert [event.step for event in shown] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in shown] == [1, 2, 3, 4, 5, 6]
    assert {tag for tag in events.Tags()["scalars"] if tag.startswith("timing/")} == {
        f"timing/{name}" for name in TIMING.names if name != "step"
    }


def test_evaluations_are_kept_by_step_and_name_and_shown(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = tmp_path / "board"
    recorder = Recorder(tmp_path, board, 0, 0)
    for step in (2, 4):
        recorder.evaluation(step, {"sums/accuracy": (step / 10, 40), "sums/truncated": (0.0, 40)})
    recorder.close()
    frame = read_records(tmp_path / "evaluations.jsonl", EVALUATION)
    assert frame.rows() == [
        (2, "sums/accuracy", 0.2, 40),
        (2, "sums/truncated", 0.0, 40),
        (4, "sums/accuracy", 0.4, 40),
        (4, "sums/truncated", 0.0, 40),
    ]
    events = EventAccumulator(str(board))
    events.Reload()
    assert [e.step for e in events.Scalars("eval/sums/accuracy")] == [2, 4]
    Recorder(tmp_path, None, 3, 0)
    assert read_records(tmp_path / "evaluations.jsonl", EVALUATION)["step"].to_list() == [2, 2]


def test_length_histograms_reach_tensorboard_with_their_counts(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recorder = Recorder(tmp_path, tmp_path / "board", 0, 0)
    recorder.step(metric(1), timing(1), {"response_tokens": [0, 3, 1, 0]}, top=40)
    recorder.close()
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    (event,) = events.Histograms("lengths/response_tokens")
    assert event.histogram_value.num == 4
    # Bins of width 10: three at 15 and one at 25.
    assert event.histogram_value.sum == 70
    assert list(event.histogram_value.bucket) == [0, 3, 1, 0]


def test_the_history_is_what_a_resume_keeps_and_grows(tmp_path):
    record(tmp_path, range(1, 6))
    recorder = Recorder(tmp_path, None, 3, 0)
    assert [line["step"] for line in recorder.history] == [1, 2, 3]
    recorder.step(metric(4), timing(4))
    assert [line["step"] for line in recorder.history] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_gets_the_same_numbers(tmp_path, monkeypatch, name):
    """Both packages offer init, log and finish; this stands for either."""
    calls = []
    tracker = types.ModuleType(name)
    tracker.init = lambda project, name: calls.append(("init", name))
    tracker.log = lambda shown, step: calls.append((step, shown["train/reward"], shown["timing/step_s"]))
    tracker.finish = lambda: calls.append("finish")
    monkeypatch.setitem(sys.modules, name, tracker)
    recorder = Recorder(tmp_path / "run", None, 0, 0, name)
    recorder.step(metric(1, reward=0.25), timing(1))
    recorder.close()
    assert calls == [("init", "run"), (1, 0.25, 0.5), "finish"]


def test_a_missing_tracker_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(ValueError, match="trackio is not installed; pip install trackio"):
        Recorder(tmp_path, None, 0, 0, "trackio")
