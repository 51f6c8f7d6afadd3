"""Before the first response: does vLLM compute this model as the trainer, or transformers, does?

vLLM has implementations of its own for most models. Where one differs (in its 0.32 for CPUs: GPT-NeoX,
Cohere2), or fails with the first token, a run would find out after a whole rollout, an evaluation never.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from rewards.contracts.engine import Engine, Sampling
from training.batching import Responses
from training.fingerprint import weight_bytes
from training.model import load_policy
from training.packed.packing import PADDED
from training.probe import MAX_MISMATCH

TEXTS = (
    "1 + 2 =",
    "What is the sum of the first ten odd numbers? Let us add them one after another.",
    "A train leaves at noon and goes 60 miles in each hour. Another one follows two hours later and goes 90 "
    "miles in each hour. When does the second train reach the first one, and how far from home? Think.",
)
N_TOKENS = 24
SMALL_BYTES = 1_000_000_000
"""Weights up to which evaluations load transformers' own model beside the engine."""

Score = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(ids, attention mask, response mask [batch, seq]) -> log-probabilities of response tokens, in row order."""


def prove(engine: Engine, score: Score, limit: float, device: torch.device, temperature: float = 1.0) -> None:
    """Compare the log-probabilities of a few short responses; ValueError if they differ by more than `limit`
    nats in the mean, or if the engine fails."""
    n_new = min(N_TOKENS, engine.max_model_tokens // 2)
    most = engine.max_model_tokens - n_new
    prompts = [engine.encode(text)[:most] for text in TEXTS]
    try:
        found = engine.generate(
            prompts, list(range(len(prompts))), Sampling(n_new, temperature), n_logprobs=len(prompts)
        )
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"training.rollout.engine: vLLM loads this model and fails with its first tokens: "
            f"{type(error).__name__}: {error}"
        ) from error
    responses = Responses.build(prompts, [completion.tokens for completion in found], device)
    with torch.no_grad():
        theirs = score(*responses.inputs(list(range(len(prompts))), 0)).double().cpu()
    ours = torch.tensor([value for c in found for value in c.logprobs or ()], dtype=torch.float64)
    gap = (ours - theirs).abs().mean().item()
    if not gap <= limit:  # also catches NaN
        raise ValueError(
            "training.rollout.engine: vLLM does not compute this model as transformers does: with equal "
            f"weights a mean |log-prob difference| of {gap:.2g} nats over {len(ours)} tokens, more than "
            f'{limit:g}. Use another version of vLLM, another base model, or "torch" for models that the '
            "torch sampler knows"
        )


def prove_alone(engine: Engine, folder: Path, precision: str) -> None:
    """The same for an engine without a trainer, against transformers' model; small models only."""
    if weight_bytes(folder) > SMALL_BYTES:
        return
    layout = next(layout for layout in PADDED if layout.attention == "eager")
    policy = load_policy(folder, precision, 1.0, 256, layout, engine.max_model_tokens)
    prove(engine, lambda *rows: policy(*rows)[0], MAX_MISMATCH[precision], torch.device("cpu"))
