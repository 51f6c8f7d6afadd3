"""Fixtures of the evals tests: a small benchmark of sums, a config with bare prompts, a toy engine."""

import random
from collections.abc import Callable, Sequence

import polars as pl
import pytest

from evals.benchmarks import Benchmark, from_frame
from evals.config import BenchmarkConfig, EvalsConfig
from rewards.contracts import records
from rewards.contracts.engine import Completion, Sampling
from rewards.contracts.prompts import PromptConfig


class ToyEngine:
    """A deterministic stand-in for a model that answers sums: the seed alone decides each response.

    A share of about `skill` of its responses is right; it is interrupted after `dies_after` of them.
    """

    max_model_tokens = 400

    def __init__(self, skill: float = 0.6, dies_after: int | None = None) -> None:
        self.fingerprint = f"toy-{skill}"
        self.skill = skill
        self.n_generated = 0
        self.batches: list[int] = []
        self.dies_after = dies_after

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        letters = {f" {letter}": [1000 + index] for index, letter in enumerate("ABCDEFGHIJ")}
        return letters.get(text) or list(text.encode())

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        *,
        n_logprobs: int = 0,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        self.batches.append(len(prompts))
        completions = []
        for tokens, seed in zip(prompts, seeds, strict=True):
            if self.dies_after is not None and self.n_generated >= self.dies_after:
                raise KeyboardInterrupt
            self.n_generated += 1
            completions.append(self._respond(bytes(tokens).decode(), seed, sampling))
            if on_progress:
                on_progress(1)
        return completions

    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        """Prefer the second option, except after a prompt that contains NaN."""
        nan = float("nan")
        return [
            [nan if b"NaN" in bytes(prompt) else -abs(index - 1.0) for index in range(len(tokens))]
            for prompt, tokens in zip(prompts, candidates, strict=True)
        ]

    def close(self) -> None:
        pass

    def _respond(self, prompt: str, seed: int, sampling: Sampling) -> Completion:
        draw = random.Random(seed)
        left, right = (int(part) for part in prompt.removesuffix("<think>").split("+"))
        answer = left + right if draw.random() < self.skill else left + right + draw.choice((1, 2))
        text = f"add {'slowly ' * draw.randrange(3)}</think><answer>\\boxed{{{answer}}}</answer>"
        tokens = list(text.encode())[: sampling.max_new_tokens]
        is_cut = len(tokens) < len(text)
        return Completion(tokens, bytes(tokens).decode(), "length" if is_cut else "stop")


@pytest.fixture
def sums() -> Benchmark:
    rows = [
        {"problem": f"{left}+{right}", "answer": str(left + right), "level": str(left % 3), "subject": "sums"}
        for left in range(5)
        for right in range(2)
    ]
    return from_frame("sums", pl.DataFrame(rows))


@pytest.fixture
def config() -> EvalsConfig:
    return EvalsConfig(
        benchmarks=(BenchmarkConfig(name="sums", kind="frame", n_samples=3),),
        prompt=PromptConfig(template="bare"),
        max_new_tokens=200,
        chunk=4,
    )


@pytest.fixture
def toy_engine() -> type[ToyEngine]:
    return ToyEngine


@pytest.fixture(scope="session")
def make_completions() -> Callable[..., pl.DataFrame]:
    """Make COMPLETION rows from outcomes: {"a": "10"} means right, then wrong."""

    def make(
        outcomes: dict[str, str], benchmark: str = "toy", levels: dict[str, str] | None = None
    ) -> pl.DataFrame:
        rows = []
        for question, marks in outcomes.items():
            for index, mark in enumerate(marks):
                is_correct = mark == "1"
                rows.append(
                    {
                        "key": f"{benchmark}-{question}-{index}",
                        "benchmark": benchmark,
                        "question_id": question,
                        "sample": index,
                        "seed": index,
                        "prompt": f"What is {question}?",
                        "response": f"hm</think><answer>\\boxed{{{4 if is_correct else 5}}}</answer>",
                        "n_prompt_tokens": 5,
                        "n_response_tokens": 10 if is_correct else 20,
                        "finish_reason": "stop",
                        "gold": "4",
                        "extracted": "4" if is_correct else "5",
                        "reason": "correct" if is_correct else "wrong",
                        "is_correct": is_correct,
                        "is_formatted": True,
                        "is_truncated": False,
                        "answer_class": 0 if is_correct else 1,
                        "level": (levels or {}).get(question),
                        "subject": "sums",
                    }
                )
        return records.COMPLETION.frame(rows)

    return make
