"""AIME 2025, parts I and II: 30 competition problems with answers from 0 to 999.

Find the sum of all integer bases b > 9 for which 17_b is a divisor of 97_b.              -> 70
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "aime2025",
    title="AIME 2025",
    file="eval/aime2025.jsonl.gz",
    hub=Hub("math-ai/aime25"),
    public="2025-02",
    n_questions=30,
)
def parse(row: Row) -> Question:
    return Question(
        row.text("problem", "question"),
        row.text("answer", "expected_answer"),
        row.optional("id", "problem_idx"),
    )
