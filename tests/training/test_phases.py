"""When the critic's warm-up ends, and which prompts are hard: by the latest step of each, over all ranks."""

import polars as pl
import pytest

from training.data import Prompt
from training.phases import CriticWarmup, hard_prompts
from training.sections.ppo import PPOConfig

PROMPTS = [Prompt(name, name, [1], "4") for name in "abcde"]


def write(folder, step, rank, solved):
    """Write one rank's file: how many of four responses were right, by problem."""
    rows = [
        {"step": step, "problem_id": name, "reason": "correct" if i < right else "wrong"}
        for name, right in solved.items()
        for i in range(4)
    ]
    pl.DataFrame(rows).write_parquet(folder / f"step-{step:06d}-rank-{rank:03d}.parquet")


def test_the_latest_visit_up_to_the_boundary_decides(tmp_path):
    write(tmp_path, 1, 0, {"a": 0, "b": 4})
    write(tmp_path, 1, 1, {"c": 1})
    write(tmp_path, 2, 0, {"a": 3, "b": 1})
    write(tmp_path, 3, 0, {"c": 4, "d": 0})  # Annealing has started.
    found = hard_prompts(tmp_path, 2, PROMPTS, below=0.5)
    assert [prompt.problem_id for prompt in found] == ["b", "c"]


def test_a_prompt_at_the_share_is_not_hard(tmp_path):
    write(tmp_path, 1, 0, {"a": 2, "b": 1})
    assert [p.problem_id for p in hard_prompts(tmp_path, 1, PROMPTS, below=0.5)] == ["b"]


def test_no_hard_prompt_is_an_error_that_names_the_setting(tmp_path):
    write(tmp_path, 1, 0, {"a": 4})
    with pytest.raises(ValueError, match="training.anneal.hard_below"):
        hard_prompts(tmp_path, 1, PROMPTS, below=0.5)


def warm(fits, **fields):
    config = PPOConfig(**fields)
    warmup = CriticWarmup(config, [{"value_loss": 0.1, "explained_variance": fit} for fit in fits])
    return warmup.is_on, warmup.n_steps


def test_the_critic_is_warm_after_its_steps_or_when_it_explains_enough(caplog):
    assert warm([]) == (False, 0)
    assert warm([0.1, 0.2], critic_warmup_steps=3) == (True, 2)
    assert warm([0.1, 0.2, 0.3, 0.4], critic_warmup_steps=3) == (False, 3)
    assert warm([0.1, 0.6, 0.1], critic_warmup_steps=9, critic_warmup_variance=0.5) == (False, 2)
    assert "is not reached" not in caplog.text
    assert warm([0.1, 0.2], critic_warmup_steps=2, critic_warmup_variance=0.5) == (False, 2)
    assert "critic_warmup_variance=0.5 is not reached" in caplog.text
    left_out = {"value_loss": None, "explained_variance": None}
    assert CriticWarmup(PPOConfig(critic_warmup_steps=2), [left_out]).n_steps == 0
