"""What a text generator is: the protocol between the engines and those who use them.

The engines live in `training/rollout/`; evals and curation receive one from `pipelines` and know only this
page. Token in, token out: nobody re-tokenizes a text that an engine produced.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rewards.contracts.files import canonical_json, hash_text

FinishReason = Literal["stop", "length"]
"""`stop`: the response ended by itself (end token or stop string); `length`: it was cut (truncated)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one response. `temperature` 0 means greedy; stop strings are kept in the output."""

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One response: its token ids, its text (special tokens included), how it ended.

    `logprobs[i]` is the engine's own log-probability of `tokens[i]`; None unless it was asked for.
    """

    tokens: list[int]
    text: str
    finish_reason: FinishReason
    logprobs: list[float] | None = None

    @property
    def is_truncated(self) -> bool:
        return self.finish_reason == "length"


def derive_seed(*parts: int | str) -> int:
    """Mix the run's seed with the place of a sample into 63 bits, the same on every machine.

    >>> derive_seed(42, "aime2024", "1", 0) == derive_seed(42, "aime2024", "1", 1)
    False
    """
    return int(hash_text(canonical_json(parts), 16), 16) >> 1


class Engine(Protocol):
    """A text generator with fixed weights (until somebody syncs it)."""

    fingerprint: str
    """Hash of weights, tokenizer and precision: two engines with one fingerprint sample the same tokens."""

    max_model_tokens: int
    """Longest prompt plus response, in tokens."""

    def encode(self, text: str) -> list[int]:
        """Turn a prompt into token ids."""
        ...

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        *,
        n_logprobs: int = 0,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """Sample one response per prompt, in order; `seeds[i]` alone decides the randomness of response i.

        The first `n_logprobs` prompts also get log-probabilities. `on_progress` is told how many finished.
        """
        ...

    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        """Log-probability of each candidate token as the next one after its prompt, in order; the candidates
        of one prompt are comparable with each other (up to a constant)."""
        ...

    def close(self) -> None:
        """Release memory and processes."""
        ...
