r"""Compile the rewards of a corpus: check that the verifier accepts each reference answer and rejects wrong
answers close to it.

>>> compile_answer("0.50", RewardsConfig())
CompiledAnswer(canonical='\\frac{1}{2}', answer_type='decimal', refusal=None, detail='', is_confirmed=None)
>>> compile_answer("(B)", RewardsConfig()).refusal
'refused_type'
"""

import itertools
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from rewards.answer.types import (
    Answer,
    Cases,
    Clock,
    Collection,
    Matrix,
    Named,
    Number,
    Numeral,
    Operation,
    Ratio,
    Region,
    Relation,
    Residue,
    Scalar,
    Words,
    symbols,
)
from rewards.arithmetic.exact import NotRational, Undefined, rational_value
from rewards.compiling.rendering import render_answer
from rewards.compiling.sympy_check import confirm_value
from rewards.compiling.wrong_answers import wrong_neighbors
from rewards.config import AnswerType, RewardsConfig
from rewards.contracts.prompts import render_response
from rewards.contracts.records import COMPILED_REWARD, PROBLEM, REJECT
from rewards.grader import Reason, compare_answers, verify
from rewards.parsing.normalize import normalize
from rewards.parsing.parser import parse_answer
from rewards.parsing.words import parse_choice
from rewards.second_opinion import Opinion, ask_all, is_available
from rewards.verdict import AnswerTooLarge, UnparsableAnswer

logger = logging.getLogger(__name__)

PROGRESS_ROWS = 500
"""Rows between two progress reports."""
MAX_WORDS = 8
"""Longer text is not a short answer: no two people write the same sentence."""
_PROOF = re.compile(
    r"\b(?:proof|proved|prove|see (?:the )?solution|omitted|q\.?e\.?d)\b|证明|略$", re.IGNORECASE
)
_TYPES: tuple[tuple[type, AnswerType], ...] = (
    (Words, "words"),
    (Region, "interval"),
    (Relation, "relation"),
    (Matrix, "matrix"),
    (Ratio, "ratio"),
    (Clock, "time"),
    (Numeral, "numeral"),
    (Residue, "residue"),
    (Cases, "cases"),
)


@dataclass(frozen=True, slots=True)
class CompiledAnswer:
    """The outcome for one reference answer; `refusal` is the reason code when it cannot be used."""

    canonical: str
    answer_type: str
    refusal: str | None = None
    detail: str = ""
    is_confirmed: bool | None = None
    """sympy gives the same value; None when there was nothing to compute, or sympy has no value."""


@dataclass(frozen=True, slots=True)
class CompiledRewards:
    """The prompt set with its rewards, the rejected rows, and the counts by type of answer."""

    compiled: pl.DataFrame
    """Columns of `records.COMPILED_REWARD`."""
    rejects: pl.DataFrame
    """Columns of `records.REJECT`, with step `compile`."""
    answer_types: pl.DataFrame
    """answer_type, kept, refused, confirmed, reasons, math_verify: rows of each type (`unknown` for text that
    is not an answer), the kept rows whose value sympy confirmed, how often each reason refused a row, and
    what Math-Verify makes of the kept ones."""


