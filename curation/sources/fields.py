"""Nested fields, looked up by dotted path and read as text."""

import ast
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
_OPTION = re.compile(r"(^|(?<=[\s,;]))[(\[{]?([A-Za-z])\s?(?:[)\]}]|[.:](?=\s|$))\s*")
_LONGEST_LITERAL = 200_000
_USERS = ("user", "human")


def look_up(value: Any, path: str) -> Any:
    """Follow a dotted path through dictionaries, lists and JSON text; MISSING when it leads nowhere.

    >>> look_up([{"from": "human", "value": "1+1?"}], "0.value")
    '1+1?'
    >>> look_up({"reward_model": {"ground_truth": "4"}}, "reward_model.ground_truth")
    '4'
    >>> look_up({"Problem_7": {"answer": "4"}}, "*.answer")
    '4'
    >>> chat = [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "<think>"}]
    >>> look_up(chat, "user.content")
    '1+1?'
    >>> look_up({"info": "{'ground_truth': '12'}"}, "info.ground_truth")
    '12'
    >>> look_up({"a": 1}, "b") is MISSING
    True
    """
    if isinstance(value, str):
        value = parse_literal(value)
    if isinstance(value, dict):
        if path in value:
            return value[path]
        head, _, rest = path.partition(".")
        if head == "user" and value and all(str(key).isdigit() for key in value):
            value = list(value.values())
            return look_up(value, path)
        if head == "*" and len(value) == 1:
            (head,) = value
        return look_up(value[head], rest) if rest and head in value else MISSING
    if isinstance(value, str) and path in ("user.content", "user.value"):
        return value
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        if head == "user":
            turn = _last_user_turn(value)
            return look_up(turn, rest) if rest and turn is not MISSING else turn
        if not head.removeprefix("-").isdigit() or not -len(value) <= int(head) < len(value):
            return MISSING
        return look_up(value[int(head)], rest) if rest else value[int(head)]
    return MISSING


def look_up_first(value: Any, paths: str) -> Any:
    """Follow `a|b`: the first of the paths that leads to something.

    >>> look_up_first({"b": 1}, "a|b")
    1
    """
    for path in paths.split("|"):
        found = look_up(value, path)
        if found is not MISSING and found is not None:
            return found
    return found


def after_last(text: str, marks: tuple[str, ...]) -> str:
    """What follows the last line that begins with one of the marks; the text itself when there is none.

    >>> after_last("Question: 1+1? Answer: 2\\n\\nQuestion: 2+2?", ("Question:",))
    '2+2?'
    """
    if not marks:
        return text
    found = list(re.finditer(rf"(?m)^\s*(?:{'|'.join(map(re.escape, marks))})", text))
    return text[found[-1].end() :].strip() or text if found else text


def parse_literal(text: str) -> Any:
    """Parse a text that is a JSON or Python dictionary or list; any other text is returned as it is."""
    bare = text.strip()
    if bare[:1] not in ("{", "[") or bare[-1:] not in ("}", "]") or len(bare) > _LONGEST_LITERAL:
        return text
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(bare)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _last_user_turn(messages: list) -> Any:
    """The last message by the user; of messages without roles, the last one."""
    turns = [one for one in messages if isinstance(one, dict)]
    roles = [str(one.get("role", one.get("from", ""))).lower() for one in turns]
    if not any(roles):
        return turns[-1] if turns else MISSING
    return next((one for one, role in zip(turns[::-1], roles[::-1], strict=True) if role in _USERS), MISSING)


def answer_text(value: Any, path: str) -> str:
    r"""Read the field of an answer as text: a list of texts, also written as JSON or Python, is a list of
    solutions; one of them stands for itself.

    >>> answer_text('["3"]', "gold"), answer_text(["2", "-5"], "gold"), answer_text("[1, 2]", "gold")
    ('3', '2, -5', '[1, 2]')
    """
    if isinstance(value, str):
        parsed = parse_literal(value)
        if isinstance(parsed, list) and parsed and all(isinstance(one, str) for one in parsed):
            value = parsed
    if isinstance(value, list) and len(value) > 1 and not any(isinstance(one, list | dict) for one in value):
        return ", ".join(as_text(one, path) for one in value)
    return as_text(value, path)


def as_text(value: Any, path: str) -> str:
    """Read one field as text; an integral float loses its `.0`, a list of one becomes its element, and the
    parts of a message become one text.

    >>> as_text(43.0, "target"), as_text(["7"], "final_answer")
    ('43', '7')
    >>> as_text([{"type": "text", "text": "1+1?"}, {"type": "image"}], "prompt.user.content")
    '1+1?\\n<image>'
    """
    if isinstance(value, list) and value and all(isinstance(one, dict) and "type" in one for one in value):
        value = "\n".join(str(one.get("text", f"<{one['type']}>")) for one in value)
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
    >>> lines == option_lines(["A)12", "(B) 15"]) == option_lines("A) 12 B) 15") == option_lines(["12", "15"])
    True
    >>> lines == option_lines("['A) 12', 'B) 15']")
    True
    >>> lines == option_lines({"label": ["A", "B"], "text": ["12", "15"]})
    True
    >>> option_lines([[{"aoVal": "A", "content": "12"}], [{"aoVal": "B", "content": "15"}]])
    '(A) 12\\n(B) 15'
    >>> option_lines("a ) 38 , b ) 27")
    '(a) 38\\n(b) 27'
    """
    if isinstance(value, str):
        value = parse_literal(value)
    if isinstance(value, dict):
        columns = [one for one in value.values() if isinstance(one, list)]
        if len(columns) == 2 and len(columns[0]) == len(columns[1]):
            value = dict(zip(*sorted(columns, key=lambda one: sum(len(str(x)) for x in one)), strict=True))
        return "\n".join(f"({letter}) {text}" for letter, text in value.items())
    if isinstance(value, list):
        parts = [one[0] if isinstance(one, list) and one else one for one in value]
        return "\n".join(_option_line(place, part) for place, part in enumerate(parts))
    text = value if isinstance(value, str) else ""
    lines = _OPTION.sub(r"\n(\2) ", text)
    return re.sub(r"\s*[,;]?\s*\n", "\n", lines).strip()


def _option_line(place: int, part: Any) -> str:
    letter = chr(ord("A") + place % 26)
    if isinstance(part, dict):
        texts = [str(one) for one in part.values() if one is not None]
        label = next((one for one in texts if re.fullmatch(r"\(?[A-Za-z]\)?\.?", one.strip())), letter)
        others = [one for one in texts if one is not label]
        return f"({label.strip('().')}) {max(others, key=len, default='').strip()}"
    text = str(part).strip()
    return _OPTION.sub(r"(\2) ", text, count=1) if _OPTION.match(text) else f"({letter}) {text}"


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
