"""AMC 12, 2023: 40 competition problems rewritten to ask for a number; answers are floats such as 27.0.

Cities A and B are 45 miles apart. ... How many miles from City A will they be ...?       -> 27
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "amc23",
    title="AMC 2023",
    file="eval/amc23.jsonl.gz",
    hub=Hub("math-ai/amc23"),
    public="2023-11",
    n_questions=40,
)
def parse(row: Row) -> Question:
    return Question(row.text("problem", "question"), row.text("answer"), row.optional("id"))
