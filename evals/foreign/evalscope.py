"""reviews/<model>/<benchmark>_<subset>.jsonl of EvalScope (api/evaluator/cache.py, api/metric/scorer.py).

Since 1.0 a line has `messages` (or `input`), `target`, and the response in sample_score.score.prediction;
before, it had `raw_input` and `choices` with a message and a review each.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evals.benchmarks.rows import Row
from evals.foreign.response import PROBLEM, Response, first_text, gold_of, message_text, task_name


def knows(row: Row) -> bool:
    values = row.values
    is_old = isinstance(values.get("raw_input"), Mapping) and isinstance(values.get("choices"), list)
    return isinstance(values.get("sample_score"), Mapping) or is_old


def read(row: Row, file: str) -> Iterator[Response]:
    yield from _read_old(row, file) if "raw_input" in row.values else _read_new(row, file)


def _read_new(row: Row, file: str) -> Iterator[Response]:
    values, scored = row.values, row.values["sample_score"]
    messages = values.get("messages") or values.get("input") or []
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    asked = [message_text(turn.get("content")) for turn in messages if turn.get("role") == "user"]
    said = [message_text(turn.get("content")) for turn in messages if turn.get("role") == "assistant"]
    text = (scored.get("score") or {}).get("prediction")
    if not isinstance(text, str):
        text = said[-1] if said else None
    if text is None:
        raise row.error("field 'sample_score.score.prediction' is missing: there is no response to score")
    target = values.get("target")
    target = target[0] if isinstance(target, list) and target else target
    group, place = scored.get("group_id"), scored.get("generation_index")
    yield Response(
        origin=f"{row.origin}, row {row.number}",
        file=row.origin,
        benchmark=task_name(file),
        text=text,
        problem=asked[-1] if asked else None,
        gold=gold_of(str(target)) if target else None,
        choices=_choices(scored.get("sample_metadata")),
        prompt=asked[-1] if asked else "",
        sample=f"{values.get('index')}/{group}/{place}",
    )


def _choices(metadata: Any) -> tuple[str, ...] | None:
    found = metadata.get("choices") if isinstance(metadata, Mapping) else None
    return tuple(map(str, found)) if isinstance(found, list) and len(found) > 1 else None


def _read_old(row: Row, file: str) -> Iterator[Response]:
    values = row.values
    for place, choice in enumerate(values["choices"]):
        text = message_text((choice.get("message") or {}).get("content"))
        review = choice.get("review") or {}
        gold = first_text(review, ("gold",))
        yield Response(
            origin=f"{row.origin}, row {row.number}",
            file=row.origin,
            benchmark=task_name(file),
            text=text,
            problem=first_text(values["raw_input"], PROBLEM),
            gold=gold_of(gold) if gold else None,
            sample=f"{values.get('index')}/{place}",
        )
