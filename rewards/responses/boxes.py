r"""Boxes: the last balanced \boxed{} of a text, joined with those before it when they are one list.

A box without braces holds one character, as in TeX.

>>> last_box(r"\boxed{\boxed{\{1\}}} and \boxed{"), last_box(r"thus \boxed 5."), last_box(r"\fbox{6}")
('\\{1\\}', '5', '6')
>>> joined_boxes(r"$x=\boxed{2}$ and $x=\boxed{3}$"), joined_boxes(r"\boxed{2} so \boxed{3}")
('x=2, x=3', '3')
"""

import re
from typing import Any, NamedTuple

MAX_JOINED = 10
"""Most boxes that are joined into one list."""
MAX_BETWEEN_CHARS = 60
_BRACE = re.compile(r"\\boxed\s{0,9}\{|\\(?!\\boxed).|[{}]", re.DOTALL)
_INSIDE = r"(?:[^{}\\]++|\\(?!f?box|framebox)[A-Za-z,;!])"
_ONLY_BOX = re.compile(
    rf"[^{{}}\\]*+\\boxed\{{((?:{_INSIDE}|\{{(?:{_INSIDE}|\{{{_INSIDE}*+\}})*+\}})*+)\}}[^{{}}\\]*+"
)
"""The usual case, in one go: one box, nothing but prose around it, at most two levels of braces in it."""
_BARE_BOX = re.compile(r"\\boxed\s{0,9}([^\W_]|\\[A-Za-z]++)(?![\w{])")
_LONG_BARE_BOX = re.compile(r"\\boxed\s{0,9}([^\s$.{}]++)(?!\{)")
_JOINT = (
    r"(?:[\s$,;、&~]|\\[()\[\],;:! ]|\\q?quad(?![A-Za-z])"
    r"|\\(?:text|textbf|mathrm)\s?\{|\}|\*\*|and\b|or\b|和|或者?)"
)
_NAME = r"(?P<name>(?:\\[A-Za-z]+|[A-Za-z])(?:_\{?\w{1,4}\}?)?'{0,2}(?:\([a-z]\))?)\s?=\s?"
_BETWEEN = re.compile(rf"{_JOINT}*+(?:{_NAME})?")
_NAMED = re.compile(rf"(?:^|[\s$(\[,]){_NAME}$")
_SEPARATOR = re.compile(r"[,;、和或]|\b(?:and|or)\b")
_PROSE = re.compile(
    r"(?:\\[()\[\] ,;:!]|\\(?:display|text)style|\\q?quad(?![A-Za-z])|\\n(?![A-Za-z])"
    r"|\\(?:text|textbf|mathbf)\s?\{|[^\d\\=+*/^_<>])*"
)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
"""Three words of prose before a box, or two and an equation: the text is a solution, not only its answer."""
_EQUALS = re.compile(r"[=≈]\s*$")
_TAIL = re.compile(r"[\s$]*(?P<words>[A-Za-z]+(?: [A-Za-z]+){0,2})[\s$.]*")
"""Words after a box that can be its unit."""
_PUNCTUATION = re.compile(r"(?:[\s$.。!~*}]|\\end\{[a-z]+\*?\}|\\[()\[\]\\ ,;!]|\\q?quad(?![A-Za-z]))*")


class Box(NamedTuple):
    """Where a box starts, where its content starts and ends, and where the box itself ends."""

    start: int
    inner: int
    end: int
    stop: int = 0


def last_box(text: str, *, is_lenient: bool = False) -> str | None:
    r"""Return the content of the last balanced box, the innermost when boxes are nested; \fbox counts too.

    `is_lenient` also reads more than one character after a bare \boxed, as found in published solutions.

    >>> last_box(r"thus \boxed 15."), last_box(r"thus \boxed 15.", is_lenient=True)
    (None, '15')
    """
    text = _spelled_out(_LONG_BARE_BOX.sub(r"\\boxed{\1}", text) if is_lenient else text)
    box = _span(text)
    if box is None:
        return None
    content = text[box.inner : box.end]
    return last_box(content) or content


