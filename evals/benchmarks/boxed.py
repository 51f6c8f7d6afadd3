r"""Answers in the last \boxed of a written solution, as some benchmarks give them."""

from evals.benchmarks.rows import Row
from rewards.extraction import last_box


def boxed_answer(row: Row, field: str) -> str:
    r"""Return the content of the last balanced box of a field.

    >>> boxed_answer(Row({"solution": r"so \boxed{\frac{1}{2}}."}, "x.jsonl", 1), "solution")
    '\\frac{1}{2}'
    """
    answer = last_box(row.text(field))
    if not answer or not answer.strip():
        raise row.error(f"field {field!r} has no balanced \\boxed{{...}}; the answer is read from there")
    return answer.strip()
