import json
import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from evals.benchmarks import Benchmark, from_frame
from evals.config import BenchmarkConfig, EvalsConfig
from evals.plan import make_plan
from evals.sampling import Generated, derive_seed
from evals.sampling import sample as sample_plan


def sample(engine, benchmark: Benchmark, *, n_samples: int, config: EvalsConfig, **rest) -> Generated:
    entry = BenchmarkConfig(name=benchmark.name, kind="frame", n_samples=n_samples)
    return sample_plan(engine, make_plan(benchmark, entry, config), config=config, **rest)


def test_every_question_gets_its_samples_in_plan_order(sums, config, toy_engine, tmp_path):
    told: list[int] = []
    tokens: list[int] = []
    generated = sample(
        toy_engine(),
        sums,
        n_samples=3,
        config=config,
        folder=tmp_path,
        on_progress=told.append,
        on_tokens=tokens.append,
    )
    expected = [(question, index) for question in sums.questions["question_id"] for index in range(3)]
    assert list(generated.responses.select("question_id", "sample").iter_rows()) == expected
    assert generated.responses["key"].n_unique() == generated.responses["seed"].n_unique() == 30
    assert sum(told) == 30
    assert sum(tokens) == generated.responses["n_response_tokens"].sum()
    assert generated.rejects.height == 0


@pytest.mark.parametrize("dies_after", [1, 4, 6, 27])
def test_killed_run_ends_with_the_bytes_of_an_uninterrupted_one(
    sums, config, toy_engine, tmp_path, dies_after
):
    whole = sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        sample(
            toy_engine(dies_after=dies_after), sums, n_samples=3, config=config, folder=tmp_path / "killed"
        )
    engine, told = toy_engine(), []
    resumed = sample(
        engine, sums, n_samples=3, config=config, folder=tmp_path / "killed", on_progress=told.append
    )
    assert resumed.shard.read_bytes() == whole.shard.read_bytes()
    assert resumed.responses.equals(whole.responses)
    assert resumed.n_resumed == dies_after // config.chunk * config.chunk
    assert engine.n_generated == 30 - resumed.n_resumed
    assert sum(told) == 30


KILLED_RUN = """
import sys, time
from pathlib import Path
import polars as pl
sys.path.insert(0, sys.argv[1])
from conftest import ToyEngine, from_frame, BenchmarkConfig, EvalsConfig, PromptConfig
from evals.plan import make_plan
from evals.sampling import sample

class SlowEngine(ToyEngine):
    def generate(self, *arguments, **keywords):
        time.sleep(0.1)
        return super().generate(*arguments, **keywords)

config = EvalsConfig.model_validate_json(sys.argv[2])
frame = pl.read_parquet(sys.argv[3])
plan = make_plan(from_frame("sums", frame), config.benchmarks[0], config)
sample(SlowEngine(), plan, config=config, folder=Path(sys.argv[4]))
"""


def test_sigkill_loses_at_most_one_chunk(sums, config, toy_engine, tmp_path):
    whole = sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path / "whole")
    sums.questions.write_parquet(tmp_path / "sums.parquet")
    folder, here = tmp_path / "killed", Path(__file__).parent
    arguments = [str(here), config.model_dump_json(), str(tmp_path / "sums.parquet"), str(folder)]
    for n_lines in (4, 12):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED_RUN, *arguments],
            env=os.environ | {"PYTHONPATH": str(here.parents[1])},
        )
        shard = folder / whole.shard.name
        deadline = time.monotonic() + 60
        while not (shard.exists() and shard.read_bytes().count(b"\n") >= n_lines):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -9
    resumed = sample(toy_engine(), sums, n_samples=3, config=config, folder=folder)
    assert 12 <= resumed.n_resumed < 30
    assert resumed.shard.read_bytes() == whole.shard.read_bytes()


@pytest.mark.parametrize("n_bytes_kept", [1, 700, 2_000, 5_000])
def test_torn_shard_is_cut_to_whole_chunks_and_completed(sums, config, toy_engine, tmp_path, n_bytes_kept):
    first = sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path)
    whole = first.shard.read_bytes()
    first.shard.write_bytes(whole[:n_bytes_kept])
    engine = toy_engine()
    assert sample(engine, sums, n_samples=3, config=config, folder=tmp_path).shard.read_bytes() == whole
    assert engine.batches[0] in (config.chunk, 30 % config.chunk)


