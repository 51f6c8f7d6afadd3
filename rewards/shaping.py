"""Reward shaping terms for ablations: format, length and repetition, each off by default.

The paper trains on the binary rule alone and reports that it needs nothing else (sections 2.2 and 3.2); these
terms exist to check that. With all weights 0, the reward is the binary rule to the bit.

>>> shaped_reward(1.0, "so</think><answer>\\\\boxed{5}</answer>", 9, "stop", RewardTerms())
1.0
>>> shaped_reward(0.0, "so</think><answer>\\\\boxed{6}</answer>", 9, "stop", RewardTerms(format=0.1))
0.1
"""

import random
from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from rewards.contracts.engine import FinishReason
from rewards.contracts.settings import Settings
from rewards.extraction import is_formatted

NGRAM_WORDS = 20
"""Length, in words, of the sequences whose repetition is counted."""


class RewardTerms(Settings):
    """Weights of the terms added to the binary reward; 0 turns a term off (paper: all of them)."""

    format: float = 0.0
    """Added for a response that ended on its own and has a box in answer tags, right or wrong."""
    length: float = 0.0
    """Subtracted from responses near the token limit, in part or whole (arXiv 2503.14476, equation 13)."""
    repetition: float = 0.0
    """Subtracted in proportion to the share of repeated 20-word sequences (as in arXiv 2502.03373)."""
    length_free_tokens: int = Field(default=6000, ge=1)
    """Responses up to this many tokens lose nothing to the length term."""
    length_max_tokens: int = Field(default=8000, ge=2)
    """From this many tokens on, the whole length term is subtracted (paper: responses are cut at 8,000)."""

    is_shuffled: bool = False
    """A control: the rewards of a step are dealt out among its responses at random."""

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.length_free_tokens >= self.length_max_tokens:
            raise ValueError(
                f"length_free_tokens must be below length_max_tokens, got {self.length_free_tokens} "
                f"and {self.length_max_tokens}"
            )
        return self


def deal_out(rewards: Sequence[float], seed: str) -> list[float]:
    """The same rewards in a random order: what a response gets says nothing about it.

    >>> deal_out([1.0, 0.0, 0.0, 1.0, 0.0], "0:1:0")
    [0.0, 1.0, 0.0, 1.0, 0.0]
    """
    dealt = list(rewards)
    random.Random(seed).shuffle(dealt)
    return dealt


def shaped_reward(
    reward: float, response: str, n_tokens: int, finish_reason: FinishReason, terms: RewardTerms
) -> float:
    """Add the weighted terms to the binary `reward` of a response of `n_tokens` tokens."""
    if not (terms.format or terms.length or terms.repetition):
        return reward
    if terms.format:
        reward += terms.format * format_term(response, finish_reason)
    if terms.length:
        reward += terms.length * length_term(n_tokens, terms.length_free_tokens, terms.length_max_tokens)
    if terms.repetition:
        reward += terms.repetition * repetition_term(response)
    return reward


def format_term(response: str, finish_reason: FinishReason) -> float:
    """1 for a response that ended on its own and has a box in answer tags, else 0."""
    return float(finish_reason == "stop" and is_formatted(response))


def length_term(n_tokens: int, free: int, longest: int) -> float:
    """0 up to `free` tokens, then decreasing linearly to -1 at `longest`.

    >>> [length_term(n, 6000, 8000) for n in (10, 6000, 7000, 9000)]
    [0.0, 0.0, -0.5, -1.0]
    """
    return max(min(free - n_tokens, 0) / (longest - free), -1.0)


def repetition_term(response: str) -> float:
    """Minus the share of word sequences that repeat an earlier one; 0 for a text shorter than one sequence.

    >>> repetition_term("one two three"), round(repetition_term("again " * 39), 2)
    (0.0, -0.95)
    """
    words = response.split()
    n_sequences = len(words) - NGRAM_WORDS + 1
    if n_sequences < 1:
        return 0.0
    distinct = {tuple(words[start : start + NGRAM_WORDS]) for start in range(n_sequences)}
    return len(distinct) / n_sequences - 1.0