def joined_boxes(text: str) -> str | None:
    """Return the last box, joined with those before it when only commas, "and", "or" and names are
    between."""
    if only := _ONLY_BOX.fullmatch(text):
        return only[1]
    text = _spelled_out(text)
    boxes = _joined(text)
    return _content(text, boxes) if boxes else None


def unboxed(text: str) -> str:
    r"""Return an answer without its box.

    Prose before the box is dropped; of anything else around it, only the box itself is taken off.

    >>> unboxed(r"So it is \boxed{5}."), unboxed(r"\boxed{1} and \boxed{2}"), unboxed(r"\boxed{60}, 70")
    ('5', '1, 2', '{60}, 70')
    >>> unboxed(r"We have $4(3)=\boxed{12}$ miles.")
    '12 miles'
    """
    text = _spelled_out(text)
    boxes = _joined(text)
    if boxes:
        first = _named(text, boxes[0])
        before = text[: boxes[0].start - len(first)]
        if "\\boxed" in before:  # no part of the list
            return text.replace("\\boxed", " ").strip()
        if _PROSE.fullmatch(before) or len(_WORD.findall(before)) > (1 if _EQUALS.search(before) else 2):
            content = first + _content(text, boxes) if len(boxes) == 1 else _content(text, boxes)
            if _PUNCTUATION.fullmatch(text, boxes[-1].stop + 1):
                return content
            if _EQUALS.search(before) and (tail := _TAIL.fullmatch(text, boxes[-1].stop + 1)):
                return f"{content} {tail['words']}"
    return text.replace("\\boxed", " ").strip() if "\\boxed" in text else text


def _spelled_out(text: str) -> str:
    if "\\fbox" in text or "\\framebox" in text:
        text = text.replace("\\fbox", "\\boxed").replace("\\framebox", "\\boxed")
    return _BARE_BOX.sub(r"\\boxed{\1}", text) if "\\boxed" in text else text


def _span(text: str, end: int | None = None) -> Box | None:
    """Find the last balanced box; of boxes in boxes the outer one, whose whole content is the answer."""
    stack: list[tuple[int, int] | None] = []
    closed: list[tuple[Box, Any]] = []
    """Each box that no other encloses so far, and the same pair for the only box in it."""
    for match in _BRACE.finditer(text, 0, len(text) if end is None else end):
        token = match[0]
        if token == "}":
            opened = stack.pop() if stack else None
            if opened:
                inside = []
                while closed and closed[-1][0].start > opened[0]:
                    inside.append(closed.pop())
                closed.append((Box(*opened, match.start()), inside[0] if len(inside) == 1 else None))
        elif token == "{":
            stack.append(None)
        elif token.startswith("\\boxed"):
            stack.append((match.start(), match.end()))
    return _core(text, *closed[-1]) if closed else None


def _core(text: str, box: Box, inside: Any) -> Box:
    """The innermost of boxes that hold nothing but one another; it starts and ends where the outer one
    does."""
    core = box
    while inside and not (
        text[core.inner : inside[0].start].strip() or text[inside[0].end + 1 : core.end].strip()
    ):
        core, inside = inside
    return Box(box.start, core.inner, core.end, box.end)


def _joined(text: str) -> list[Box]:
    box = _span(text)
    boxes = [box] if box else []
    while boxes and len(boxes) < MAX_JOINED and "\\boxed" in text[: boxes[0].start]:
        before = _span(text, boxes[0].start)
        if before is None or before.stop >= boxes[0].start:
            break
        between = text[before.stop + 1 : boxes[0].start]
        if (
            len(between) > MAX_BETWEEN_CHARS
            or not _BETWEEN.fullmatch(between)
            or not _SEPARATOR.search(between)
        ):
            break
        boxes.insert(0, before)
    return boxes


def _content(text: str, boxes: list[Box]) -> str:
    if len(boxes) == 1:
        return text[boxes[0].inner : boxes[0].end]
    return ", ".join(_named(text, box).strip() + text[box.inner : box.end] for box in boxes)


def _named(text: str, box: Box) -> str:
    """The name in front of a box: x_1= in x_1=\\boxed{2}."""
    start = max(0, box.start - MAX_BETWEEN_CHARS)
    match = _NAMED.search(text[start : box.start])
    return text[start + match.start("name") : box.start] if match else ""
