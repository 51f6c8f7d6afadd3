"""Dynamic sampling: which groups are replaced, by what, and what the metrics say about it."""

import pytest
import torch
from pydantic import ValidationError

from rewards.contracts.engine import Completion
from tests.training.conftest import tiny_config
from training.data import Prompt
from training.ranks import Ranks
from training.rollout.batches import Rollouts

ALONE = Ranks(0, 1, torch.device("cpu"))
PROMPTS = [Prompt(f"p{i}", f"{i}", [i], "1") for i in range(8)]
"""The first half is always right, the rest by chance of the seed; the last is never right."""


class Engine:
    """Answers prompt i: right where i < 4, wrong for 7, else as the seed says."""

    n_asked = 0

    def generate(self, prompts, seeds, sampling, *, n_logprobs, on_completion, expected_tokens):
        self.n_asked += len(prompts)
        found = []
        for index, ((number,), seed) in enumerate(zip(prompts, seeds, strict=True)):
            is_right = number < 4 or (number < 7 and seed % 2 == 0)
            answer = rf"</think><answer>\boxed{{{int(is_right)}}}</answer>"
            found.append(Completion([number], answer, "stop", None))
            on_completion(index, found[-1])
        return found

    def sleep(self):
        pass


def sample(rounds, step=1):
    config = tiny_config(
        rollout={
            "prompts_per_step": 4,
            "samples_per_prompt": 4,
            "max_prompt_tokens": 8,
            "max_new_tokens": 8,
            "resample_rounds": rounds,
        }
    )
    rollouts = Rollouts(config, Engine(), ALONE)
    batch = rollouts.take(step, PROMPTS)
    rollouts.close()
    return batch, rollouts.engine.n_asked


def groups(batch):
    """Right responses by group of 4, and the prompts asked."""
    right = [verdict.is_correct for verdict in batch.verdicts]
    asked = [{p.problem_id for p in batch.asked[i : i + 4]} for i in range(0, 16, 4)]
    assert all(len(one) == 1 for one in asked)
    assert [p.tokens for p in batch.asked] == [c.tokens for c in batch.completions]
    return [sum(right[i : i + 4]) for i in range(0, 16, 4)], [one.pop() for one in asked]


def test_groups_that_agree_are_replaced_and_the_others_stay():
    plain, n_plain = sample(0)
    before, asked_before = groups(plain)
    assert n_plain == 16 and plain.resampling(ALONE) == {}
    assert 0 < sum(0 < n < 4 for n in before) < 4
    batch, n_asked = sample(20)
    after, asked = groups(batch)
    assert all(0 < n < 4 for n in after)
    for place, n in enumerate(before):
        assert (asked[place] == asked_before[place]) is (0 < n < 4)
    metrics = batch.resampling(ALONE)
    assert metrics["discarded"] == pytest.approx(1 - 16 / n_asked)
    assert metrics["accuracy_sampled"] == pytest.approx(batch.tried[1] / n_asked)
    assert len(set(batch.seeds)) == 16


def test_it_repeats_and_stops_after_its_rounds():
    assert sample(3)[0].seeds == sample(3)[0].seeds != sample(3, step=2)[0].seeds
    _, n_asked = sample(1)
    assert 16 < n_asked <= 32


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"rollout": {"samples_per_prompt": 1}}, "samples_per_prompt must be 2"),
        ({"ppo": {"early_values": 2}}, "early_values"),
        ({"rollout": {"lag": 1, "max_mismatch": 0.5}, "ppo": {"max_importance_weight": 2.0}}, "rollout.lag"),
    ],
)
def test_what_it_cannot_be_combined_with_is_refused(changes, word):
    rollout = {"prompts_per_step": 4, "samples_per_prompt": 4, "max_new_tokens": 8, "max_prompt_tokens": 8}
    rollout |= {"resample_rounds": 1} | changes.get("rollout", {})
    with pytest.raises(ValidationError, match=word):
        tiny_config(rollout=rollout, ppo={"critic_minibatches": 1} | changes.get("ppo", {}))
