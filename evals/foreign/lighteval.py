"""details_<task>_<date>.parquet of lighteval (logging/info_loggers.py, tasks/requests.py).

Since 0.10 a row has the structures `doc` (query, choices, gold_index) and `model_response` (text, one entry a
sample); before, it had `example`, `full_prompt`, `predictions`, `gold` and `choices` side by side.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evals.benchmarks.rows import Row
from evals.foreign.response import Response, are_letters, as_prompt, first_text, gold_of, task_name


def knows(row: Row) -> bool:
    values = row.values
    is_new = isinstance(values.get("doc"), Mapping) and isinstance(values.get("model_response"), Mapping)
    return is_new or ("predictions" in values and ("full_prompt" in values or "example" in values))


def read(row: Row, file: str) -> Iterator[Response]:
    values = row.values
    if "model_response" in values:
        doc, answer = values["doc"], values["model_response"]
        texts, tokens = answer.get("text") or [], answer.get("output_tokens") or []
        thoughts = answer.get("reasonings") or []
        problem = first_text(doc, ("original_query", "query"))
        number, prompt = first_text(doc, ("id",)), as_prompt(answer.get("input"))
        choices, index = doc.get("choices") or [], doc.get("gold_index")
    else:
        texts, tokens, thoughts = values["predictions"], values.get("cont_tokens") or [], []
        problem, number = first_text(values, ("example", "full_prompt")), None
        prompt = values.get("full_prompt") or ""
        choices, index = values.get("choices") or [], values.get("gold_index")
        if not choices and values.get("gold"):
            choices, index = values["gold"], 0
    if not isinstance(texts, list) or not texts:
        raise row.error("it has no generated text (only log-probabilities): it cannot be scored")
    options, gold = _gold(choices, index)
    for place, text in enumerate(texts):
        thought = thoughts[place] if place < len(thoughts) else None
        yield Response(
            origin=f"{row.origin}, row {row.number}",
            file=row.origin,
            benchmark=task_name(file, "details_"),
            text=f"<think>{thought}</think>{text}" if thought and "</think>" not in str(text) else str(text),
            problem=problem,
            gold=gold,
            choices=options,
            prompt=prompt,
            sample=f"{number or row.number}/{place}",
            n_tokens=len(tokens[place]) if place < len(tokens) and isinstance(tokens[place], list) else None,
        )


def _gold(choices: list[Any], index: Any) -> tuple[tuple[str, ...] | None, str | None]:
    """Options, if there are several, and the target: an option's place, or the only text."""
    place = index[0] if isinstance(index, list) and index else index
    if not choices or not isinstance(place, int) or not 0 <= place < len(choices):
        return None, None
    texts = tuple(str(choice) for choice in choices)
    if len(texts) == 1:
        return None, gold_of(texts[0])
    # Letters alone: the texts of the options are in the question.
    return ("",) * len(texts) if are_letters(texts) else texts, str(place)
