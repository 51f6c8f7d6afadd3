r"""MATH500: 500 problems from the MATH test set, levels 1 to 5, seven subjects.

    Convert the point (0,3) in rectangular coordinates to polar ... -> \left( 3, \frac{\pi}{2} \right)

Read from a file with level and subject, or from ORZ's evaluation file, which has neither.
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "math500",
    title="MATH500",
    file="eval/math500_full.jsonl.gz",
    hub=Hub("HuggingFaceH4/MATH-500"),
    public="2021-03",
    n_questions=500,
)
def parse(row: Row) -> Question:
    if row.has("prompt"):
        return Question(row.message("prompt"), row.text("final_answer"))
    return Question(
        row.text("problem"),
        row.text("answer"),
        row.optional("unique_id"),
        level=row.optional("level"),
        subject=row.optional("subject"),
    )
