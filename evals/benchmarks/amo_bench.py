"""AMO-Bench: 50 problems of olympiad difficulty, written anew for the benchmark, with one final answer each.

Eleven answers are descriptions (`answer_type`), which its authors judge with a model: the verifier refuses
nearly all of them. The type is the subject here, so that tables by subject tell them apart.

{"question_id": 1, "prompt": "...", "answer": "\\boxed{7}", "answer_type": "number"}         -> 7
"""

from evals.benchmarks.boxed import boxed_answer
from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row


@register(
    "amo_bench",
    title="AMO-Bench",
    file="eval/amo_bench.jsonl.gz",
    hub=Hub("meituan-longcat/AMO-Bench"),
    n_questions=50,
    public="2025-10",
)
def parse(row: Row) -> Question:
    answer = row.text("answer")
    return Question(
        row.text("prompt", "problem"),
        boxed_answer(row, "answer") if "\\boxed" in answer else answer,
        row.optional("question_id", "id"),
        subject=row.optional("answer_type"),
    )