def compile_rewards(
    problems: pl.DataFrame, config: RewardsConfig, on_progress: Callable[[int], None] | None = None
) -> CompiledRewards:
    """Compile every row of `problems` (columns of `records.PROBLEM`); equal answers are compiled once.

    `on_progress` is called with the number of rows done so far.
    """
    PROBLEM.check(problems)
    known: dict[str, CompiledAnswer] = {}
    results = []
    for n, answer in enumerate(problems["answer"], start=1):
        if answer not in known:
            known[answer] = compile_answer(answer, config)
        results.append(known[answer])
        if on_progress and (n % PROGRESS_ROWS == 0 or n == problems.height):
            on_progress(n)
    opinions = _opinions(known) if config.second_opinion else {}
    outcome = problems.select(PROBLEM.names).with_columns(
        pl.Series("math_verify", [opinions.get(answer) for answer in problems["answer"]], pl.String),
        pl.Series("canonical", [result.canonical for result in results], pl.String),
        pl.Series("answer_type", [result.answer_type for result in results], pl.String),
        pl.Series("reason", [result.refusal for result in results], pl.String),
        pl.Series("detail", [result.detail for result in results], pl.String),
        pl.Series("is_confirmed", [result.is_confirmed for result in results], pl.Boolean),
    )
    compiled = COMPILED_REWARD.check(outcome.filter(pl.col("reason").is_null()))
    rejects = REJECT.check(
        outcome.filter(pl.col("reason").is_not_null()).with_columns(
            pl.lit("compile").alias("step"), pl.lit(None, pl.String).alias("matched")
        )
    )
    if compiled.height + rejects.height != problems.height:
        raise AssertionError(f"{problems.height} read, {compiled.height} kept, {rejects.height} rejected")
    logger.info("compile read=%d kept=%d rejected=%d", problems.height, compiled.height, rejects.height)
    return CompiledRewards(compiled, rejects, _count_types(outcome))


def _count_types(outcome: pl.DataFrame) -> pl.DataFrame:
    return (
        outcome.group_by("answer_type")
        .agg(
            pl.col("reason").is_null().sum().cast(pl.Int64).alias("kept"),
            pl.col("reason").is_not_null().sum().cast(pl.Int64).alias("refused"),
            pl.col("is_confirmed").sum().cast(pl.Int64).alias("confirmed"),
            pl.col("reason").drop_nulls().value_counts(sort=True).alias("reasons"),
            pl.col("math_verify").drop_nulls().value_counts(sort=True).alias("math_verify"),
        )
        .with_columns(
            pl.col("reasons").map_elements(lambda counts: _describe(counts, "reason"), pl.String),
            pl.col("math_verify").map_elements(lambda counts: _describe(counts, "math_verify"), pl.String),
        )
        .sort(["kept", "answer_type"], descending=[True, False])
    )


def _describe(counts: pl.Series, name: str) -> str:
    """Write counts as text: not_parseable 3, too_long 1."""
    ordered = sorted(counts, key=lambda row: (-row["count"], row[name]))
    return ", ".join(f"{row[name]} {row['count']}" for row in ordered)


def _opinions(known: dict[str, CompiledAnswer]) -> dict[str, str]:
    """Ask Math-Verify about each kept answer: as a box, and restyled."""
    if not is_available():
        logger.warning(
            "second opinion: Math-Verify is not installed, its column stays empty "
            "(pip install 'reasoner-zero[math-verify]')"
        )
        return {}
    golds = [gold for gold, result in known.items() if result.refusal is None]
    pairs = [(gold, f"$\\boxed{{{text}}}$") for gold in golds for text in (gold, _large(gold))]
    answers = iter(list(ask_all(pairs)))
    return {gold: _opinion(next(answers), next(answers)) for gold in golds}


def _large(gold: str) -> str:
    r"""Restyle what goes into a box: no dollar signs in it."""
    return restyle(gold).removeprefix("$\\displaystyle ").removesuffix("$.")


def _opinion(itself: Opinion, restyled: Opinion) -> str:
    if itself.gold is None or itself.answer is None:
        return "unread"
    if not itself.is_correct:
        return "refuses_itself"
    return "agrees" if restyled.is_correct else "refuses_restyled"


def confirm_answer(answer: Answer) -> bool | None:
    """Ask sympy about the values in an answer that need computing; a plain number does not."""
    if isinstance(answer, Named):
        return confirm_answer(answer.value)
    items = answer.items if isinstance(answer, Collection) else (answer,)
    values = [item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, Operation)]
    opinions = [confirm_value(value) for value in values]
    return False if False in opinions else True if opinions and all(opinions) else None


