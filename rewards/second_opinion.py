r"""The second opinion: what the Math-Verify library says of a gold and a response, beside our own verdict.

It never decides. Where the two differ, one of them is wrong, and a person who reads the list finds out which.

>>> opinion = ask_math_verify("1/2", r"\\boxed{0.5}")
>>> opinion.is_correct, opinion.gold, opinion.answer
(True, '1/2', '1/2')
"""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from rewards.algebra.worker_pool import MATH_VERIFY, MAX_WORKERS, shared_pool
from rewards.verdict import Verdict

MAX_CHARS = 100_000
"""Longest response that is sent; of a longer one, its end."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """Math-Verify's verdict, and its readings of gold and answer; None where it read nothing."""

    is_correct: bool
    gold: str | None
    answer: str | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A response that one of the two accepts and the other refuses, with both readings."""

    row: int
    gold: str
    ours: bool
    our_reading: str | None
    our_reason: str
    theirs: bool
    their_gold: str | None
    their_reading: str | None


def is_available() -> bool:
    """Tell whether the library is installed."""
    return find_spec("math_verify") is not None


@lru_cache(maxsize=65536)
def ask_math_verify(gold: str, response: str) -> Opinion:
    """Ask an isolated worker; ImportError, which says how to install it, when the library is missing."""
    finding = shared_pool(MATH_VERIFY).put([gold, response[-MAX_CHARS:]])
    if finding == "timeout":
        return Opinion(False, None, None, "took more CPU time or memory than one answer may use")
    return Opinion(**json.loads(finding))


def ask_all(pairs: Iterable[tuple[str, str]]) -> Iterator[Opinion]:
    """Ask about many pairs in order, in all workers."""
    with ThreadPoolExecutor(MAX_WORKERS) as pool:
        yield from pool.map(lambda pair: ask_math_verify(*pair), pairs)


def disagreements(pairs: list[tuple[str, str]], verdicts: list[Verdict]) -> list[Disagreement]:
    """List the (gold, response) pairs that Math-Verify judges differently, in order."""
    found = []
    for row, ((gold, _), verdict, opinion) in enumerate(zip(pairs, verdicts, ask_all(pairs), strict=True), 1):
        if verdict.is_correct != opinion.is_correct:
            found.append(
                Disagreement(
                    row,
                    gold,
                    verdict.is_correct,
                    verdict.extracted,
                    str(verdict.reason),
                    opinion.is_correct,
                    opinion.gold,
                    opinion.answer or opinion.problem or None,
                )  # fmt: skip
            )
    return found
