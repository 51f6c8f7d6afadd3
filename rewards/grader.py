r"""The grader: the one entry point for training, evaluation and outside code to check answers.

>>> score("42", r"6*7</think><answer>\boxed{42}</answer>", "stop").reward
1.0
>>> verify(r"\frac12", r"So the answer is \boxed{0.5}.", mode="lenient").reason
<Reason.CORRECT: 'correct'>
>>> grade("The answer is 7.", "8")
False
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rewards.algebra.worker_pool import cpu_time, shared_pool
from rewards.answer.renaming import renamed, symbols_of
from rewards.answer.types import (
    Answer,
    Collection,
    Expression,
    Named,
    Operation,
    Scalar,
    Symbol,
    Words,
    symbols,
    walk,
)
from rewards.comparing.equality import same_answer
from rewards.extraction import MAX_ANSWER_CHARS, PLAIN, Extraction, Reading, extract_answer, is_formatted
from rewards.orz.comparer import is_equal
from rewards.orz.extraction import unboxed
from rewards.parsing.normalize import normalize
from rewards.parsing.parser import parse_answer
from rewards.parsing.spelling import same_spelling
from rewards.parsing.words import parse_choice, parse_choices
from rewards.second_opinion import ask_math_verify
from rewards.verdict import AnswerTooLarge, Mode, Reason, UnparsableAnswer, Verdict

__all__ = [
    "Mode",
    "Reason",
    "Verdict",
    "compare_answers",
    "grade",
    "grade_batch",
    "is_formatted",
    "is_gradable",
    "score",
    "score_batch",
    "verify",
    "verify_batch",
]

_PARAMETER = re.compile(r"(?P<name>[A-Za-z])\s?\\in\s?\\mathbb\s?\{?\s?(?P<set>[A-Z](?:\^\+)?)\s?\}?\s?\)?$")
"""A remark at the end that gives the range of a parameter."""
_SMALL_LETTER = re.compile(r"[a-j]|\([a-j]\)|[a-j]\)")
_Outcome = tuple[Reason, str]
"""The reason, and the part of the verifier that decided."""


def verify(gold: str, response: str, mode: Mode = "orz", reading: Reading = PLAIN) -> Verdict:
    """Check one response against the reference answer; no response can make this raise.

    ImportError when mode is math_verify and the library is not installed.
    """
    return verify_batch([(gold, response)], mode, reading)[0]


def verify_batch(
    pairs: Sequence[tuple[str, str]], mode: Mode = "orz", reading: Reading = PLAIN
) -> list[Verdict]:
    """Check (gold, response) pairs in order; equal pairs of gold and extracted answer are compared once."""
    if mode == "math_verify":
        return [_as_math_verify(*pair) for pair in pairs]
    decided: dict[tuple[str, str | None, bool], tuple[_Outcome, float]] = {}
    verdicts = []
    for gold, response in pairs:
        started = cpu_time()
        extraction = extract_answer(response, mode, reading)
        key = (gold, extraction.text, extraction.reason is None)
        if key not in decided:
            outcome = _judge(gold, extraction, mode)
            decided[key] = outcome, cpu_time() - started
        (reason, stage), cpu_s = decided[key]
        verdicts.append(_verdict(reason, stage, extraction, cpu_s))
    return verdicts


def _as_math_verify(gold: str, response: str) -> Verdict:
    started = cpu_time()
    opinion = ask_math_verify(gold, response)
    if opinion.gold is None:
        reason = Reason.EMPTY_GOLD
    elif opinion.problem:
        reason = Reason.TIMEOUT
    elif opinion.answer is None:
        reason = Reason.NO_ANSWER
    else:
        reason = Reason.CORRECT if opinion.is_correct else Reason.WRONG
    cpu_s = cpu_time() - started
    return Verdict(float(opinion.is_correct), reason, "math_verify", opinion.answer, cpu_s, "as Math-Verify")


def score(gold: str, response: str, finish_reason: str, mode: Mode = "orz") -> Verdict:
    """Apply the training rule: 1 for the right answer in the requested format, if it ended on its own."""
    return score_batch([(gold, response, finish_reason)], mode)[0]


def score_batch(rows: Sequence[tuple[str, str, str]], mode: Mode = "orz") -> list[Verdict]:
    """Apply the training rule to (gold, response, finish_reason) rows; `stop` means it ended on its own."""
    ended = [(gold, response) for gold, response, finish in rows if finish == "stop"]
    verdicts = iter(verify_batch(ended, mode))
    truncated = Verdict(0.0, Reason.TRUNCATED, "extract", None, 0.0)
    return [next(verdicts) if finish == "stop" else truncated for _, _, finish in rows]


def grade(response: str, gold: str) -> bool:
    """Tell whether a response is correct, without requiring tags: the policy for other people's models."""
    return verify(gold, response, mode="lenient").is_correct


