"""Filters of problems: each has a reason code and an expression that is true for the rows it removes.

Order matters only for the reason: a row is rejected by the first filter it matches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import Field

from rewards.contracts.settings import Settings


class FilterConfig(Settings):
    """Which problems are unsuited to a binary, rule-based reward."""

    languages: Literal["en", "en+zh"] = "en"
    """English alone (the paper's final choice) or English and Chinese."""
    min_problem_chars: int = Field(default=4, ge=1)
    """Shortest problem, in characters."""
    max_problem_chars: int = Field(default=4000, ge=1)
    """Longest problem, in characters."""
    max_answer_chars: int = Field(default=150, ge=1)
    """Longest answer, in characters; longer ones are derivations, not results."""
    multiple_choice: bool = True
    """Remove problems with lettered options, which can be guessed."""
    proof: bool = True
    """Remove problems that ask for a proof, which have no answer to compare with."""
    multi_part: bool = True
    """Remove problems with numbered parts, which one answer cannot cover."""
    missing_figure: bool = True
    """Remove problems that refer to a picture or contain one as code."""
    yes_no: bool = True
    """Remove problems with a yes/no or true/false answer, where half of all guesses are right."""
    holds_answer: bool = True
    """Remove problems whose text reveals the answer, in a box or a fold-out section."""


@dataclass(frozen=True, slots=True)
class Filter:
    reason: str
    detail: str
    removes: Callable[[FilterConfig], pl.Expr]


PROBLEM, ANSWER, WRITTEN = pl.col("problem"), pl.col("answer"), pl.col("written")

_MARK = r"(?:^|[\s(（{\\$~*])"
_AFTER = r"\s*[)）.．、:：}]"
_BOLD = r"\\(?:textbf|text|mathrm|bf)\s*\{?\s*\(?"
_OPTIONS = (
    rf"(?s)(?i:{_BOLD}a\).{{0,600}}?{_BOLD}b\).{{0,600}}?{_BOLD}c\))"
    rf"|{_MARK}A{_AFTER}.{{0,600}}?{_MARK}B{_AFTER}.{{0,600}}?{_MARK}C{_AFTER}"
)
_PROOF = (
    r"\b[Pp]rove (?:that|the|your|if|or|it|algebraically)\b|(?:^|\n|[.,;:]\s)\s*(?:\(\w+\)\s*)?Prove\b"
    r"|(?:^|\n|[.,;:]\s)\s*(?:\(\w+\)\s*)?(?:and |then )?[Ss]how that\b|证明|求证"
)
_TASK = (
    r"(?i:find|determine|calculate|compute|evaluate|solve|what|how|prove|show|write|sketch|求|证|计算|若|写)"
)
_PARTS = (
    r"(?s)(?:^|\n|[.。;；:：?？!]\s*|\\\\\s*)\$?[(（](?:1|i|I|a|①)[)）].+?"
    rf"(?:\n|[.。;；,，?？!\s]\s*|\\\\\s*)\$?[(（](?:2|ii|II|b|②)[)）]\$?\s*[^\n]{{0,80}}?{_TASK}"
    # One formula per part, under a common task.
    r"|^\s*(?:Calculate|Compute|Simplify|Evaluate|Solve|Factori[sz]e|计算|化简|解方程)"
    r"(?: (?:the|each|of|these|following|expressions?|equations?|inequalit(?:y|ies))){0,4}\s*[:：.]?\s*"
    r"\$?[(（](?:1|①)[)）].*[\n;；]\s*\$?[(（](?:2|②)[)）]"
)
_PICTURE = r"(?:figure|diagram|picture|graph|chart|table)"
_FIGURE = (
    r"(?i)\[asy\]|\\includegraphics|!\[|<image|\bas (?:shown|pictured|illustrated)\b"
    rf"|\b(?:in|see|from|using|study|consult) the {_PICTURE} (?:below|above|at|to|on|shown)\b"
    rf"|\b{_PICTURE}s? (?:below|above|shown|given below)\b"
    rf"|\bthe (?:following|adjoining|accompanying) {_PICTURE}\b|\bin the (?:figure|diagram|picture)\b"
    r"|如图|下图|图中|见图|图所示"
)
_HELD_ANSWER = (
    r"\\boxed\s*\{\s*(?:\\[a-z]+\s*\{?\s*)*[-+]?\s*(?:\d|[A-Za-z]\s*\})"
    r"|(?i)<summary>\s*(?:answer|solution|hint|proof)"
)
_YES_NO = r"(?i)^\W*(?:yes|no|true|false|correct|incorrect|是|否|不是|对|错|正确|错误|不能|能)\W*$"
_NO_ANSWER = (
    r"(?i)^[\s\W]*$|^\W*(?:n/?a|none|null|nan|unknown|undefined answer|see (?:the )?solution|略|无)\W*$"
)


def _unwanted_language(config: FilterConfig) -> pl.Expr:
    return ~pl.col("language").is_in(config.languages.split("+"))


FILTERS = (
    Filter(
        "missing_answer", "the answer is empty or a placeholder", lambda _: ANSWER.str.contains(_NO_ANSWER)
    ),
    Filter("language", "the language is not among `languages`", _unwanted_language),
    Filter(
        "too_short",
        "the problem is shorter than min_problem_chars",
        lambda c: PROBLEM.str.len_chars() < c.min_problem_chars,
    ),
    Filter(
        "too_long",
        "the problem is longer than max_problem_chars",
        lambda c: PROBLEM.str.len_chars() > c.max_problem_chars,
    ),
    Filter(
        "long_answer",
        "the answer is longer than max_answer_chars",
        lambda c: ANSWER.str.len_chars() > c.max_answer_chars,
    ),
    Filter(
        "multiple_choice",
        "the problem offers lettered options",
        # As written, because a list of options may have been stripped from the problem as a wrapper.
        lambda c: WRITTEN.str.contains(_OPTIONS) & c.multiple_choice,
    ),
    Filter("proof", "the problem asks for a proof", lambda c: PROBLEM.str.contains(_PROOF) & c.proof),
    Filter(
        "multi_part", "the problem has numbered parts", lambda c: PROBLEM.str.contains(_PARTS) & c.multi_part
    ),
    Filter(
        "missing_figure",
        "the problem refers to a figure",
        lambda c: PROBLEM.str.contains(_FIGURE) & c.missing_figure,
    ),
    Filter(
        "holds_answer",
        "the text reveals an answer, in a box or a fold-out section",
        lambda c: WRITTEN.str.contains(_HELD_ANSWER) & c.holds_answer,
    ),
    Filter("yes_no", "the answer is yes or no", lambda c: ANSWER.str.contains(_YES_NO) & c.yes_no),
)


def first_reason(config: FilterConfig) -> pl.Expr:
    """Return the reason of the first filter that removes a row, null for a row that stays."""
    reason = pl.lit(None, dtype=pl.String)
    for one in reversed(FILTERS):
        reason = pl.when(one.removes(config)).then(pl.lit(one.reason)).otherwise(reason)
    return reason


def details() -> dict[str, str]:
    return {one.reason: one.detail for one in FILTERS}
