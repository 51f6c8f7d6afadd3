r"""Reward functions for verl.

    python -m verl.trainer.main_ppo reward.custom_reward_function.path=rewards/adapters/verl.py \
        reward.custom_reward_function.name=compute_score ...

`compute_score_batch` is for the reward manager `batch`. Set `reward_kwargs.mode=orz` to require answer tags.

>>> compute_score("math", r"It is \boxed{2}.", "2")
{'score': 1.0, 'acc': 1.0, 'reason': 'correct'}
"""

from collections.abc import Sequence
from typing import Any

from rewards.grader import verify_batch
from rewards.verdict import Mode


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str | None,
    extra_info: dict[str, Any] | None = None,
    mode: Mode = "lenient",
    **kwargs: Any,
) -> dict[str, Any]:
    """Judge one response; `score` is the reward, `acc` and `reason` are logged with it."""
    return compute_score_batch([data_source], [solution_str], [ground_truth], [extra_info], mode=mode)[0]


def compute_score_batch(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str | None],
    extra_infos: Sequence[dict[str, Any] | None] | None = None,
    mode: Mode = "lenient",
    **kwargs: Any,
) -> list[dict[str, Any]]:
    """Judge a batch, in order; nothing matches a missing reference answer."""
    golds = ["" if gold is None else str(gold) for gold in ground_truths]
    verdicts = verify_batch(list(zip(golds, solution_strs, strict=True)), mode)
    return [
        {"score": verdict.reward, "acc": verdict.reward, "reason": str(verdict.reason)}
        for verdict in verdicts
    ]
