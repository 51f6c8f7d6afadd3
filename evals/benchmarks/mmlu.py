"""MMLU test: 14,042 questions in 57 subjects, four options each; the answer index becomes a letter.

{"question": ..., "choices": ["...", "...", "...", "..."], "answer": 3}                   -> D
"""

from evals.benchmarks.registry import LETTERS, Hub, Question, ask_choices, register
from evals.benchmarks.rows import Row


@register(
    "mmlu",
    title="MMLU",
    file="eval/mmlu.jsonl.gz",
    hub=Hub("cais/mmlu", "all"),
    public="2020-09",
    n_questions=14_042,
    shots_file="eval/mmlu_dev.jsonl.gz",
    shots_split="dev",
)
def parse(row: Row) -> Question:
    choices, index = row.texts("choices"), row.value("answer")
    if not isinstance(index, int) or not 0 <= index < len(choices):
        raise row.error(f"field 'answer' is {index!r}, expected an index below {len(choices)}")
    return Question(
        ask_choices(row.text("question"), choices),
        LETTERS[index],
        subject=row.optional("subject", "type"),
        choices=choices,
    )
