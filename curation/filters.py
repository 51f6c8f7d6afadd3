"""Filters of problems: each has a reason code and an expression that is true for the rows it removes.

Order matters only for the reason: a row is rejected by the first filter it matches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import Field

from curation.screens.answers import (
    asks_for_proof,
    holds_answer,
    is_part_of_answer,
    is_placeholder,
    is_prose,
    is_yes_no,
)
from curation.screens.choices import offers_options
from curation.screens.figures import needs_figure
from curation.screens.parts import SEVERAL_HINT, asks_several
from curation.screens.tasks import (
    asks_yes_or_no,
    is_code_task,
    is_no_problem,
    is_open_ended,
)
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
    """Remove problems that offer options, which can be guessed."""
    proof: bool = True
    """Remove problems that ask for a proof, which have no answer to compare with."""
    multi_part: bool = True
    """Remove problems that ask for several things (parts, questions, blanks) that one answer cannot cover."""
    missing_figure: bool = True
    """Remove problems that refer to a picture or contain one as code."""
    yes_no: bool = True
    """Remove yes/no and true/false questions, where half of all guesses are right."""
    holds_answer: bool = True
    """Remove problems whose text reveals the answer, in a box, a line "Answer: 7" or a fold-out section."""
    prose_answer: bool = True
    """Remove rows whose answer is a sentence, which no rule can compare."""
    code_task: bool = True
    """Remove problems that ask for a program, and rows whose answer is test cases."""
    no_problem: bool = True
    """Remove texts that are no problem: chatter of a model, statements that ask for nothing."""
    open_ended: bool = True
    """Remove problems without one answer: explain, sketch, give an example."""


@dataclass(frozen=True, slots=True)
class Filter:
    reason: str
    detail: str
    removes: Callable[[FilterConfig], pl.Expr]
    hint: str = ""
    """What every problem that it removes contains; a quick test that spares the others."""


PROBLEM, ANSWER = pl.col("problem"), pl.col("answer")
COLUMNS = ("problem", "answer", "solution", "language", "written")


def _unwanted_language(config: FilterConfig) -> pl.Expr:
    return ~pl.col("language").is_in(config.languages.split("+"))


FILTERS = (
    Filter("proof", "the problem asks for a proof", lambda c: asks_for_proof() & c.proof),
    Filter("missing_answer", "the answer is empty or a placeholder", lambda _: is_placeholder()),
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
        "yes_no",
        "the answer is yes or no, or should be",
        lambda c: (is_yes_no() | asks_yes_or_no()) & c.yes_no,
    ),
    Filter("prose_answer", "the answer is a sentence", lambda c: is_prose() & c.prose_answer),
    Filter("code_task", "the problem asks for a program", lambda c: is_code_task() & c.code_task),
    Filter(
        "multiple_choice",
        "the problem offers options to choose from",
        lambda c: offers_options() & c.multiple_choice,
    ),
    Filter(
        "holds_answer",
        "the text reveals an answer, in a box, a line or a fold-out section",
        lambda c: holds_answer() & c.holds_answer,
    ),
    Filter(
        "multi_part", "several things are asked for", lambda c: asks_several() & c.multi_part, SEVERAL_HINT
    ),
    Filter(
        "part_of_answer",
        "several values are asked for, the solution boxes each, and the answer is one of them",
        lambda c: is_part_of_answer() & c.multi_part,
        r"(?i)separated|all |possible|point|multiple",
    ),
    Filter("missing_figure", "the problem needs a figure", lambda c: needs_figure() & c.missing_figure),
    Filter("open_ended", "the task has no one answer", lambda c: is_open_ended() & c.open_ended),
    Filter("no_problem", "the text is chatter or asks for nothing", lambda c: is_no_problem() & c.no_problem),
)


def first_reasons(rows: pl.DataFrame, config: FilterConfig) -> pl.Series:
    """The reason of the first filter that removes each row, null for a row that stays.

    rows: problem, answer, solution, language, and `written`, the problem as it is in the source. A filter
    sees only the rows that those before it left.
    """
    left = rows.select(COLUMNS).with_row_index("place")
    reasons = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, rows.height)
    for one in FILTERS:
        seen = left.filter(pl.col("problem").str.contains(one.hint)) if one.hint else left
        removed = seen.filter(one.removes(config)).select("place")
        if removed.height:
            reasons = reasons.scatter(removed["place"], one.reason)
            left = left.join(removed, on="place", how="anti", maintain_order="left")
    return reasons


def first_reason(config: FilterConfig) -> pl.Expr:
    """`first_reasons` as an expression over `COLUMNS`."""
    columns = pl.struct(COLUMNS)
    return columns.map_batches(
        lambda rows: first_reasons(rows.struct.unnest(), config), return_dtype=pl.String
    ).alias("reason")


def details() -> dict[str, str]:
    return {one.reason: one.detail for one in FILTERS}
