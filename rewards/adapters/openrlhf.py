r"""Reward function for OpenRLHF.

    openrlhf ... --reward.remote_url rewards/adapters/openrlhf.py --data.label_key label

OpenRLHF passes whole queries: prompt and response, with their special tokens.

>>> reward_func([r"1+1? It is \boxed{2}.<|im_end|>"], ["1+1?"], ["2"])["rewards"].tolist()
[1.0]
"""

import re
from collections.abc import Sequence
from typing import Any

from rewards.grader import verify_batch

_END_TOKENS = re.compile(r"(?:\s*(?:<\|[^|<>]{1,40}\|>|</s>|<pad>))+\s*$")


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **kwargs: Any
) -> dict[str, Any]:
    """Judge responses; return tensors `rewards` and `scores` of shape [batch], and the values to log."""
    import torch

    responses = [
        _END_TOKENS.sub("", query.removeprefix(prompt))
        for query, prompt in zip(queries, prompts, strict=True)
    ]
    verdicts = verify_batch(
        [(str(label), text) for label, text in zip(labels, responses, strict=True)], "lenient"
    )
    rewards = torch.tensor([verdict.reward for verdict in verdicts])
    answered = torch.tensor([float(verdict.extracted is not None) for verdict in verdicts])
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"answered": answered}}
