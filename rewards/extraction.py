r"""Find the answer in a response, in one linear scan.

Prompts end inside an opened `<think>`, so a response normally begins in the thought:

>>> extract_answer(r"2+3=5</think><answer>\boxed{5}</answer>").text
'5'
>>> extract_answer(r"2+3=5</think><answer>5</answer>").reason
<Reason.NO_ANSWER: 'no_answer'>
>>> extract_answer("2+3=5, so the answer is 5.", mode="lenient").text
'5'
"""

import re
from dataclasses import dataclass

from rewards.orz.extraction import find_answer
from rewards.verdict import Mode, Reason

MAX_ANSWER_CHARS = 2000
"""Longest answer that is read, in characters, after runs of whitespace have been collapsed."""
MAX_BOX_CHARS = 200_000
"""Longest box whose whitespace is collapsed at all, in characters."""

_TAG = re.compile(r"</?answer>")
_BRACE = re.compile(r"\\boxed\s{0,9}\{|\\.|[{}]", re.DOTALL)
_BARE_BOX = re.compile(r"\\boxed\s{0,9}([^\s$.{}]++)(?!\{)")
_SPACING = re.compile(r"(?:\\[,;:! ]|~|\s)+")
_JOINT = re.compile(r"[\s$,;、]|\\[()\[\]]|\\text\s?\{|\}|and|or|和|或")
_STATEMENT = re.compile(
    r"(?:answer|result|solution)(?:,? then,?|\sto (?:the|this) (?:question|problem))?\s?"
    r"(?:is|are|equals|(?:should|must|would|will) be|=|:)\s?(?:\*\*)?:?"
    r"|answer\*\*:?|####|答案\s?(?:是|为|为：|：|:)|\*\*answer\*\*:?|^\W{0,4}final answer\W{0,4}\n\s{0,2}",
    re.IGNORECASE | re.MULTILINE,
)
_STATEMENT_END = re.compile(r"\n|。|\.(?=\s|$)|,? (?:because|since|which|as required)\b", re.IGNORECASE)
_FORMULA = re.compile(r"\s?\${1,2}[^$]{1,2000}(?<![\\\s])\${1,2}")
_CONTINUATION = re.compile(r"\s*(?:,|or\b|and\b|or|\(|±)")
_STATEMENT_CHARS = 20_000
"""An explicit statement is searched for in this many characters from the end."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The answer's text, or the reason why there is none."""

    text: str | None
    reason: Reason | None = None


def extract_answer(response: str, mode: Mode = "orz") -> Extraction:
    r"""Return the answer of a response.

    A tag or a box inside the thought does not count, a block that is never closed contains no answer, and
    text after the block is not read:

    >>> extract_answer(r"Write <answer>\boxed{1}</answer>.</think><answer>\boxed{2}</answer> \boxed{3}").text
    '2'
    >>> extract_answer(r"</think><answer>\boxed{2}").reason
    <Reason.NO_ANSWER: 'no_answer'>
    """
    if mode == "orz_compat":
        return _limit_as_written(find_answer(response))
    region = _region(response)
    block = _last_block(region)
    if mode == "orz":
        found = _last_box(block) if block is not None else None
    elif block is not None:
        found = _boxed_or_stated(block, is_block=True)
    elif "<answer>" in region:
        found = None
    else:
        found = _boxed_or_stated(region, is_block=False)
    return _limit(found)


def is_formatted(response: str) -> bool:
    r"""Tell whether the response has an answer, right or wrong, in the requested format (answer tags, a box).

    >>> is_formatted(r"hm</think><answer>\boxed{7}</answer>"), is_formatted(r"The answer is \boxed{7}")
    (True, False)
    """
    return extract_answer(response, "orz").reason is not Reason.NO_ANSWER


