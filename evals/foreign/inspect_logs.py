"""Logs of inspect (.eval and .json), read by its own package, which resolves what they store elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.foreign.response import Response, gold_of, message_text, task_name


def read(path: Path) -> Iterator[Response]:
    try:
        from inspect_ai.log import read_eval_log
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: a log of inspect is read by its own package: pip install inspect_ai"
        ) from None
    log = read_eval_log(str(path), resolve_attachments=True)
    for number, sample in enumerate(log.samples or [], start=1):
        if sample.error is not None:
            raise ValueError(
                f"{path}, sample {number}: it ended with an error, without a response; finish the "
                "evaluation with inspect eval-retry"
            )
        target = sample.target[0] if isinstance(sample.target, list) else sample.target
        usage, stop = sample.output.usage, sample.output.stop_reason if sample.output.choices else None
        problem = _asked(sample.input)
        yield Response(
            origin=f"{path}, sample {number}",
            file=str(path),
            benchmark=task_name(log.eval.task.rpartition("/")[2]),
            text=sample.output.completion,
            problem=problem,
            question_id=str(sample.id),
            gold=gold_of(target) if target else None,
            choices=tuple(sample.choices) if sample.choices else None,
            prompt=problem,
            sample=f"{sample.id}/{sample.epoch}",
            n_tokens=usage.output_tokens if usage else None,
            finish_reason=None if stop is None else "length" if stop == "max_tokens" else "stop",
            conditions={
                name: value
                for name in ("temperature", "top_p", "top_k", "seed")
                if (value := getattr(log.plan.config, name, None)) is not None
            },
        )


def _asked(given: Any) -> str:
    if isinstance(given, str):
        return given
    return next((message_text(turn.text) for turn in reversed(given) if turn.role == "user"), "")
