"""samples_<task>_<date>.jsonl of lm-evaluation-harness 0.4 (evaluator.py and loggers/evaluation_tracker.py).

A line has the row of the data set (`doc`), `target`, the prompt (`arguments`), and in `resps` a list of texts
for each request: repeats of one prompt, or for multiple choice [log-probability, is greedy] of each option.
The same responses come once for each filter; what a filter made of them is not read.
"""

from collections.abc import Iterator
from typing import Any

from evals.benchmarks.registry import LETTERS
from evals.benchmarks.rows import Row
from evals.foreign.response import PROBLEM, Response, as_prompt, first_text, gold_of, option_texts, task_name


def knows(row: Row) -> bool:
    return "doc_id" in row.values and "resps" in row.values and "target" in row.values


def read(row: Row, file: str) -> Iterator[Response]:
    values = row.values
    doc = values["doc"] if isinstance(values.get("doc"), dict) else {}
    arguments = values.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments or []
    first = requests[0] if requests else {}
    of_first = list(first.values()) if isinstance(first, dict) else list(first)
    prompt, settings = (*of_first, None, None)[:2]
    choices = _choices(doc)
    texts, by_probability = _texts(row, values["resps"])
    if by_probability and choices is None:
        choices = ("",) * len(values["resps"])
    for index, text in enumerate(texts):
        yield Response(
            origin=f"{row.origin}, row {row.number}",
            file=row.origin,
            benchmark=task_name(file, "samples_"),
            text=text,
            problem=first_text(doc, PROBLEM),
            question_id=first_text(doc, ("id", "unique_id", "question_id", "Record ID")),
            gold=_gold(values["target"], choices),
            choices=choices,
            prompt=as_prompt(prompt),
            sample=f"{values['doc_id']}/{index}",
            conditions=_conditions(settings),
        )


def _texts(row: Row, resps: Any) -> tuple[list[str], bool]:
    """The responses; and whether these are letters, chosen by log-probability."""
    if not isinstance(resps, list) or not resps:
        raise row.error("field 'resps' has no responses")
    groups = [group if isinstance(group, list) else [group] for group in resps]
    pairs = [group[0] if group and isinstance(group[0], list) else group for group in groups]
    if len(pairs) > 1 and all(len(pair) == 2 and _is_number(pair[0]) for pair in pairs):
        best = max(range(len(pairs)), key=lambda place: float(pairs[place][0]))
        return [LETTERS[best]], True
    texts = [text for group in groups for text in group]
    if not all(isinstance(text, str) for text in texts):
        raise row.error("field 'resps' holds no texts: only generated answers and multiple choice are scored")
    return texts, False


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _choices(doc: dict[str, Any]) -> tuple[str, ...] | None:
    """Options in the row of a data set; some tasks have them as choice1, choice2, ..."""
    for name in ("choices", "options"):
        if found := option_texts(doc.get(name)):
            return found
    numbered = [str(doc[name]) for number in range(1, 11) if (name := f"choice{number}") in doc]
    return tuple(numbered) if len(numbered) > 1 else None


def _gold(target: Any, choices: tuple[str, ...] | None) -> str | None:
    """The target; an index of an option stays one, which matching turns into its letter."""
    text = str(target).strip()
    return (text if choices else gold_of(text)) or None


def _conditions(settings: Any) -> dict[str, Any]:
    """Sampling settings that the request names, by our names."""
    if not isinstance(settings, dict):
        return {}
    known = {name: settings[name] for name in ("temperature", "top_p", "top_k") if name in settings}
    if "max_gen_toks" in settings:
        known["max_new_tokens"] = settings["max_gen_toks"]
    return known | ({"stop": settings["until"]} if isinstance(settings.get("until"), list) else {})