def last_box(text: str, *, is_lenient: bool = False) -> str | None:
    r"""Return the content of the last balanced box, the innermost when boxes are nested.

    `is_lenient` also accepts \fbox and a box without braces, as found in solutions of published corpora.

    >>> last_box(r"\boxed{\boxed{\{1\}}} and \boxed{"), last_box(r"thus \boxed 5.")
    ('\\{1\\}', None)
    >>> last_box(r"thus \boxed 5.", is_lenient=True), last_box(r"\fbox{6}", is_lenient=True)
    ('5', '6')
    """
    if is_lenient:
        text = _BARE_BOX.sub(r"\\boxed{\1}", text.replace("\\fbox", "\\boxed"))
    box = _box_span(text)
    return text[box[1] : box[2]] if box else None


def _region(response: str) -> str:
    """The part of the response in which an answer counts: what follows the thought."""
    _, closing, after = response.rpartition("</think>")
    if closing:
        return after
    return "" if "<think>" in response else response


def _last_block(region: str) -> str | None:
    """Content of the last closed answer block."""
    opened, block = None, None
    for tag in _TAG.finditer(region):
        if tag[0] == "<answer>":
            opened = tag.end()
        elif opened is not None:
            block, opened = (opened, tag.start()), None
    return None if block is None else region[block[0] : block[1]]


def _box_span(text: str, end: int | None = None) -> tuple[int, int, int] | None:
    """Find the balanced box that starts last; return its start, and the start and end of its content."""
    stack: list[tuple[int, int] | None] = []
    best: tuple[int, int, int] | None = None
    for match in _BRACE.finditer(text, 0, len(text) if end is None else end):
        token = match[0]
        if token == "}":
            opened = stack.pop() if stack else None
            if opened and (best is None or opened[0] > best[0]):
                best = (*opened, match.start())
        elif token == "{":
            stack.append(None)
        elif token.startswith("\\boxed"):
            stack.append((match.start(), match.end()))
    return best


def _last_box(text: str) -> str | None:
    r"""Content of the last box, joined with those before it when only "and", "or" or a comma is between."""
    box = _box_span(text)
    if box is None:
        return None
    parts = [text[box[1] : box[2]]]
    while len(parts) < 10:
        before = _box_span(text, box[0])
        if before is None or before[2] >= box[0]:
            break
        between = text[before[2] + 1 : box[0]]
        if len(between) > 40 or _JOINT.sub("", between) or not re.search(r"[,;、和或]|and|or", between):
            break
        parts.insert(0, text[before[1] : before[2]])
        box = before
    return ", ".join(parts)


def _boxed_or_stated(text: str, *, is_block: bool) -> str | None:
    boxed = _last_box(text)
    if boxed is not None or "\\boxed" in text:
        return boxed
    tail = text[-_STATEMENT_CHARS:]
    statements = list(_STATEMENT.finditer(tail))
    if not statements:
        return text if is_block else None
    stated = tail[statements[-1].end() :].lstrip(" *:：\t")
    formula = _FORMULA.match(stated)
    if formula and not _CONTINUATION.match(stated, formula.end()):
        return formula[0]
    stop = _STATEMENT_END.search(stated)
    return (stated[: stop.start()] if stop else stated).strip(" *_`")


def _limit(found: str | None) -> Extraction:
    if found is None:
        return Extraction(None, Reason.NO_ANSWER)
    if len(found) > MAX_BOX_CHARS:
        return Extraction(found[:80], Reason.TOO_LARGE)
    text = _SPACING.sub(_narrow, found).strip() if len(found) > MAX_ANSWER_CHARS else found.strip()
    if not text:
        return Extraction(None, Reason.NO_ANSWER)
    if len(text) > MAX_ANSWER_CHARS:
        return Extraction(text[:80], Reason.TOO_LARGE)
    return Extraction(text)


def _limit_as_written(found: str) -> Extraction:
    """Whitespace counts in the original, so none of it is collapsed."""
    if not found:
        return Extraction(None, Reason.NO_ANSWER)
    return Extraction(found) if len(found) <= MAX_ANSWER_CHARS else Extraction(found[:80], Reason.TOO_LARGE)


def _narrow(run: re.Match[str]) -> str:
    return " "
