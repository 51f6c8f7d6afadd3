"""Nested fields, looked up by dotted path and read as text."""

import json
import math
import re
from typing import Any


class FieldProblem(Exception):
    """A row's field cannot be used; `reason` is a reject code, `detail` says what was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


MISSING = object()
_OPTION = re.compile(r"(^|(?<=\s))\(?([A-Za-z])\s?\)\s*")


def look_up(value: Any, path: str) -> Any:
    """Follow a dotted path through dictionaries, lists and JSON text; MISSING when it leads nowhere.

    >>> look_up([{"from": "human", "value": "1+1?"}], "0.value")
    '1+1?'
    >>> look_up({"reward_model": {"ground_truth": "4"}}, "reward_model.ground_truth")
    '4'
    >>> look_up({"Problem_7": {"answer": "4"}}, "*.answer")
    '4'
    >>> look_up({"a": 1}, "b") is MISSING
    True
    """
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return MISSING
    if isinstance(value, dict):
        if path in value:
            return value[path]
        head, _, rest = path.partition(".")
        if head == "*" and len(value) == 1:
            (head,) = value
        return look_up(value[head], rest) if rest and head in value else MISSING
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        if not head.removeprefix("-").isdigit() or not -len(value) <= int(head) < len(value):
            return MISSING
        return look_up(value[int(head)], rest) if rest else value[int(head)]
    return MISSING


def as_text(value: Any, path: str) -> str:
    """Read one field as text; an integral float loses its `.0`, a list of one becomes its element.

    >>> as_text(43.0, "target"), as_text(["7"], "final_answer")
    ('43', '7')
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is MISSING or value is None:
        raise FieldProblem("missing_field", f"field {path!r} is {'absent' if value is MISSING else 'null'}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FieldProblem("wrong_type", f"field {path!r} is {value}, expected a finite number")
        value = int(value) if value.is_integer() and abs(value) < 2**53 else value
    if not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise FieldProblem("wrong_type", f"field {path!r} is a {kind}, expected text or a number")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FieldProblem("invalid_utf8", f"field {path!r}: character {error.start} is not UTF-8") from None
    if not text.strip():
        raise FieldProblem("empty_field", f"field {path!r} is empty")
    return text.strip()


def join_sentences(parts: list[str]) -> str:
    """Join texts with spaces, adding a period to parts that lack one.

    >>> join_sentences(["Dan had $ 3 left", "How much did the candy bar cost?"])
    'Dan had $ 3 left. How much did the candy bar cost?'
    """
    return " ".join(part + "." if part[-1].isalnum() and part is not parts[-1] else part for part in parts)


def option_lines(value: Any) -> str:
    """Write lettered options one per line, whatever form they come in; empty when there are none.

    >>> lines = option_lines({"A": "12", "B": "15"})
    >>> lines == option_lines(["A)12", "(B) 15"]) == option_lines("A) 12 B) 15")
    True
    >>> option_lines([[{"aoVal": "A", "content": "12"}], [{"aoVal": "B", "content": "15"}]])
    '(A) 12\\n(B) 15'
    """
    if isinstance(value, dict):
        return "\n".join(f"({letter}) {text}" for letter, text in value.items())
    if isinstance(value, list):
        parts = [one[0] if isinstance(one, list) and one else one for one in value]
        return "\n".join(
            f"({part.get('aoVal')}) {str(part.get('content')).strip()}"
            if isinstance(part, dict)
            else _OPTION.sub(r"(\2) ", str(part), count=1)
            for part in parts
        )
    text = value if isinstance(value, str) else ""
    return _OPTION.sub(r"\n(\2) ", text).replace(" ,\n", "\n").replace(" \n", "\n").strip()


def known_paths(value: Any, depth: int = 3) -> list[str]:
    """List the dotted paths of a row, for error messages."""
    if isinstance(value, dict):
        items: list[tuple[str, Any]] = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(index), inner) for index, inner in enumerate(value[:3])]
    else:
        return []
    paths = []
    for key, inner in items:
        below = known_paths(inner, depth - 1) if depth > 1 else []
        paths += [f"{key}.{path}" for path in below] or [key]
    return paths
