r"""The known texts of the registered benchmarks, as hashes: an edited or damaged copy of a question is named.

A hash covers the letters, digits and operators of a question and its answer, without spaces, punctuation and
LaTeX that only formats, so that mirrors of one text agree. Where mirrors word a question differently, each is
known. The hashes are facts about published texts; no text is stored here.
`bench/evals/known_questions.py` writes them.

>>> question_hash(r"Is $a_{b} \le \dfrac{1}{2}$?", "070") == question_hash(r"Is \(a_b\leq\frac12\)", "70")
True
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import polars as pl

from evals.benchmarks.registry import LETTERS, split_options
from rewards.contracts.files import hash_text

FILE = Path(__file__).with_name("known.json")
LENGTH = 8
"""Hexadecimal digits of a hash; of 14,000 edited questions, one in 300,000 would pass for a known one."""
MOST_NAMED = 5
DAMAGED = {"aime2025": ("I-14", "II-3", "II-6")}
"""Rows of a mirror in wide use that other mirrors contradict: an angle ZBA without a point Z, a missing
number of sides, a triangle DCF for DGF. They count as unknown."""

_DRAWING = re.compile(r"\[asy\].*?\[/asy\]|!\[[^]]*\]\([^)]*\)", re.DOTALL)
_SPELLINGS = (
    (re.compile(r"(?<!\\)\\[\[\]()]"), " "),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\(le|ge|ne)q?(?![a-zA-Z])"), r"\\\1q"),
    (re.compile(r"\\(cdots|ldots|dots[a-z]?)(?![a-zA-Z])|…|\.\.\."), "dots"),
    (re.compile(r"\^?\{?\\circ|\^?°"), "circ"),
    (
        re.compile(
            r"\\(left|right|displaystyle|limits|big[lr]?|Big[lr]?|quad|qquad|hspace|,|;|!|:)(?![a-zA-Z])"
        ),
        "",
    ),
    (
        re.compile(r"\\(text|mathrm|textbf|mathbf|textit|textrm|mathit|operatorname|emph|mbox)(?![a-zA-Z])"),
        "",
    ),
)
_UNIMPORTANT = re.compile(r"[^\w+\-=<>*/^()\[\]!|%]")


def normal_form(text: str) -> str:
    """What of a question is hashed."""
    text = unicodedata.normalize("NFKC", _DRAWING.sub("", text)).replace("−", "-")
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    return _UNIMPORTANT.sub("", text)


def question_hash(problem: str, answer: str = "", choices: Sequence[str] | None = None) -> str:
    """Hash a question with its answer; options count in any order, and the right one by its text."""
    parts = [problem, answer.lstrip("0") or answer]
    if choices is not None:
        stem = split_options(problem, choices) or problem
        right = choices[LETTERS.index(answer)] if answer in LETTERS[: len(choices)] else answer
        parts = [stem, right, *sorted(choices)]
    return hash_text(normal_form("\n".join(parts)), LENGTH)


@cache
def known_hashes() -> dict[str, frozenset[str]]:
    """Hashes of all known texts by benchmark."""
    stored = json.loads(FILE.read_text(encoding="ascii"))
    return {
        name: frozenset(text[place : place + LENGTH] for place in range(0, len(text), LENGTH))
        for name, text in stored.items()
    }


def unknown_questions(name: str, questions: pl.DataFrame) -> list[str]:
    """The ids of the rows (`registry.QUESTION`) that no known text is; [] if the benchmark has none."""
    known = known_hashes().get(name)
    rows = questions.select("question_id", "problem", "answer", "choices").iter_rows()
    return [] if known is None else [id_ for id_, *question in rows if question_hash(*question) not in known]


def name_unknown(name: str, unknown: list[str], n_questions: int) -> str:
    """One line for the reader.

    >>> name_unknown("aime2025", ["I-14"], 30)
    'aime2025: 1 of 30 questions differs from the published text: I-14; compare before you compare scores'
    """
    named = ", ".join(unknown[:MOST_NAMED]) + (", ..." if len(unknown) > MOST_NAMED else "")
    verb = "questions differs" if len(unknown) == 1 else "questions differ"
    return (
        f"{name}: {len(unknown)} of {n_questions} {verb} from the published text: {named}; "
        "compare before you compare scores"
    )
