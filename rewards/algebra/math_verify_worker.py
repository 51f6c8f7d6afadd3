"""The Math-Verify worker process: the library's own verdict on a response, isolated like sympy.

`rewards.algebra.worker_pool` starts it as `python -m rewards.algebra.math_verify_worker`. It reads a JSON
list of
gold and response per line, and answers with a JSON object of `rewards.second_opinion.Opinion`.
"""

import json
import logging
from typing import Any

from rewards.algebra.sympy_worker import limit_memory, say, serve

CPU_LIMIT_S = 6.0
"""CPU seconds for one pair: the library's own limits are 5 s, and should come first."""
MAX_READING_CHARS = 400
_MARKS = ("$", "\\boxed", "\\(", "\\[")


def main() -> None:
    """Answer pairs until the input ends or the parent is gone."""
    limit_memory()
    logging.disable(logging.CRITICAL)
    try:
        from math_verify import parse, verify
    except ImportError:
        say("Math-Verify is not installed: pip install 'reasoner-zero[math-verify]'")
        return
    verify(parse("$1$"), parse("$1$"))

    def answer(line: bytes) -> str:
        gold, response = json.loads(line)
        return json.dumps(_opinion(parse, verify, gold, response))

    serve(answer, CPU_LIMIT_S)


def _opinion(parse: Any, verify: Any, gold: str, response: str) -> dict:
    """Use the library as its README does; a gold without any mark of mathematics is put between dollar
    signs."""
    marked = gold if any(mark in gold for mark in _MARKS) else f"${gold}$"
    try:
        ours, theirs = parse(marked), parse(response)
        same = bool(verify(ours, theirs))
    except Exception as problem:  # noqa: BLE001  the library may raise anything, which is its finding here
        return {
            "is_correct": False,
            "gold": None,
            "answer": None,
            "problem": f"{type(problem).__name__}: {problem}"[:200],
        }
    return {"is_correct": same, "gold": _reading(ours), "answer": _reading(theirs), "problem": ""}


def _reading(parsed: list) -> str | None:
    """What the library read: its value, or the text that it found; None for nothing."""
    return str(parsed[0])[:MAX_READING_CHARS] if parsed else None


if __name__ == "__main__":
    main()
