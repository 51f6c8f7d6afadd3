"""OlympiadBench, English text-only open-ended mathematics: 675 problems (674 on some mirrors).

    ... How many moves does Sergey need to determine for sure the number Xenia thought of?    -> 2

`final_answer` is a list; dollar signs around its parts are stripped, and multiple parts are joined by commas.
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "olympiadbench",
    title="OlympiadBench",
    file="eval/olympiadbench.jsonl.gz",
    hub=Hub("math-ai/olympiadbench"),
    public="2024-02",
    n_questions=(674, 675),
)
def parse(row: Row) -> Question:
    answer = ", ".join(row.texts("final_answer")).replace("$", "").strip()
    if not answer:
        raise row.error("field 'final_answer' contains no answer")
    context = row.optional("context")
    question = row.text("question", "problem")
    return Question(
        f"{context}\n\n{question}" if context else question,
        answer,
        row.optional("id"),
        subject=row.optional("subfield"),
    )
