"""One step off-policy: what is sampled when, that it resumes exactly, and that it needs all its settings."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import polars as pl
import pytest
import torch
from pydantic import ValidationError

from rewards.contracts.engine import Completion
from rewards.contracts.records import METRIC
from tests.training.conftest import tiny_config
from training.data import Prompt
from training.ranks import Ranks
from training.recorder import read_records
from training.rollout.batches import Rollouts

ROOT = Path(__file__).resolve().parents[2]
OFF_POLICY = {"prompts_per_step": 2, "samples_per_prompt": 2, "max_new_tokens": 8, "max_prompt_tokens": 8}
OFF_POLICY |= {"lag": 1, "max_mismatch": 1.0}
PROMPTS = [Prompt(f"p{i}", f"{i}", [i], f"{i}") for i in range(4)]


@dataclass
class Engine:
    """An engine that responds with its version of the weights."""

    version: int = 0
    is_asleep: bool = False
    may_go_on: Event | None = None

    def generate(self, prompts, seeds, sampling, *, n_logprobs, on_completion, expected_tokens):
        self.expected = expected_tokens
        version = self.version
        if self.may_go_on is not None:
            assert self.may_go_on.wait(10)
        found = []
        for index, prompt in enumerate(prompts):
            answer = rf"</think><answer>\boxed{{{prompt[0]}}}</answer>"
            found.append(Completion([version] * (1 + prompt[0]), answer, "stop", [0.0] * n_logprobs))
            on_completion(index, found[-1])
        return found

    def load_weights(self, weights):
        self.version += 1

    def sleep(self):
        self.is_asleep = True

    def wake(self):
        self.is_asleep = False


def rollouts(**changes) -> Rollouts:
    config = tiny_config(
        rollout=OFF_POLICY | changes, ppo={"max_importance_weight": 2.0, "critic_minibatches": 2}
    )
    return Rollouts(config, Engine(), Ranks(0, 1, torch.device("cpu")))


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.setattr("training.rollout.batches.checkpoint_weights", lambda actor, prefix: [])


@pytest.mark.parametrize("lag, expected", [(0, [1, 2, 3, 4]), (1, [1, 1, 2, 3])])
def test_each_step_is_sampled_with_the_weights_it_must_be(lag, expected):
    made = rollouts(lag=lag)
    made.sync(None)
    versions = []
    for step in range(1, 5):
        versions.append(made.take(step, PROMPTS).completions[0].tokens[0])
        assert made.engine.is_asleep is (lag == 0)
        made.sync(None)
    assert versions == expected
    made.close()


def test_new_weights_wait_for_what_the_old_ones_are_sampling():
    made = rollouts()
    made.take(1, PROMPTS)
    made.ahead.result()
    made.engine.may_go_on = Event()
    made.take(2, PROMPTS)
    assert not made.ahead.done()
    made.engine.may_go_on.set()
    made.sync(None)
    assert made.ahead.done() and made.engine.version == 1
    made.close()


def test_every_response_is_scored_and_its_length_remembered():
    made = rollouts(lag=0)
    batch = made.take(1, PROMPTS)
    assert [verdict.reward for verdict in batch.verdicts] == [1.0] * 4
    assert [len(c.tokens) for c in batch.completions] == [1 + prompt.tokens[0] for prompt in batch.asked]
    assert set(made.engine.expected) == {8}  # Nothing is known about them yet.
    made.take(3, PROMPTS)  # An epoch later.
    known = {prompt.problem_id: 1.0 + prompt.tokens[0] for prompt in batch.asked}
    assert made.known_lengths.items() >= known.items()
    made.close()


def test_what_was_sampled_ahead_comes_back_from_a_checkpoint(tmp_path):
    made = rollouts()
    made.sync(None)
    made.take(1, PROMPTS)
    ahead = made.ahead.result()
    made.save(tmp_path, 1)
    resumed = rollouts()
    resumed.engine.version = 7
    resumed.restore(tmp_path, 1)
    batch = resumed.take(2, PROMPTS)
    assert batch.completions == ahead.completions and batch.seeds == ahead.seeds
    assert [v.reward for v in batch.verdicts] == [v.reward for v in ahead.verdicts]
    assert resumed.ahead.result().completions[0].tokens[0] == 7
    for one in (made, resumed):
        one.close()


@pytest.mark.parametrize(
    "section, changes, message",
    [
        pytest.param(
            "ppo", {"max_importance_weight": None}, "set ppo.max_importance_weight", id="no correction"
        ),
        pytest.param("rollout", {"max_mismatch": 0.0}, "rollout.max_mismatch", id="no limit"),
        pytest.param("anneal", {"n_steps": 2}, "cannot be combined with", id="annealing"),
    ],
)
def test_lag_is_not_turned_on_by_half(section, changes, message):
    sections = {"rollout": OFF_POLICY, "ppo": {"max_importance_weight": 2.0}, "anneal": {}}
    sections[section] = sections[section] | changes
    sections["ppo"] = sections["ppo"] | {"critic_minibatches": 2}
    with pytest.raises(ValidationError, match=message):
        tiny_config(**sections)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_undisturbed_one(tiny_base, sums, tmp_path):
    sums.write_parquet(tmp_path / "rows.parquet")
    script = [
        "-m",
        "tests.training.children.lag_once",
        str(tiny_base),
        str(tmp_path / "rows.parquet"),
        str(tmp_path),
    ]
    done = subprocess.run([sys.executable, *script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    whole, resumed, on_policy = (tmp_path / name for name in ("whole", "resumed", "on-policy"))
    assert (whole / "metrics.jsonl").read_bytes() == (resumed / "metrics.jsonl").read_bytes()
    final = "exports/step-000006/actor/model.safetensors"
    assert (whole / final).read_bytes() == (resumed / final).read_bytes()
    gaps = read_records(whole / "metrics.jsonl", METRIC)["mismatch_mean"]
    # Steps 1 and 2 are sampled before the first update; the later ones by the policy one update behind.
    assert gaps[0] < 1e-5 and gaps[2:].min() > 1e-4
    assert read_records(on_policy / "metrics.jsonl", METRIC)["mismatch_mean"].max() < 1e-5
    rows = pl.read_parquet(whole / "rollouts" / "*.parquet")
    assert rows.height == 6 * 16


def test_what_two_ranks_sampled_ahead_is_shared_out_over_one_and_over_two_again(tmp_path):
    """A checkpoint of two ranks continues on one, and one of one rank on two."""
    from rewards.contracts.engine import Completion
    from rewards.contracts.files import write_json

    config = tiny_config(
        rollout={
            "engine": "torch",
            "lag": 1,
            "prompts_per_step": 4,
            "samples_per_prompt": 2,
            "max_prompt_tokens": 16,
            "max_new_tokens": 32,
            "max_mismatch": 0.5,
        },
        ppo={"max_importance_weight": 2.0, "critic_minibatches": 1},
    )

    def write(world):
        for rank in range(world):
            rows = [
                {"tokens": [place, i], "text": "", "finish_reason": "stop", "logprobs": None}
                for place in range(4)[rank::world]
                for i in range(2)
            ]
            file = tmp_path / f"ahead-000002-rank-{rank:03d}.json"
            write_json(file, {"n_ranks": world, "completions": rows})

    def read(rank, world):
        ranks = Ranks(rank, world, torch.device("cpu"))
        rollouts = Rollouts(config, Engine(), ranks)
        rollouts.restore(tmp_path, 2)
        rollouts.close()
        assert all(isinstance(one, Completion) for one in rollouts.stored)
        return [tuple(one.tokens) for one in rollouts.stored]

    write(2)
    assert read(0, 1) == [(place, i) for place in range(4) for i in range(2)]
    assert read(1, 2) == [(place, i) for place in (1, 3) for i in range(2)]
    write(1)
    assert read(0, 2) == [(place, i) for place in (0, 2) for i in range(2)]
    Rollouts(config, Engine(), Ranks(0, 1, torch.device("cpu"))).restore(
        tmp_path, 4
    )  # nothing stored: no error
