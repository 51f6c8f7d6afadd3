"""Training prompts: loading them, and choosing those of a step as a pure function of seed and step."""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from rewards.contracts.prompts import PromptConfig, render_prompt
from rewards.contracts.records import REJECT

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One training prompt, tokenized."""

    problem_id: str
    text: str
    tokens: list[int]
    gold: str


def select_rows(
    frame: pl.DataFrame, split: str, sources: Sequence[str] = (), subjects: Sequence[str] = ()
) -> pl.DataFrame:
    """Rows of one split of a compiled prompt set; empty `sources` or `subjects` mean all of them.

    ValueError for a source or subject that the prompt set does not have.
    """
    for column, wanted in (("source", sources), ("subject", subjects)):
        known = set(frame[column].drop_nulls()) if wanted else set()
        if unknown := set(wanted) - known:
            raise ValueError(
                f"training.{column}s: {sorted(unknown)} not in the prompt set, which has {sorted(known)}"
            )
        if wanted:
            frame = frame.filter(pl.col(column).is_in(list(wanted)))
    return frame.filter(pl.col("split") == split)


def load_prompts(
    frame: pl.DataFrame, config: PromptConfig, encode: Callable[[str], list[int]], max_tokens: int
) -> tuple[list[Prompt], pl.DataFrame]:
    """Tokenize selected rows; returns the prompts and REJECT rows of those longer than `max_tokens`."""
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
            f"no training prompt has at most {max_tokens} tokens; raise "
            "training.rollout.max_prompt_tokens or widen training.sources and subjects"
        )
    logger.info("prompts kept=%d too_long=%d", len(prompts), len(too_long))
    return prompts, REJECT.frame(too_long)


def choose_prompts(n_prompts: int, per_step: int, step: int, seed: int) -> list[int]:
    """Indices of the prompts of `step` (from 1): a new shuffle every epoch, epochs joined without a gap.

    Depends on nothing else, so that resuming needs no saved position.

    >>> sorted(choose_prompts(4, 2, 1, seed=0) + choose_prompts(4, 2, 2, seed=0))
    [0, 1, 2, 3]
    """
    first = (step - 1) * per_step
    places = [divmod(position, n_prompts) for position in range(first, first + per_step)]
    return [epoch_order(n_prompts, epoch, seed)[offset] for epoch, offset in places]


@lru_cache(maxsize=2)
def epoch_order(n_prompts: int, epoch: int, seed: int) -> list[int]:
    """The shuffle of one epoch, kept for its steps."""
    order = list(range(n_prompts))
    random.Random(f"{seed}:order:{epoch}").shuffle(order)
    return order
