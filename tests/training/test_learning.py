"""The whole loop learns: reward and length rise together on the tiny task, and every record is written."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from rewards.contracts.records import EVALUATION, METRIC, TIMING
from training.recorder import read_records

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runs(sums, tmp_path_factory) -> Path:
    """The folders that learn_once.py leaves."""
    folder = tmp_path_factory.mktemp("learn")
    sums.write_parquet(folder / "rows.parquet")
    command = [sys.executable, "-m", "tests.training.children.learn_once"]
    command += [str(folder / "rows.parquet"), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def metrics_of(folder: Path) -> pl.DataFrame:
    return METRIC.check(read_records(folder / "metrics.jsonl", METRIC))


@pytest.mark.slow
def test_value_based_fields_work_together_in_the_loop(runs):
    metrics = metrics_of(runs / "value-based")
    assert metrics["policy_loss"].is_null().to_list() == [True, True, False, False, False]
    assert metrics["value_loss"].null_count() == metrics["explained_variance"].null_count() == 0
    assert 0 < metrics["discarded"].max() < 1
    # What is left has right and wrong responses, so that it is nearer to one half.
    assert ((metrics["accuracy"] - 0.5).abs() <= (metrics["accuracy_sampled"] - 0.5).abs() + 0.1).all()
    assert metrics["actor_lr"].drop_nulls().to_list() == pytest.approx([0.8e-4, 1.6e-4, 2.4e-4])
    assert metrics["advantage_reach"].is_between(-1, 1).all()
    assert metrics["first_advantage"].null_count() == 0


@pytest.mark.slow
def test_reward_and_length_rise_together(runs):
    out = runs / "plain"
    metrics = metrics_of(out)
    assert metrics["step"].to_list() == list(range(1, 21))
    first, last = metrics.head(3).mean(), metrics.tail(3).mean()
    assert last["reward"][0] > first["reward"][0] + 0.25
    assert last["response_tokens"][0] > first["response_tokens"][0]
    assert last["entropy"][0] < first["entropy"][0]
    # Engine and trainer had the same policy at every step, and the probe saw it.
    assert metrics["mismatch_max"].max() < 1e-5 and metrics["mismatch_max"].null_count() == 0
    assert metrics["ratio"].to_list() == [1.0] * 20
    # Answers that work out the sum contain a plus sign, which here counts as reflection.
    assert last["reflection_rate"][0] > first["reflection_rate"][0]

    timings = TIMING.check(read_records(out / "timings.jsonl", TIMING))
    phases = ("rollout_s", "reward_s", "forward_s", "critic_s", "policy_s", "sync_s")
    assert (timings.select(pl.sum_horizontal(phases)).to_series() <= timings["step_s"]).all()
    evaluations = read_records(out / "evaluations.jsonl", EVALUATION)
    found = evaluations.select("step", "name", "n").rows()
    assert found == [(10, "first/finished", 8), (20, "first/finished", 8)]
    assert (out / "exports" / "step-000020" / "actor" / "model.safetensors").exists()
