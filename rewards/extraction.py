r"""Find the answer in a response, in one linear scan.

Prompts end inside an opened `<think>`, so a response normally begins in the thought:

>>> extract_answer(r"2+3=5</think><answer>\boxed{5}</answer>").text
'5'
>>> extract_answer(r"2+3=5</think><answer>5</answer>").reason
<Reason.NO_ANSWER: 'no_answer'>
>>> extract_answer("2+3=5, so the answer is 5.", mode="lenient").text
'5'
>>> extract_answer("2+3=5", mode="flexible")
Extraction(text='5', reason=None, rung='last number')
"""

import re
from dataclasses import dataclass

from rewards.orz.extraction import find_answer
from rewards.responses.boxes import joined_boxes, last_box
from rewards.responses.statements import STATEMENT_CHARS, last_statement
from rewards.responses.thoughts import THOUGHTS, Tags, after_thought
from rewards.verdict import Mode, Reason, Rung

__all__ = ["Extraction", "extract_answer", "is_formatted", "last_box"]

MAX_ANSWER_CHARS = 2000
"""Longest answer that is read, in characters, after runs of whitespace have been collapsed."""
MAX_BOX_CHARS = 200_000
"""Longest box whose whitespace is collapsed at all, in characters."""

_TAG = re.compile(r"</?answer>")
_CAPITAL_TAG = re.compile(r"</?answer>", re.IGNORECASE)
_SPACING = re.compile(r"(?:\\[,;:! ]|~|\s)+")
_FORMULA = re.compile(
    r"\$\$?([^$]{1,2000})\$\$?|\\\(((?:[^\\]|\\[^)]){1,2000}?)\\\)|\\\[((?:[^\\]|\\[^\]]){1,2000}?)\\\]"
)
_NUMBER = re.compile(r"(?<![\w.^_])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?/\s?\d+|\s?%)?(?![\w^])")
_LETTER = re.compile(r"(?<![\w\\])\(?([A-J])\)?(?![\w'’])")


@dataclass(frozen=True, slots=True)
class Extraction:
    """The answer's text and the rung of the ladder that found it, or the reason why there is none."""

    text: str | None
    reason: Reason | None = None
    rung: Rung = "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """How responses are read: what opens and closes a thought, and whether the prompt has opened one already.

    In a thought that the prompt opened, only its closing tag or an answer block ends it: before that there is
    no answer.
    """

    thoughts: tuple[Tags, ...] = THOUGHTS
    is_thinking: bool = False


PLAIN = Reading()


def extract_answer(response: str, mode: Mode = "orz", reading: Reading = PLAIN) -> Extraction:
    r"""Return the answer of a response.

    A tag or a box inside the thought does not count, a block that is never closed contains no answer, and
    text after the block is not read.

    >>> extract_answer(r"Write <answer>\boxed{1}</answer>.</think><answer>\boxed{2}</answer> \boxed{3}").text
    '2'
    >>> extract_answer(r"</think><answer>\boxed{2}").reason
    <Reason.NO_ANSWER: 'no_answer'>
    """
    if mode == "orz_compat":
        return _limit_as_written(find_answer(response))
    if mode != "orz" and "<A" in response:
        response = _CAPITAL_TAG.sub(lambda tag: tag[0].lower(), response)
    is_open = reading.is_thinking and "<answer>" not in response
    region = after_thought(response, reading.thoughts, is_open=is_open)
    block = _last_block(region)
    if mode == "orz":
        return _limit(joined_boxes(block) if block is not None else None, "tagged box")
    if block is not None:
        return _boxed_or_stated(block) or _limit(block, "block")
    if "<answer>" in region:
        return Extraction(None, Reason.NO_ANSWER)
    found = _boxed_or_stated(region)
    if found is None and mode == "flexible":
        found = _last_value(region)
    return found or Extraction(None, Reason.NO_ANSWER)


def is_formatted(response: str) -> bool:
    r"""Tell whether the response has an answer, right or wrong, in the requested format (answer tags, a box).

    >>> is_formatted(r"hm</think><answer>\boxed{7}</answer>"), is_formatted(r"The answer is \boxed{7}")
    (True, False)
    """
    return extract_answer(response, "orz").reason is not Reason.NO_ANSWER


def _last_block(region: str) -> str | None:
    """Content of the last closed answer block."""
    opened, block = None, None
    for tag in _TAG.finditer(region):
        if tag[0] == "<answer>":
            opened = tag.end()
        elif opened is not None:
            block, opened = (opened, tag.start()), None
    return None if block is None else region[block[0] : block[1]]


def _boxed_or_stated(text: str) -> Extraction | None:
    boxed = joined_boxes(text)
    if boxed is not None or "\\boxed" in text:
        return _limit(boxed, "box")
    stated = last_statement(text)
    return None if stated is None else _limit(stated, "statement")


def _last_value(text: str) -> Extraction | None:
    """The last formula, number or letter, as lighteval and lm-eval's flexible extraction take it."""
    tail = text[-STATEMENT_CHARS:]
    finds: list[tuple[int, str, Rung]] = []
    for match in _FORMULA.finditer(tail):
        finds.append((match.end(), next(group for group in match.groups() if group), "last formula"))
    for pattern, rung in ((_NUMBER, "last number"), (_LETTER, "last letter")):
        for match in pattern.finditer(tail):
            finds.append((match.end(), match[1] if rung == "last letter" else match[0], rung))  # type: ignore[arg-type]
    order = ("last letter", "last number", "last formula")
    if not finds:
        return None
    formulas = [find for find in finds if find[2] == "last formula"]
    numbers = [find for find in finds if find[2] == "last number"]
    _, found, rung = max(formulas or numbers or finds, key=lambda find: (find[0], order.index(find[2])))
    return _limit(found, rung)


def _limit(found: str | None, rung: Rung) -> Extraction:
    if found is None:
        return Extraction(None, Reason.NO_ANSWER)
    if len(found) > MAX_BOX_CHARS:
        return Extraction(found[:80], Reason.TOO_LARGE, rung)
    text = _SPACING.sub(" ", found).strip() if len(found) > MAX_ANSWER_CHARS else found.strip()
    if not text:
        return Extraction(None, Reason.NO_ANSWER)
    if len(text) > MAX_ANSWER_CHARS:
        return Extraction(text[:80], Reason.TOO_LARGE, rung)
    return Extraction(text, None, rung)


def _limit_as_written(found: str) -> Extraction:
    """Whitespace counts in the original, so none of it is collapsed."""
    if not found:
        return Extraction(None, Reason.NO_ANSWER)
    if len(found) > MAX_ANSWER_CHARS:
        return Extraction(found[:80], Reason.TOO_LARGE, "as ORZ")
    return Extraction(found, None, "as ORZ")
