"""Model of a rollout's decoding: which responses grow together, and when each one ends.

Continuous batching (`decode`): a request waits until a row is free and its whole length fits into the KV
cache. Between two such events the batch is constant and its time has a closed form, so simulating 8,192
responses takes a few hundredths of a second. vLLM admits more requests and preempts some, which takes about
as long. The torch sampler's waves (`decode_wave`) keep finished rows until enough are finished.
"""

import heapq

import numpy as np

from training.rollout.limits import BLOCK, COMPACT_BELOW


def decode(
    prompts: np.ndarray,
    lengths: np.ndarray,
    fresh: np.ndarray,
    *,
    rows: int,
    kv_tokens: float,
    step: tuple[float, float, float],
    prefill_token_s: float,
) -> np.ndarray:
    """When each response of one engine ends, in seconds: [requests], in the order of the arguments.

    `prompts` and `lengths` are in tokens; `fresh` marks the first request of a prompt, which the others then
    find in the cache. A decoding step takes step[0] + step[1] x rows + step[2] x tokens of context.
    """
    fixed_s, row_s, context_s = step
    asked, wanted, is_fresh = prompts.tolist(), lengths.tolist(), fresh.tolist()
    ends = np.zeros(len(wanted))
    growing: list[tuple[int, int]] = []  # A heap of (decoding step after which it ends, request).
    clock, done, context, reserved, following = 0.0, 0, 0, 0, 0
    while growing or following < len(wanted):
        while following < len(wanted) and len(growing) < rows:
            need = asked[following] + wanted[following]
            if growing and reserved + need > kv_tokens:
                break
            clock += asked[following] * prefill_token_s * is_fresh[following]
            heapq.heappush(growing, (done + wanted[following], following))
            context += asked[following]
            reserved += need
            following += 1
        n_steps, n_rows = growing[0][0] - done, len(growing)
        clock += n_steps * (fixed_s + row_s * n_rows + context_s * (context + n_rows * (n_steps - 1) / 2))
        context += n_rows * n_steps
        done += n_steps
        while growing and growing[0][0] == done:
            _, index = heapq.heappop(growing)
            ends[index] = clock
            context -= asked[index] + wanted[index]
            reserved -= asked[index] + wanted[index]
    return ends


def decode_wave(prompts: np.ndarray, lengths: np.ndarray, limit: int) -> tuple[int, float, float]:
    """The torch sampler's work for one wave of responses: steps; rows and context tokens, summed over steps.

    Every row reads the cache as far as the longest sequence may reach, in whole blocks.
    """
    last = int(lengths.max())
    growing = len(lengths) - np.searchsorted(np.sort(lengths), np.arange(1, last + 1), side="right")
    rows, n_steps, n_rows, n_context, longest = len(lengths), 0, 0, 0.0, int(prompts.max())
    for place, still in enumerate(growing.tolist()):
        if still == 0 or place + 1 >= limit:
            break
        if still < COMPACT_BELOW * rows:
            rows = still
        n_steps += 1
        n_rows += rows
        n_context += rows * -(-(longest + place + 1) // BLOCK) * BLOCK
    return n_steps, float(n_rows), n_context