def grade_batch(pairs: Iterable[tuple[str, str]]) -> list[bool]:
    """Grade (response, gold) pairs, leniently."""
    verdicts = verify_batch([(gold, response) for response, gold in pairs], mode="lenient")
    return [verdict.is_correct for verdict in verdicts]


@lru_cache(maxsize=65536)
def is_gradable(gold: str) -> bool:
    r"""Tell whether answers can be checked against this reference answer: it is not empty and can be parsed.

    >>> is_gradable("1/2"), is_gradable(" "), is_gradable("2 3")
    (True, False, False)
    """
    text = normalize(gold[:MAX_ANSWER_CHARS])
    try:
        return len(gold) <= MAX_ANSWER_CHARS and (bool(parse_choice(text)) or parse_answer(text) is not None)
    except (UnparsableAnswer, AnswerTooLarge, RecursionError):
        return False


def compare_answers(gold: str, answer: str) -> tuple[Reason, str]:
    r"""Compare an extracted answer with the reference; return the reason and the part that decided.

    >>> compare_answers(r"\frac{1}{2}", "0.5")
    (<Reason.CORRECT: 'correct'>, 'typed')
    """
    is_long = len(answer) > MAX_ANSWER_CHARS
    extraction = Extraction(answer[:80], Reason.TOO_LARGE) if is_long else Extraction(answer)
    return _judge(gold, extraction, "lenient")


def _verdict(reason: Reason, stage: str, extraction: Extraction, cpu_s: float) -> Verdict:
    return Verdict(float(reason is Reason.CORRECT), reason, stage, extraction.text, cpu_s, extraction.rung)


def _judge(gold: str, extraction: Extraction, mode: Mode) -> _Outcome:
    if not gold.strip() or not normalize(gold[:MAX_ANSWER_CHARS]):
        return Reason.EMPTY_GOLD, "extract"
    if len(gold) > MAX_ANSWER_CHARS:
        return Reason.TOO_LARGE, "extract"
    if extraction.reason is not None or extraction.text is None:
        return extraction.reason or Reason.NO_ANSWER, "extract"
    compare = _compare_as_orz if mode == "orz_compat" else _compare
    try:
        return compare(gold, extraction.text)
    except (AnswerTooLarge, RecursionError, MemoryError):
        return Reason.TOO_LARGE, "typed"


@lru_cache(maxsize=65536)
def _compare_as_orz(gold: str, answer: str) -> _Outcome:
    try:
        is_right = is_equal(unboxed(gold), answer)
    except TimeoutError:
        return Reason.TIMEOUT, "orz_compat"
    return (Reason.CORRECT if is_right else Reason.WRONG), "orz_compat"


@lru_cache(maxsize=65536)
def _compare(gold: str, answer: str) -> _Outcome:
    ours, theirs = normalize(gold), normalize(answer)
    if not theirs:
        return Reason.NO_ANSWER, "extract"
    if ours == theirs:
        return Reason.CORRECT, "identical"
    chosen = _compare_choices(ours, theirs)
    if chosen is not None:
        return (Reason.CORRECT if chosen else Reason.WRONG), "typed"
    expected = _parse(ours)
    try:
        found = parse_answer(theirs)
    except UnparsableAnswer:
        return (Reason.CORRECT if same_spelling(ours, theirs) else Reason.NOT_PARSEABLE), "typed"
    if expected is None:
        return (Reason.CORRECT if same_spelling(ours, theirs) else Reason.WRONG), "typed"
    if isinstance(expected, Words) or isinstance(found, Words):
        return (Reason.CORRECT if same_spelling(ours, theirs) else Reason.WRONG), "typed"
    same = _same(ours, theirs, expected, found)
    if same is None:
        return _ask_last_resort(expected, found)
    return (Reason.CORRECT if same else Reason.WRONG), "typed"


