"""Phases beside the main run: the critic's warm-up before it, and annealing on hard prompts after it."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from training.data import Prompt
from training.sections.ppo import PPOConfig

logger = logging.getLogger(__name__)


class CriticWarmup:
    """Whether the next step still trains the critic alone (VC-PPO, arXiv 2503.01491, section 4.1).

    Every rank comes to the same answer, since metrics are those of all ranks.
    """

    def __init__(self, config: PPOConfig, history: Iterable[Mapping]) -> None:
        """`history`: metrics of the steps before a resume, in order."""
        self.limit, self.enough = config.critic_warmup_steps, config.critic_warmup_variance
        self.n_steps = 0
        """Steps of the warm-up so far."""
        self.is_on = self.limit > 0
        for record in history:
            if record.get("value_loss") is not None:  # Not so where a guardrail left out the update.
                self.add(record)

    def add(self, metrics: Mapping) -> None:
        """Take note of a step's update."""
        if not self.is_on:
            return
        self.n_steps += 1
        fit = metrics["explained_variance"]
        is_enough = self.enough is not None and fit is not None and fit >= self.enough
        if self.n_steps == self.limit or is_enough:
            self.is_on = False
            text = "the critic's warm-up ends: steps=%d explained_variance=%.3f"
            if self.enough is None or is_enough:
                logger.info(text, self.n_steps, fit or 0)
            else:
                logger.warning(
                    f"{text}, and critic_warmup_variance=%g is not reached",
                    self.n_steps,
                    fit or 0,
                    self.enough,
                )


def hard_prompts(rollouts: Path, last_step: int, prompts: list[Prompt], below: float) -> list[Prompt]:
    """Keep the prompts that were solved in less than a share `below` of their responses.

    Only a prompt's latest step up to `last_step` counts, over the files of all ranks in `rollouts`.
    A prompt that was never sampled is not known to be hard. ValueError when none is left.
    """
    frame = (
        pl.scan_parquet(rollouts / "step-*.parquet")
        .filter(pl.col("step") <= last_step)
        .select("problem_id", "step", pl.col("reason") == "correct")
        .filter(pl.col("step") == pl.col("step").max().over("problem_id"))
        .group_by("problem_id")
        .agg(pl.col("reason").mean().alias("solved"))
        .filter(pl.col("solved") < below)
        .collect()
    )
    hard = set(frame["problem_id"])
    kept = [prompt for prompt in prompts if prompt.problem_id in hard]
    if not kept:
        raise ValueError(
            f"training.anneal: no prompt was solved in less than {below:.2%} of its responses; "
            "raise training.anneal.hard_below or set n_steps = 0"
        )
    logger.info("annealing prompts=%d of=%d hard_below=%g", len(kept), len(prompts), below)
    return kept
