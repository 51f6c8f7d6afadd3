"""Rows of one's own: a problem or an id, an answer perhaps, and one response or a list of them.

{"problem": "What is 2+3?", "answer": "5", "responses": ["\\\\boxed{5}", "6"]}
"""

from collections.abc import Iterator
from typing import Any

from evals.benchmarks.rows import Row
from evals.foreign.response import (
    PROBLEM,
    Response,
    as_prompt,
    asked,
    first_text,
    gold_of,
    message_text,
    option_texts,
    task_name,
)

SINGLE = ("response", "completion", "prediction", "output", "generation", "model_output", "generated_text")
SEVERAL = tuple(f"{name}s" for name in SINGLE)
ANSWER = ("answer", "gold", "target", "final_answer", "expected_answer", "ground_truth", "reference", "label")
IDS = ("id", "question_id", "problem_id", "unique_id", "idx", "index")


def knows(row: Row) -> bool:
    return any(row.values.get(name) is not None for name in (*SEVERAL, *SINGLE))  # "" is a response


def read(row: Row, file: str) -> Iterator[Response]:
    values = row.values
    name = next(name for name in (*SEVERAL, *SINGLE) if values.get(name) is not None)
    given = values[name] if isinstance(values[name], list) else [values[name]]
    choices = option_texts(values.get("choices")) or option_texts(values.get("options"))
    gold = first_text(values, ANSWER)
    problem = first_text(values, PROBLEM)
    if problem is None and isinstance(values.get("messages"), list):
        problem = asked(as_prompt(values["messages"])) or None
    question_id = first_text(values, IDS)
    if problem is None and question_id is None:
        raise row.error(f"it has neither a problem ({', '.join(PROBLEM)}) nor an id ({', '.join(IDS)})")
    seed = first_text(values, ("seed", "sample"))
    for place, text in enumerate(given):
        yield Response(
            origin=f"{row.origin}, row {row.number}",
            file=row.origin,
            benchmark=task_name(file),
            text=_text(row, name, text),
            problem=problem,
            question_id=question_id,
            gold=(gold if choices else gold_of(gold)) if gold else None,
            choices=choices,
            prompt=as_prompt(values.get("prompt")),
            sample=None if seed is None else f"{seed}/{place}",
            finish_reason=_finish(values.get("finish_reason")),
        )


def _text(row: Row, name: str, given: Any) -> str:
    text = given
    if isinstance(given, dict) and (given.keys() & {"text", "content"}):
        text = message_text(given.get("text", given.get("content")))
    if not isinstance(text, str):
        raise row.error(f"field {name!r} holds {type(given).__name__}, expected text")
    return text


def _finish(value: Any) -> str | None:
    return value if value in ("stop", "length") else None
