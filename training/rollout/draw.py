"""Token sampling with one random number per token, which depends only on response seed and position."""

import math

import torch
from torch import Tensor

from rewards.contracts.engine import Sampling

GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit number
MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def uniforms(seeds: Tensor, place: int | Tensor) -> Tensor:
    """Numbers in [0, 1) for token `place` of the responses with these seeds: [rows] int64 -> [rows] float64.

    `place` may be several: seeds [rows, 1], place [places] -> [rows, places].

    A counter-based generator (SplitMix64; Steele, Lea and Flood 2014, figure 17): no state passes from one
    token to the next, so neither order nor batch matters.

    >>> int(uniforms(torch.tensor([1234567]), 0) * 2**53) == 6457827717110365317 >> 11  # its published output
    True
    """
    x = seeds + torch.as_tensor(place + 1, device=seeds.device) * GOLDEN
    x = (x ^ _shift(x, 30)) * MIX_1
    x = (x ^ _shift(x, 27)) * MIX_2
    return _shift(x ^ _shift(x, 31), 11).double() * 2.0**-53


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of 64-bit numbers; torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def draw_tokens(logits: Tensor, numbers: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Sample a token per row by inverting the cumulative distribution; temperature 0 takes the most likely.

    Shapes: logits [rows, vocabulary] float32, numbers [rows] in [0, 1) -> tokens [rows], and their
    log-probabilities [rows] under the distribution sampled from.
    """
    if sampling.temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, torch.log_softmax(logits, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    logprobs = torch.log_softmax(logits / sampling.temperature, dim=-1)
    if sampling.min_p > 0:
        logprobs = torch.log_softmax(keep_likely(logprobs, sampling.min_p), dim=-1)
    if 0 < sampling.top_k < logits.shape[-1]:
        logprobs = torch.log_softmax(keep_top(logprobs, sampling.top_k), dim=-1)
    if sampling.top_p < 1:
        logprobs = torch.log_softmax(keep_nucleus(logprobs, sampling.top_p), dim=-1)
    cumulative = logprobs.double().exp_().cumsum(-1)
    # Scaled by the total, which after rounding is only near 1, so that a number below 1 is always inside.
    target = (numbers * cumulative[:, -1]).unsqueeze(-1)
    tokens = torch.searchsorted(cumulative, target, right=True).clamp_(max=logits.shape[-1] - 1)
    return tokens.squeeze(-1), logprobs.gather(-1, tokens).squeeze(-1)


def keep_nucleus(logprobs: Tensor, top_p: float) -> Tensor:
    """Keep the fewest, most likely tokens with `top_p` of the mass, others are -inf: [rows, vocabulary]."""
    ordered, order = logprobs.sort(dim=-1, descending=True, stable=True)
    mass_before = ordered.double().exp().cumsum(-1) - ordered.double().exp()
    dropped = torch.zeros_like(logprobs, dtype=torch.bool).scatter_(-1, order, mass_before >= top_p)
    return logprobs.masked_fill(dropped, float("-inf"))


def keep_top(logprobs: Tensor, top_k: int) -> Tensor:
    """Keep the `top_k` most likely tokens and those as likely as the last of them: [rows, vocabulary]."""
    last = logprobs.topk(top_k, dim=-1).values[:, -1:]
    return logprobs.masked_fill(logprobs < last, float("-inf"))


def keep_likely(logprobs: Tensor, min_p: float) -> Tensor:
    """Keep tokens that are at least `min_p` times as likely as the most likely: [rows, vocabulary]."""
    least = logprobs.max(dim=-1, keepdim=True).values + math.log(min_p)
    return logprobs.masked_fill(logprobs < least, float("-inf"))


def penalize(logits: Tensor, in_prompt: Tensor, sampled: Tensor, sampling: Sampling) -> Tensor:
    """Apply the penalties for repetition, as vLLM does.

    Shapes: logits [rows, vocabulary], in_prompt [rows, vocabulary] bool, sampled [rows, so far] token ids.
    """
    counts = torch.zeros_like(logits).scatter_add_(-1, sampled, torch.ones_like(sampled, dtype=logits.dtype))
    seen = in_prompt | (counts > 0)
    factor = sampling.repetition_penalty
    logits = torch.where(seen, torch.where(logits > 0, logits / factor, logits * factor), logits)
    return logits - sampling.frequency_penalty * counts - sampling.presence_penalty * (counts > 0)
