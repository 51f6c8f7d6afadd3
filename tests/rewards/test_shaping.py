import pytest
from pydantic import ValidationError

from rewards.shaping import RewardTerms, deal_out, format_term, repetition_term, shaped_reward

RIGHT = r"so</think><answer>\boxed{5}</answer>"


@pytest.mark.parametrize("reward", [0.0, 1.0])
@pytest.mark.parametrize("response", [RIGHT, "", "again " * 500])
def test_without_weights_the_reward_is_the_binary_rule(reward: float, response: str) -> None:
    assert shaped_reward(reward, response, 10**6, "length", RewardTerms()) is reward


def test_each_term_by_hand() -> None:
    assert shaped_reward(1.0, RIGHT, 7500, "stop", RewardTerms(length=0.4)) == pytest.approx(1 - 0.4 * 0.75)
    assert shaped_reward(0.0, RIGHT, 9, "stop", RewardTerms(format=0.2)) == 0.2
    # 41 equal words: 22 sequences of 20, one of them distinct.
    assert repetition_term("x " * 41) == pytest.approx(1 / 22 - 1)
    every = RewardTerms(format=0.1, length=0.1, repetition=0.1)
    assert shaped_reward(1.0, RIGHT, 9, "stop", every) == pytest.approx(1.1)


def test_a_cut_response_has_no_format() -> None:
    assert (format_term(RIGHT, "stop"), format_term(RIGHT, "length"), format_term("5", "stop")) == (1, 0, 0)


def test_lengths_are_checked() -> None:
    with pytest.raises(ValidationError, match="length_free_tokens must be below"):
        RewardTerms(length_free_tokens=8000)


def test_dealt_rewards_are_the_same_in_an_order_that_the_seed_decides():
    rewards = [1.0] * 20 + [0.0] * 44
    dealt = [deal_out(rewards, seed) for seed in ("0:1:0", "0:1:0", "0:2:0")]
    assert dealt[0] == dealt[1] != dealt[2] and rewards[:20] == [1.0] * 20
    assert all(sorted(each) == sorted(rewards) for each in dealt)