def compile_answer(gold: str, config: RewardsConfig) -> CompiledAnswer:
    """Parse a reference answer and test the verifier on it: itself, a restyled copy, and wrong neighbors."""
    text = normalize(gold[: config.max_answer_chars + 1])
    if not text:
        return CompiledAnswer("", "unknown", "empty_gold", "the reference answer is empty")
    if len(gold) > config.max_answer_chars:
        return CompiledAnswer(text, "unknown", "too_long", f"{len(gold)} characters")
    if (choice := parse_choice(text)) is not None:
        return _checked(gold, choice[0], "choice", [chr(ord(choice[0]) + 1)], config)
    try:
        answer = parse_answer(text)
        answer_type = classify_answer(answer, text)
        neighbors = [
            render_answer(wrong) for wrong in itertools.islice(wrong_neighbors(answer), config.n_neighbors)
        ]
        is_confirmed = confirm_answer(answer)
        return _checked(gold, render_answer(answer), answer_type, neighbors, config, is_confirmed)
    except UnparsableAnswer as problem:
        return CompiledAnswer(text, "unknown", "not_parseable", str(problem))
    except (AnswerTooLarge, RecursionError) as problem:
        return CompiledAnswer(text, "unknown", "too_large", str(problem))


def _checked(
    gold: str,
    canonical: str,
    answer_type: str,
    neighbors: list[str],
    config: RewardsConfig,
    is_confirmed: bool | None = None,
) -> CompiledAnswer:
    def refuse(reason: str, detail: str) -> CompiledAnswer:
        return CompiledAnswer(canonical, answer_type, reason, detail)

    if answer_type in config.refused_types:
        return refuse("refused_type", f"answers of type {answer_type} are not used")
    verdict = verify(gold, render_response("", gold), config.mode)
    if not verdict.is_correct:
        return refuse("not_itself", f"as a response it is {verdict.reason.value} ({verdict.stage})")
    if is_confirmed is False:
        return refuse("sympy_disagrees", "sympy gives the same expression a different value")
    if compare_answers(gold, canonical)[0] is not Reason.CORRECT:
        canonical = normalize(gold)
    restyled = restyle(gold)
    if compare_answers(gold, restyled)[0] is not Reason.CORRECT:
        return refuse("refuses_restyled", f"does not accept {restyled!r}")
    for wrong in neighbors:
        if compare_answers(gold, wrong)[0] is Reason.CORRECT:
            return refuse("accepts_wrong", f"accepts {wrong!r}")
    return CompiledAnswer(canonical, answer_type, is_confirmed=is_confirmed)


def restyle(text: str) -> str:
    r"""Write the same answer in another LaTeX style.

    >>> restyle(r"(\frac{1}{2},3)")
    '$\\displaystyle \\left(\\dfrac{1}{2},3\\right)$.'
    """
    text = normalize(text).replace("\\frac", "\\dfrac").replace("\\le ", "\\leqslant ")
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = f"\\left({text[1:-1]}\\right)"
    return f"$\\displaystyle {text}$."


def classify_answer(answer: Answer, text: str) -> AnswerType:
    """Name the type of an answer; a named value has the type of its value."""
    if isinstance(answer, Named):
        return classify_answer(answer.value, text)
    if isinstance(answer, Words) and (_PROOF.search(text) or len(text.split()) > MAX_WORDS):
        return "proof"
    if isinstance(answer, Collection):
        return "list" if answer.kind == "list" else "set" if answer.kind == "set" else "tuple"
    for kind, name in _TYPES:
        if isinstance(answer, kind):
            return name
    assert isinstance(answer, Scalar)
    if answer.is_percent:
        return "percent"
    if answer.unit is not None:
        return "quantity"
    if symbols(answer.value):
        return "expression"
    try:
        value = rational_value(answer.value)
    except (NotRational, Undefined):
        return "constant"
    if isinstance(answer.value, Number) and "." in text:
        return "decimal"
    return "integer" if value.denominator == 1 else "fraction"
