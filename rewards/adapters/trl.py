r"""Reward function for TRL's GRPOTrainer and RLOOTrainer.

    from rewards.adapters.trl import math_reward
    trainer = GRPOTrainer(model=..., reward_funcs=math_reward, train_dataset=dataset_with_column_answer)

>>> math_reward(["1+1?"], [r"It is \boxed{2}."], answer=["2"])
[1.0]
"""

from collections.abc import Callable, Sequence
from typing import Any

from rewards.grader import is_gradable, verify_batch
from rewards.verdict import Mode

Completion = str | list[dict[str, Any]]
"""A text, or the messages of an assistant turn."""


def make_math_reward(
    gold_column: str = "answer", mode: Mode = "lenient"
) -> Callable[..., list[float | None]]:
    """Make a reward function that reads the reference answer from `gold_column` of the data set.

    The function returns 1 or 0 for each completion, and None where the reference answer is missing or cannot
    be read: TRL then skips the sample.
    """

    def math_reward(
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        if gold_column not in columns:
            raise ValueError(
                f"the data set has no column {gold_column!r}; it has {', '.join(columns) or 'none'}"
            )
        golds = [None if gold is None else str(gold) for gold in columns[gold_column]]
        texts = [_text(completion) for completion in completions]
        pairs = [(gold or "", text) for gold, text in zip(golds, texts, strict=True)]
        verdicts = verify_batch(pairs, mode)
        if "log_extra" in columns:
            columns["log_extra"]("reason", [str(verdict.reason) for verdict in verdicts])
        return [
            verdict.reward if gold is not None and is_gradable(gold) else None
            for gold, verdict in zip(golds, verdicts, strict=True)
        ]

    return math_reward


def _text(completion: Completion) -> str:
    if isinstance(completion, str):
        return completion
    return "".join(str(message.get("content") or "") for message in completion)


math_reward = make_math_reward()
"""Reads reference answers from column `answer`; accepts a box or an explicit statement."""
