"""Filters of problems: each has a reason code and an expression that is true for the rows it removes.

Order matters only for the reason: a row is rejected by the first filter it matches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import polars as pl
from pydantic import Field

from curation.screens.answers import (
    PROOF_HINT,
    REVEALED,
    asks_for_proof,
    is_part_of_answer,
    is_placeholder,
    is_prose,
    is_yes_no,
)
from curation.screens.choices import OPTIONS_OFFERED
from curation.screens.figures import FIGURE_HINT, needs_figure
from curation.screens.parts import SEVERAL
from curation.screens.patterns import Screen
from curation.screens.tasks import CODE, OPEN, YES_NO_HINT, asks_yes_or_no, is_no_problem
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
    switch: str = ""
    """The setting that turns it off, if one does."""
    screens: tuple[Screen, ...] = ()
    limit: Callable[[FilterConfig], pl.Expr] | None = None
    """In place of screens, where a setting says what is too much."""

    def looks_for(self, config: FilterConfig) -> tuple[Screen, ...]:
        if self.switch and not getattr(config, self.switch):
            return ()
        return self.screens if self.limit is None else (Screen(partial(self.limit, config)),)


PROBLEM, ANSWER, PLACE = pl.col("problem"), pl.col("answer"), pl.col("place")
COLUMNS = ("problem", "answer", "solution", "language", "written")

FILTERS = (
    Filter("proof", "the problem asks for a proof", "proof", (Screen(asks_for_proof, PROOF_HINT),)),
    Filter("missing_answer", "the answer is empty or a placeholder", "", (Screen(is_placeholder),)),
    Filter(
        "language",
        "the language is not among `languages`",
        limit=lambda c: ~pl.col("language").is_in(c.languages.split("+")),
    ),
    Filter(
        "too_short",
        "the problem is shorter than min_problem_chars",
        limit=lambda c: PROBLEM.str.len_chars() < c.min_problem_chars,
    ),
    Filter(
        "too_long",
        "the problem is longer than max_problem_chars",
        limit=lambda c: PROBLEM.str.len_chars() > c.max_problem_chars,
    ),
    Filter(
        "long_answer",
        "the answer is longer than max_answer_chars",
        limit=lambda c: ANSWER.str.len_chars() > c.max_answer_chars,
    ),
    Filter(
        "yes_no",
        "the answer is yes or no, or should be",
        "yes_no",
        (Screen(is_yes_no), Screen(asks_yes_or_no, YES_NO_HINT)),
    ),
    Filter("prose_answer", "the answer is a sentence", "prose_answer", (Screen(is_prose),)),
    Filter("code_task", "the problem asks for a program", "code_task", CODE),
    Filter(
        "multiple_choice", "the problem offers options to choose from", "multiple_choice", OPTIONS_OFFERED
    ),
    Filter(
        "holds_answer",
        "the text reveals an answer, in a box, a line or a fold-out section",
        "holds_answer",
        REVEALED,
    ),
    Filter("multi_part", "several things are asked for", "multi_part", SEVERAL),
    Filter(
        "part_of_answer",
        "several values are asked for, the solution boxes each, and the answer is one of them",
        "multi_part",
        (Screen(is_part_of_answer, r"(?i)separated|all |possible|point|multiple"),),
    ),
    Filter(
        "missing_figure", "the problem needs a figure", "missing_figure", (Screen(needs_figure, FIGURE_HINT),)
    ),
    Filter("open_ended", "the task has no one answer", "open_ended", OPEN),
    Filter("no_problem", "the text is chatter or asks for nothing", "no_problem", (Screen(is_no_problem),)),
)


def first_reasons(rows: pl.DataFrame, config: FilterConfig) -> pl.Series:
    """The reason of the first filter that removes each row, null for a row that stays.

    rows: problem, answer, solution, language, and `written`, the problem as it is in the source. A filter
    sees only the rows that those before it left.
    """
    left = rows.select(COLUMNS).with_row_index("place")
    reasons = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, rows.height)
    for one in FILTERS:
        for screen in one.looks_for(config):
            removed = screen.found(left)
            if len(removed):
                reasons = reasons.scatter(removed, one.reason)
                left = left.filter(~PLACE.is_in(removed.implode()))
    return reasons


def first_reason(config: FilterConfig) -> pl.Expr:
    """`first_reasons` as an expression over `COLUMNS`."""
    columns = pl.struct(COLUMNS)
    return columns.map_batches(
        lambda rows: first_reasons(rows.struct.unnest(), config), return_dtype=pl.String
    ).alias("reason")


def details() -> dict[str, str]:
    return {one.reason: one.detail for one in FILTERS}
