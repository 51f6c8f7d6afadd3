"""Reflection and repetition: words of reflection, their rate among right answers, and repeated text.

Follows Figure 6 of the paper: "average correct reflection length" is the mean length of the correct responses
that reflect, compared with the mean length of all responses.
"""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

PATTERNS = ("wait,", "recheck", "retry", "alternatively,", "however,")
"""The paper's words of reflection (section 3.3), matched case-insensitively."""

SCHEMA = pl.Schema(
    {
        "benchmark": pl.String(),
        "reflection_rate": pl.Float64(),  # share of responses with any pattern
        "reflection_rate_case_sensitive": pl.Float64(),  # as the reference script counts: lowercase only
        "n_correct_reflections": pl.Int64(),
        "correct_reflection_tokens": pl.Float64(),  # mean length of right responses that reflect, or null
        "response_tokens": pl.Float64(),  # mean length of all responses
        "repetition": pl.Float64(),  # mean repetition score
    }
)


@dataclass(frozen=True, slots=True)
class Reflection:
    pattern: str
    n_responses: int
    share: float
    share_correct: float | None
    """Share of correct responses among those with the pattern."""


def reflects(responses: pl.Series, *, is_case_sensitive: bool = False) -> pl.Series:
    """Tell for each response whether it contains any pattern of reflection."""
    flags = "" if is_case_sensitive else "(?i)"
    return responses.str.contains(flags + "|".join(map(re.escape, PATTERNS)))


def by_pattern(completions: pl.DataFrame) -> list[Reflection]:
    """Count the responses with each pattern, and how often they are right."""
    found = []
    for pattern in PATTERNS:
        hits = completions.filter(pl.col("response").str.contains("(?i)" + re.escape(pattern)))
        right = hits["is_correct"].mean() if hits.height else None
        share = hits.height / max(1, completions.height)
        found.append(Reflection(pattern, hits.height, share, None if right is None else float(str(right))))
    return found


def by_step(rollouts: pl.DataFrame) -> pl.DataFrame:
    """Follow reflection over a training run, from ROLLOUT rows: the paper's figure 6, left.

    Returns [step, reflection_rate, correct_reflection_tokens, response_tokens]; the length of correct ones
    that reflect is null at steps without any.
    """
    length, flags = pl.col("n_response_tokens"), reflects(rollouts["response"])
    return (
        rollouts.with_columns(flags.alias("reflects"))
        .group_by("step")
        .agg(
            pl.col("reflects").mean().alias("reflection_rate"),
            length.filter(pl.col("reflects") & (pl.col("reward") == 1))
            .mean()
            .alias("correct_reflection_tokens"),
            length.mean().alias("response_tokens"),
        )
        .sort("step")
    )


def analyze(completions: pl.DataFrame, *, max_scored_chars: int = 100_000) -> pl.DataFrame:
    """Summarize reflection and repetition per benchmark; repetition reads `max_scored_chars` of a text."""
    rows = []
    for (name,), part in completions.group_by("benchmark", maintain_order=True):
        flags = reflects(part["response"])
        right = part.filter(flags & part["is_correct"])
        scores = [repetition_score(text[:max_scored_chars]) for text in part["response"]]
        rows.append(
            {
                "benchmark": name,
                "reflection_rate": flags.mean(),
                "reflection_rate_case_sensitive": reflects(part["response"], is_case_sensitive=True).mean(),
                "n_correct_reflections": right.height,
                "correct_reflection_tokens": right["n_response_tokens"].mean(),
                "response_tokens": part["n_response_tokens"].mean(),
                "repetition": float(np.mean(scores)),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def repetition_score(text: str) -> float:
    """Return 1 - distinct substrings / all substrings: near 0 for fresh text, near 1 for a loop.

    >>> repetition_score("abc"), round(repetition_score("aaaa"), 3)
    (0.0, 0.6)

    A substring repeats as often as neighboring suffixes in sorted order share a prefix, so the number of
    repeats is the sum of those common prefixes. Suffixes are ranked by prefixes of growing width; going back
    through the widths from the longest gives every common prefix without a loop over characters.
    """
    n = len(text)
    if n < 2:
        return 0.0
    order, levels = _rank_suffixes(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32))
    shared = np.zeros(n - 1, dtype=np.int64)
    left, right = order[:-1], order[1:]
    for width, n_tries, ranks in reversed(levels):
        for _ in range(n_tries):
            shared += width * (ranks[left + shared] == ranks[right + shared])
    return float(shared.sum() / (n * (n + 1) / 2))


def _rank_suffixes(
    codes: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], list[tuple[int, int, NDArray[np.int64]]]]:
    """Sort the suffixes: order [n], and (width, how often it can fit, ranks [n + 1]) for growing widths.

    Equal ranks mean equal prefixes of that width. Ranks start at 1 and the empty suffix has rank 0, so a
    suffix that ends within the width equals no other. The first prefixes are packed into one integer; later
    ones are built from three prefixes of a third of the width.
    """
    n = len(codes)
    is_present = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    is_present[codes] = 1
    packed = np.zeros(n + 1, dtype=np.int64)
    packed[:n] = np.cumsum(is_present)[codes]
    levels = [(1, 1, packed)]
    width, n_bits = 1, int(is_present.sum()).bit_length()
    while 2 * width * n_bits <= 63:
        packed = packed * 2 ** (width * n_bits) + _shifted(packed, width)
        width *= 2
        levels.append((width, 1, packed))
    while True:
        order = np.argsort(packed[:n], kind="stable")
        ordered = packed[order]
        ranks = np.zeros(n + 1, dtype=np.int64)
        ranks[order] = np.cumsum(np.concatenate(([1], ordered[1:] != ordered[:-1])))
        levels[-1] = (width, 2, ranks)
        if ranks[order[-1]] == n or width >= n:
            return order, levels
        shift = int(n).bit_length()
        packed = (ranks << (2 * shift)) + (_shifted(ranks, width) << shift) + _shifted(ranks, 2 * width)
        width *= 3
        levels.append((width, 2, ranks))


def _shifted(ranks: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Ranks of the suffixes `by` characters later; 0 beyond the end."""
    shifted = np.zeros_like(ranks)
    if by < len(ranks):
        shifted[: len(ranks) - by] = ranks[by:]
    return shifted
