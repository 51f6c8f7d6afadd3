r"""Minerva: 272 questions from MIT OpenCourseWare exercises; the answer is boxed in the solution.

Each of the two Magellan telescopes has a diameter of 6.5 m. ...        "... =\boxed{1.6} cm" -> 1.6
"""

from evals.benchmarks.boxed import boxed_answer
from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "minerva",
    title="Minerva",
    file="eval/minerva_math.jsonl.gz",
    hub=Hub("math-ai/minervamath"),
    public="2022-06",
    n_questions=272,
)
def parse(row: Row) -> Question:
    answer = boxed_answer(row, "solution") if row.has("solution") else row.text("answer")
    return Question(
        row.text("problem", "question"), answer, row.optional("idx", "id"), subject=row.optional("type")
    )
