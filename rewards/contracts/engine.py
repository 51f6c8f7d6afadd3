"""The engine protocol: what a text generator offers to the code that uses it.

The engines are in `training/rollout/`; evals and curation receive one from `pipelines` and know only this
module. Tokens in, tokens out: text that an engine produced is never tokenized again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rewards.contracts.files import canonical_json, hash_text

FinishReason = Literal["stop", "length"]
"""`stop`: the response ended on its own (end token or stop string); `length`: it was truncated."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one response. `temperature` 0 means greedy; stop strings are kept in the output.

    The fields after `stop` mean what they mean to vLLM, and by default nothing. Penalties come before the
    temperature, the cuts after it: min_p, then top_k, then top_p.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    top_k: int = 0
    """Only this many most likely tokens; 0: all."""
    min_p: float = 0.0
    """Only tokens at least this many times as likely as the most likely one."""
    repetition_penalty: float = 1.0
    """Divides positive logits, and multiplies negative ones, of tokens in prompt or response."""
    presence_penalty: float = 0.0
    """Taken once from the logit of each token in the response."""
    frequency_penalty: float = 0.0
    """Taken from the logit of each token in the response as often as it is there."""

    @property
    def is_penalized(self) -> bool:
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Completion:
    """One response: its token ids, its text (special tokens included), and how it ended.

    `logprobs[i]` is the engine's log-probability of `tokens[i]`; None unless requested.
    """

    tokens: list[int]
    text: str
    finish_reason: FinishReason
    logprobs: list[float] | None = None

    @property
    def is_truncated(self) -> bool:
        return self.finish_reason == "length"


def derive_seed(*parts: int | str) -> int:
    """Hash the run's seed and the identity of a sample into 63 bits, the same on every machine.

    >>> derive_seed(42, "aime2024", "1", 0) == derive_seed(42, "aime2024", "1", 1)
    False
    """
    return int(hash_text(canonical_json(parts), 16), 16) >> 1


class Engine(Protocol):
    """A text generator whose weights stay fixed until they are synced."""

    fingerprint: str
    """Hash of weights, tokenizer and precision: engines with the same fingerprint sample the same tokens."""

    max_model_tokens: int
    """Longest prompt plus response, in tokens."""

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Turn a prompt into token ids, begun as the model's tokenizer begins a text. `bos` False: the text
        alone, for chat templates, which write their own beginning, and for pieces of a text."""
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

        The first `n_logprobs` prompts also get log-probabilities. `on_progress` receives how many finished.
        """
        ...

    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        """Log-probability of each candidate as the next token after its prompt, in order; the candidates of
        one prompt are comparable with each other (up to a constant)."""
        ...

    def close(self) -> None:
        """Release memory and stop processes."""
        ...
