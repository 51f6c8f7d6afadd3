"""Metrics of one step's responses over all ranks, and the rollout rows that are kept."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import torch

from rewards.contracts.engine import Completion
from rewards.extraction import is_formatted
from rewards.verdict import Reason, Verdict
from training.data import Prompt
from training.ranks import Ranks

logger = logging.getLogger(__name__)

N_BINS = 32
"""Bins of the length histograms, of equal width from 0 to the response limit."""

ReadTexts = Callable[[Sequence[str]], Sequence[tuple[bool, float]]]
"""For each response: does it reflect (paper, section 3.3), and how much does it repeat itself (0 to 1)?"""


def response_metrics(
    completions: list[Completion],
    verdicts: list[Verdict],
    rewards: list[float],
    n_samples: int,
    max_new_tokens: int,
    ranks: Ranks,
    read_texts: ReadTexts | None = None,
) -> tuple[dict, dict[str, list[int]]]:
    """Measure the responses and their verdicts over all ranks. Responses to one prompt are adjacent.

    Returns columns of rewards.contracts.records.METRIC, and length histograms of `N_BINS` bins by name. A
    mean over no responses is None, and so are the columns that need `read_texts` when it is None.
    """
    length = torch.tensor([float(len(c.tokens)) for c in completions], dtype=torch.float64)
    right = torch.tensor([float(v.is_correct) for v in verdicts], dtype=torch.float64)
    read = read_texts([c.text for c in completions]) if read_texts else [(False, 0.0)] * len(completions)
    reflects = torch.tensor([float(flag) for flag, _ in read], dtype=torch.float64)
    bins = (length * N_BINS / (max_new_tokens + 1)).long()
    columns = {
        "responses": torch.ones_like(length),
        "reward": torch.tensor(rewards, dtype=torch.float64),
        "right": right,
        "solved": right.view(-1, n_samples).amax(1).repeat_interleave(n_samples),
        "length": length,
        "length_squared": length**2,
        "length_right": length * right,
        "length_squared_right": length**2 * right,
        "truncated": torch.tensor([float(c.is_truncated) for c in completions], dtype=torch.float64),
        "formatted": torch.tensor([float(is_formatted(c.text)) for c in completions], dtype=torch.float64),
        "timeouts": torch.tensor([float(v.reason is Reason.TIMEOUT) for v in verdicts], dtype=torch.float64),
        "reflects": reflects,
        "reflects_right": reflects * right,
        "length_reflects_right": length * reflects * right,
        "repetition": torch.tensor([score for _, score in read], dtype=torch.float64),
    }
    sums = torch.stack([column.sum() for column in columns.values()])
    in_bins = [torch.bincount(bins, weight, N_BINS).double() for weight in (right, 1 - right)]
    total = ranks.sum(torch.cat([sums, *in_bins]).to(ranks.device)).tolist()
    s = dict(zip(columns, total, strict=False))
    n, n_right = s["responses"], s["right"]
    counts = [int(count) for count in total[len(columns) :]]
    lengths_right, lengths_wrong = counts[:N_BINS], counts[N_BINS:]
    histograms = {
        "response_tokens": [a + b for a, b in zip(lengths_right, lengths_wrong, strict=True)],
        "response_tokens_correct": lengths_right,
        "response_tokens_wrong": lengths_wrong,
    }
    metrics = {
        "reward": s["reward"] / n,
        "accuracy": n_right / n,
        "pass_at_n": s["solved"] / n,
        "response_tokens": s["length"] / n,
        "response_tokens_std": _deviation(s["length_squared"], s["length"], n),
        "response_tokens_correct": _mean(s["length_right"], n_right),
        "response_tokens_correct_std": _deviation(s["length_squared_right"], s["length_right"], n_right),
        "response_tokens_wrong": _mean(s["length"] - s["length_right"], n - n_right),
        "response_tokens_wrong_std": _deviation(
            s["length_squared"] - s["length_squared_right"], s["length"] - s["length_right"], n - n_right
        ),
        "truncated": s["truncated"] / n,
        "formatted": s["formatted"] / n,
        "timeouts": s["timeouts"] / n,
        "reflection_rate": s["reflects"] / n if read_texts else None,
        "correct_reflection_tokens": _mean(s["length_reflects_right"], s["reflects_right"]),
        "repetition": s["repetition"] / n if read_texts else None,
    }
    return metrics, histograms


def _mean(total: float, n: float) -> float | None:
    return total / n if n else None


def _deviation(squares: float, total: float, n: float) -> float | None:
    return max(0.0, squares / n - (total / n) ** 2) ** 0.5 if n else None


def rollout_rows(
    step: int,
    asked: list[Prompt],
    seeds: list[int],
    completions: list[Completion],
    verdicts: list[Verdict],
    rewards: list[float],
    n_samples: int,
) -> list[dict]:
    """Rows of rewards.contracts.records.ROLLOUT."""
    logger.debug("step=%d reasons=%s", step, dict(Counter(v.reason for v in verdicts)))
    return [
        {
            "step": step,
            "problem_id": prompt.problem_id,
            "sample": index % n_samples,
            "seed": seed,
            "prompt": prompt.text,
            "response": completion.text,
            "n_prompt_tokens": len(prompt.tokens),
            "n_response_tokens": len(completion.tokens),
            "finish_reason": completion.finish_reason,
            "gold": prompt.gold,
            "extracted": verdict.extracted,
            "reason": str(verdict.reason),
            "reward": reward,
        }
        for index, (prompt, seed, completion, verdict, reward) in enumerate(
            zip(asked, seeds, completions, verdicts, rewards, strict=True)
        )
    ]
