"""Early critic values: the same parts whatever ends first, the same values, the same run."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from rewards.contracts.records import METRIC
from tests.training.conftest import tiny_config
from training.recorder import read_records
from training.rollout.early_values import EarlyValues

ROOT = Path(__file__).resolve().parents[3]
N_SAMPLES = 5


def value(prompt: list[int], responses: list[list[int]]) -> list[list[float]]:
    """A value that depends on the other responses of the part, like rounding."""
    return [[float(prompt[0] * 1000 + 10 * len(responses) + t) for t in tokens] for tokens in responses]


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_parts_and_values_do_not_depend_on_what_ends_first(size):
    prompts = [[1 + index // N_SAMPLES] for index in range(3 * N_SAMPLES)]
    tokens = [[index] * (1 + index % 4) for index in range(len(prompts))]
    found, calls = [], []
    for seed in range(4):
        asked: list[tuple] = []

        def recorded(prompt, responses, asked=asked):
            asked.append((prompt, responses))
            return value(prompt, responses)

        early = EarlyValues(N_SAMPLES, size, recorded)
        for _step in range(2):  # What a step leaves behind must not reach the next one.
            for index in random.Random(seed).sample(range(len(prompts)), len(prompts)):
                early.add(index, prompts[index], tokens[index])
            found.append(early.take(range(len(prompts))))
        early.close()
        calls.append(sorted(asked))
    assert all(one == found[0] for one in found) and all(one == calls[0] for one in calls)
    for index, own in enumerate(found[0]):
        in_prompt = index % N_SAMPLES
        company = min(size, N_SAMPLES - in_prompt // size * size)
        assert own == [prompts[index][0] * 1000 + 10 * company + index] * len(tokens[index])


def test_a_part_is_valued_before_the_others_have_ended():
    early = EarlyValues(4, 2, value)
    for index in (5, 0, 4):
        early.add(index, [index], [7])
    assert list(early.made) == [range(4, 6)] and early.made[range(4, 6)].result(10) == [[4027.0]] * 2
    early.close()


def test_an_error_of_the_critic_reaches_the_loop():
    def fail(prompt, responses):
        raise RuntimeError("out of memory")

    early = EarlyValues(1, 1, fail)
    early.add(0, [1], [2])
    with pytest.raises(RuntimeError, match="out of memory"):
        early.take([0])
    early.close()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"deepspeed": {"zero_stage": 3, "precision": "fp32"}}, id="sharded"),
        pytest.param({"ppo": {"early_values": 2, "advantages": "rloo"}}, id="no critic"),
        pytest.param(
            {
                "rollout": {"lag": 1, "max_mismatch": 1.0, "prompts_per_step": 4, "samples_per_prompt": 4},
                "ppo": {"early_values": 2, "max_importance_weight": 2.0, "critic_minibatches": 2},
            },
            id="critic in use",
        ),
    ],
)
def test_it_is_refused_where_another_needs_the_critic(changes):
    with pytest.raises(ValidationError, match=r"ppo\.early_values reads the critic while the engine samples"):
        tiny_config(**{"ppo": {"early_values": 2, "critic_minibatches": 2}} | changes)


@pytest.mark.slow
def test_a_run_repeats_resumes_and_learns_what_it_learns_without(tiny_base, sums, tmp_path):
    sums.write_parquet(tmp_path / "rows.parquet")
    script = [
        "-m",
        "tests.training.rollout.early_once",
        str(tiny_base),
        str(tmp_path / "rows.parquet"),
        str(tmp_path),
    ]
    done = subprocess.run([sys.executable, *script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    whole, resumed, after = (tmp_path / name for name in ("whole", "resumed", "after"))
    assert (whole / "metrics.jsonl").read_bytes() == (resumed / "metrics.jsonl").read_bytes()
    for name in ("actor/model.safetensors", "critic/model.safetensors"):
        final = Path("exports/step-000004") / name
        assert (whole / final).read_bytes() == (resumed / final).read_bytes()
    early, late = (read_records(path / "metrics.jsonl", METRIC) for path in (whole, after))
    # The critic's head starts at zero, so values are nonzero from the second step on.
    for name in ("value_loss", "explained_variance", "entropy", "actor_grad_norm", "critic_grad_norm"):
        assert early[name].to_list() == pytest.approx(late[name].to_list(), rel=2e-4), name