def test_finished_run_samples_nothing(sums, config, toy_engine, tmp_path):
    sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path)
    engine = toy_engine()
    assert sample(engine, sums, n_samples=3, config=config, folder=tmp_path).n_resumed == 30
    assert engine.n_generated == 0


def test_more_samples_take_over_the_stored_ones(sums, config, toy_engine, tmp_path):
    sample(toy_engine(), sums, n_samples=2, config=config, folder=tmp_path)
    engine = toy_engine()
    generated = sample(engine, sums, n_samples=3, config=config, folder=tmp_path)
    assert (engine.n_generated, generated.n_resumed) == (10, 20)
    fresh = sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path / "fresh")
    assert generated.shard.read_bytes() == fresh.shard.read_bytes()


@pytest.mark.parametrize("what", ["weights", "temperature", "seed"])
def test_key_covers(what, sums, config, toy_engine, tmp_path):
    before = sample(toy_engine(), sums, n_samples=1, config=config, folder=tmp_path)
    changed = EvalsConfig(
        **{**config.model_dump(), "temperature": 0.5 if what == "temperature" else 1.0}
        | ({"seed": 7} if what == "seed" else {})
    )
    engine = toy_engine(skill=0.9 if what == "weights" else 0.6)
    after = sample(engine, sums, n_samples=1, config=changed, folder=tmp_path)
    assert engine.n_generated == 10
    assert not set(before.responses["key"]) & set(after.responses["key"])


def test_a_corrected_reference_answer_samples_nothing_again(sums, config, toy_engine, tmp_path):
    sample(toy_engine(), sums, n_samples=1, config=config, folder=tmp_path)
    corrected = from_frame("sums", sums.questions.with_columns(pl.col("answer") + "0"))
    engine = toy_engine()
    sample(engine, corrected, n_samples=1, config=config, folder=tmp_path)
    assert engine.n_generated == 0


def test_engines_share_a_plan_and_a_kill_with_another_number_of_them_costs_nothing(
    sums, config, toy_engine, tmp_path
):
    whole = sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path / "one")
    parts = [
        sample(toy_engine(), sums, n_samples=3, config=config, folder=tmp_path / "two", part=(i, 2))
        for i in range(2)
    ]
    assert [part.responses.height for part in parts] == [15, 15]
    together = pl.concat([part.responses for part in parts])
    order = ["question_id", "sample"]
    assert together.sort(order).equals(whole.responses.sort(order))
    engine = toy_engine()
    sample(engine, sums, n_samples=3, config=config, folder=tmp_path / "two")
    assert engine.n_generated == 0


def test_prompt_without_room_is_set_aside_and_counted(config, toy_engine, tmp_path):
    frame = pl.DataFrame({"problem": ["1+2", "1+" + "0" * 300 + "2"], "answer": ["3", "3"]})
    generated = sample(toy_engine(), from_frame("long", frame), n_samples=2, config=config, folder=tmp_path)
    assert generated.responses["question_id"].to_list() == ["1", "1"]
    assert generated.rejects["reason"].to_list() == ["prompt_too_long"]
    assert generated.rejects["source_id"].to_list() == ["2"]
    assert "310 tokens" in generated.rejects["detail"][0] or "309 tokens" in generated.rejects["detail"][0]


def test_changed_line_is_refused(sums, config, toy_engine, tmp_path):
    shard = sample(toy_engine(), sums, n_samples=1, config=config, folder=tmp_path).shard
    lines = shard.read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "key": "0"})
    shard.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="row 3: not the completion that belongs there"):
        sample(toy_engine(), sums, n_samples=1, config=config, folder=tmp_path)


def test_seeds_do_not_collide():
    seeds = {derive_seed(42, name, str(q), s) for name in ("a", "b") for q in range(500) for s in range(16)}
    assert len(seeds) == 16_000
    assert max(seeds) < 2**63
