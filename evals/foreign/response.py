"""One stored response of any tool, and what its fields say; the base of every layout."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evals.benchmarks.registry import LETTERS
from rewards.extraction import last_box

PROBLEM = ("problem", "question", "Question", "Problem", "query", "input")
"""Where a question's text is, in the order in which the names are tried."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response with all that its file says of it; None: not stated."""

    origin: str
    """File and row, for messages."""
    file: str
    benchmark: str
    """Name of the benchmark in the file, or of the file."""
    text: str
    problem: str | None = None
    question_id: str | None = None
    gold: str | None = None
    choices: tuple[str, ...] | None = None
    """Texts of the options, in the order that the model saw; empty texts when only their number is known."""
    prompt: str = ""
    sample: str | None = None
    """What tells the samples of one question apart, if the tool numbers them."""
    n_tokens: int | None = None
    finish_reason: str | None = None
    conditions: Mapping[str, Any] | None = None


def first_text(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of the fields that is a text or a number.

    >>> first_text({"id": None, "unique_id": 7}, ("id", "unique_id"))
    '7'
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        if text.strip():
            return text
    return None


def gold_of(text: str) -> str:
    r"""The answer in a target, which may be a whole worked solution.

    >>> gold_of("She has 9 + 9 eggs.\n#### 1,018"), gold_of(r"so \boxed{\frac{1}{2}}."), gold_of(" 5 ")
    ('1018', '\\frac{1}{2}', '5')
    """
    _, mark, tail = text.rpartition("####")
    if mark and tail.strip():
        return tail.strip().replace(",", "")
    return (last_box(text) or text).strip()


def option_texts(value: Any) -> tuple[str, ...] | None:
    """Texts of options: a list, or a table from letters to texts, also as {"text": [...], "label": [...]}."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    elif isinstance(value, Mapping):
        value = [value[key] for key in sorted(value)]
    is_list = isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value)
    return tuple(str(item) for item in value) if is_list and len(value) > 1 else None


def are_letters(choices: Iterable[str]) -> bool:
    """True for options that are only named: their texts are in the question.

    >>> are_letters([" A", "B"]), are_letters(["4", "7"])
    (True, False)
    """
    return all(choice.strip(" ().") == letter for choice, letter in zip(choices, LETTERS, strict=False))


def message_text(content: Any) -> str:
    """The text of a chat message, whose content may be a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") or "" for part in content if isinstance(part, Mapping)]
        return "".join(parts)
    return content if isinstance(content, str) else ""


def as_prompt(value: Any) -> str:
    """A prompt as text: messages as JSON, a list of one as this one."""
    if isinstance(value, list | tuple) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def asked(prompt: str) -> str:
    """What a prompt asks: of a conversation in JSON the user's last message, of any other text all of it.

    >>> asked('[{"role": "system", "content": "Hi"}, {"role": "user", "content": "2+3?"}]'), asked("2+3?")
    ('2+3?', '2+3?')
    """
    if prompt.startswith("[{"):
        try:
            turns = json.loads(prompt)
        except ValueError:
            return prompt
        said = [message_text(turn.get("content")) for turn in turns if turn.get("role") in ("user", "human")]
        return said[-1] if said else ""
    return prompt


def task_name(file: str, prefix: str = "") -> str:
    """A benchmark's name from a file's: without prefix, date and endings, as a name of ours.

    >>> task_name("samples_gsm8k_2025-01-02T03-04-05.678901.jsonl", "samples_")
    'gsm8k'
    >>> task_name("details_lighteval|math_500|0_2025-01-02T03-04-05.1.parquet", "details_")
    'lighteval-math_500-0'
    """
    stem = re.sub(r"\.(jsonl|json|parquet|eval)(\.gz)?$", "", file).removeprefix(prefix)
    stem = re.sub(r"_?\d{4}-\d\d-\d\dT[\d:.+-]+(_|$)", "", stem)
    return re.sub(r"[^a-z0-9_]+", "-", stem.lower()).strip("-_") or "samples"