def _ask_last_resort(expected: Answer, found: Answer) -> _Outcome:
    """Let computer algebra decide between two values; anything else that was not shown equal is wrong."""
    ours = expected.value if isinstance(expected, Named) else expected
    theirs = found.value if isinstance(found, Named) else found
    if not (isinstance(ours, Scalar) and isinstance(theirs, Scalar)):
        return Reason.WRONG, "typed"
    if _has_divisor_of_letters(ours.value) or _has_divisor_of_letters(theirs.value):
        return Reason.WRONG, "typed"
    reply = shared_pool().ask(ours.value, theirs.value)
    reasons = {"same": Reason.CORRECT, "timeout": Reason.TIMEOUT}
    return reasons.get(reply, Reason.WRONG), "last_resort"


def _has_divisor_of_letters(value: Expression) -> bool:
    """gcd(a, b) has no value: sympy takes different letters for coprime polynomials."""
    return any(
        isinstance(part, Operation) and part.name in ("gcd", "lcm") and symbols(part) for part in walk(value)
    )


def _parse(gold: str) -> Answer | None:
    try:
        return parse_answer(gold)
    except UnparsableAnswer:
        return None


def _same(ours: str, theirs: str, expected: Answer, found: Answer) -> bool | None:
    """Compare typed answers; 1,234 is a number unless the other side is a list."""
    same = same_answer(expected, found)
    if same is not None and (parameters := _parameters(ours, theirs)):
        (name, values), (other, other_values) = parameters
        if values != other_values:
            return False
        is_index = re.search(rf"(?<![A-Za-z\\]){name}(?![A-Za-z]).*=", ours) is not None  # a_n = n
        if not same and name != other and not is_index and name not in symbols_of(found):
            same = same_answer(expected, renamed(found, {Symbol(other): Symbol(name)}))
    if same is not False or "," not in ours + theirs:
        return same
    if isinstance(expected, Scalar) != isinstance(found, Scalar) and isinstance(
        expected, Collection | Scalar
    ):
        try:
            return same_answer(parse_answer(ours, True), parse_answer(theirs, True))
        except UnparsableAnswer:  # a comma inside braces separates nothing
            return same
    return same


def _parameters(ours: str, theirs: str) -> list[tuple[str, str]]:
    """The names and sets of the parameters at the ends, k in Z and n in N; empty unless both have one."""
    if "\\in" not in ours or "\\in" not in theirs:
        return []
    found = [_PARAMETER.search(text) for text in (ours, theirs)]
    return (
        [(match["name"], match["set"].replace("Z^+", "N")) for match in found if match] if all(found) else []
    )


def _compare_choices(ours: str, theirs: str) -> bool | None:
    """Compare multiple-choice letters; None when the reference or the answer is something else."""
    gold = parse_choice(ours)
    if gold is None:
        several = parse_choices(ours), parse_choices(theirs)
        return several[0] == several[1] if all(several) else None
    answer = parse_choice(theirs) or (
        parse_choice(theirs.upper()) if _SMALL_LETTER.fullmatch(theirs) else None
    )
    if answer is not None:
        return gold[0] == answer[0] and (not (gold[1] and answer[1]) or _same_option(gold[1], answer[1]))
    if gold[1]:
        return _same_option(gold[1], theirs)
    return None


def _same_option(ours: str, theirs: str) -> bool:
    """Compare the texts of two options."""
    ours, theirs = normalize(ours), normalize(theirs)
    if same_spelling(ours, theirs):
        return True
    expected = _parse(ours)
    return expected is not None and same_answer(expected, _parse(theirs) or Words(theirs)) is True
