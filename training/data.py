"""Which prompts a step trains on: a pure function of seed and step, so that resuming needs no saved
position."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from rewards.prompts import PromptConfig, render_prompt
from rewards.records import REJECT

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One training prompt, tokenised."""

    problem_id: str
    text: str
    tokens: list[int]
    gold: str


def load_prompts(
    frame: pl.DataFrame,
    sources: Sequence[str],
    config: PromptConfig,
    encode: Callable[[str], list[int]],
    max_tokens: int,
) -> tuple[list[Prompt], pl.DataFrame]:
    """Tokenise the train split of a compiled prompt set; returns the prompts and REJECT rows of those longer
    than `max_tokens`."""
    frame = frame.filter(pl.col("split") == "train")
    if sources:
        unknown = set(sources) - set(frame["source"].unique())
        if unknown:
            raise ValueError(
                f"training.sources: {sorted(unknown)} not in the prompt set, which has "
                f"{sorted(frame['source'].unique())}"
            )
        frame = frame.filter(pl.col("source").is_in(list(sources)))
    prompts, too_long = [], []
    for row in frame.iter_rows(named=True):
        text = render_prompt(row["problem"], config)
        tokens = encode(text)
        if len(tokens) <= max_tokens:
            prompts.append(Prompt(row["problem_id"], text, tokens, row["answer"]))
            continue
        reject = {name: row[name] for name in ("source", "source_id", "problem", "answer")}
        detail = f"{len(tokens)} tokens exceed training.rollout.max_prompt_tokens = {max_tokens}"
        too_long.append({"step": "train", "reason": "prompt_too_long", "detail": detail} | reject)
    if not prompts:
        raise ValueError(
            f"no training prompt of at most {max_tokens} tokens is left; raise "
            "training.rollout.max_prompt_tokens or widen training.sources"
        )
    logger.info("prompts kept=%d too_long=%d", len(prompts), len(too_long))
    return prompts, REJECT.frame(too_long)


def choose_prompts(n_prompts: int, per_step: int, step: int, seed: int) -> list[int]:
    """Indices of the prompts of `step` (from 1): a fresh shuffle every epoch, epochs joined without a gap.

    >>> sorted(choose_prompts(4, 2, 1, seed=0) + choose_prompts(4, 2, 2, seed=0))
    [0, 1, 2, 3]
    """
    first = (step - 1) * per_step
    orders: dict[int, list[int]] = {}
    chosen = []
    for position in range(first, first + per_step):
        epoch, offset = divmod(position, n_prompts)
        if epoch not in orders:
            orders[epoch] = list(range(n_prompts))
            random.Random(f"{seed}:order:{epoch}").shuffle(orders[epoch])
        chosen.append(orders[epoch][offset])
    return chosen
