"""Extraction of the reference answer from the field that contains it."""

import re

from curation.sources.config import AnswerStyle
from curation.sources.fields import FieldProblem
from rewards.extraction import last_box

_UNIT = re.compile(r"(?<=\S)\s*\([^()]*\)\s*$")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_STATED = re.compile(r"(?s).*\n\s*The (?:final )?answer is:?\s*([^\n]+?)\.?\s*$")
"""A worked solution that ends in a line with the answer."""
_INTEGRAL = re.compile(r"^\s*([-+]?\d+)\.0\s*$")
"""An integer that a table has made a float."""
_ALSO_ACCEPTED = re.compile(
    r"(?i)(?:\n|(?<=\.))\s*(?:note|remark)\s*:?[^\n]{0,120}"
    r"\balso (?:be )?(?:accepted|acceptable|accept)[^\n]*$"
)
"""A second box after the solution, for another answer that a reader would let pass."""
_CALCULATOR = re.compile(r"<<[^<>]*>>")


def extract_answer(text: str, style: AnswerStyle, path: str) -> str:
    """Extract the answer from its field; FieldProblem when it is not there.

    >>> extract_answer("6 * 12 = <<6*12=72>>72 clips.\\n#### 72", "hash", "answer")
    '72'
    >>> extract_answer("so 12\\n#### 12\\nThe answer is: 12", "auto", "response")
    '12'
    >>> extract_answer("d = \\\\boxed{-3}.\\n\\nNote: \\\\boxed{3} is also accepted.", "boxed", "solution")
    '-3'
    >>> extract_answer("204.0", "auto", "answer")
    '204'
    >>> extract_answer("9 (apples)", "unit", "answer"), extract_answer("1,043.0", "number", "answer")
    ('9', '1043')
    """
    if style == "auto":
        style = "hash" if "####" in text else "boxed" if "\\boxed" in text else "plain"
        # Most answers are a number or a formula: a search for a word spares them the patterns.
        if style == "plain" and "answer is" in text and (stated := _STATED.search(text)):
            return stated[1].strip()
        if ".0" in text:
            text = _INTEGRAL.sub(r"\1", text)
    answer: str | None = text
    if style == "hash":
        answer = text.rpartition("####")[2].strip().partition("\n")[0] if "####" in text else None
    elif style == "boxed":
        answer = last_box(_ALSO_ACCEPTED.sub("", text), is_lenient=True)
    elif style == "unit":
        answer = _UNIT.sub("", text)
    elif style == "number":
        answer = _plain_number(text)
    if answer is None or not answer.strip():
        raise FieldProblem("no_answer_found", f"field {path!r} has no answer of style {style}")
    return answer.strip()


def _plain_number(text: str) -> str | None:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    whole, _, decimals = match.group().replace(",", "").partition(".")
    return f"{whole}.{decimals}" if decimals.strip("0") else whole


def clean_solution(text: str) -> str:
    """Remove GSM8K's calculator marks and the #### line from a worked solution.

    >>> clean_solution("48/2 = <<48/2=24>>24 clips.\\n#### 24")
    '48/2 = 24 clips.'
    """
    text = text.partition("####")[0]
    return (_CALCULATOR.sub("", text) if "<<" in text else text).strip()
