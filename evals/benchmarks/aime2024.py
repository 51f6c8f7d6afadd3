"""AIME 2024, parts I and II: 30 competition problems with answers from 0 to 999.

    Every morning Aya goes for a 9-kilometer-long walk ...                                    -> 204

Read from ORZ's evaluation file (chat messages and final_answer) or from plain problem/answer rows.
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "aime2024",
    title="AIME 2024",
    file="eval/aime2024.jsonl.gz",
    hub=Hub("HuggingFaceH4/aime_2024", split="train"),
    public="2024-02",
    n_questions=30,
)
def parse(row: Row) -> Question:
    if row.has("prompt"):
        return Question(row.message("prompt"), row.text("final_answer"))
    return Question(row.text("problem", "question"), row.text("answer"), row.optional("id"))
