"""BeyondAIME: 100 problems harder than AIME's, with integer answers that cannot be guessed.

{"problem": "...", "answer": 2025}                                                        -> 2025
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "beyond_aime",
    title="BeyondAIME",
    file="eval/beyond_aime.jsonl.gz",
    hub=Hub("ByteDance-Seed/BeyondAIME"),
    n_questions=100,
    public="2025-06",
)
def parse(row: Row) -> Question:
    return Question(row.text("problem"), row.text("answer"), row.optional("id"))
