"""Prompts of the annealing stage, which follows the main run: only those that the run itself found hard."""

import logging
from pathlib import Path

import polars as pl

from training.data import Prompt

logger = logging.getLogger(__name__)


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
