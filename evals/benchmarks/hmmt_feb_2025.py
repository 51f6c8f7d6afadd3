r"""HMMT February 2025: 30 competition problems; the answer is in a field or boxed in the solution.

Compute the sum of the positive divisors (including 1) of 9! that have units digit 1.     -> 103
"""

from evals.benchmarks.boxed import boxed_answer
from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "hmmt_feb_2025",
    title="HMMT February 2025",
    file="eval/hmmt_feb_2025.jsonl.gz",
    hub=Hub("MathArena/hmmt_feb_2025", split="train"),
    public="2025-02",
    task_id="MathArena/hmmt_feb_2025",
    n_questions=30,
)
def parse(row: Row) -> Question:
    answer = row.text("answer") if row.has("answer") else boxed_answer(row, "solution")
    return Question(row.text("problem"), answer, row.optional("problem_idx", "id"))
