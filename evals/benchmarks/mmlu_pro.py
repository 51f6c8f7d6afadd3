"""MMLU-Pro test: 12,032 questions in 14 categories with three to ten options; the answer is a letter.

{"question": ..., "options": [...], "answer": "I", "answer_index": 8, "category": "business"}    -> I

Its 70 development rows, five per category, have worked solutions (`cot_content`).
"""

import re

from evals.benchmarks.registry import LETTERS, Hub, Question, ask_choices, register
from evals.benchmarks.rows import Row


@register(
    "mmlu_pro",
    title="MMLU-Pro",
    file="eval/mmlu_pro.jsonl.gz",
    hub=Hub("TIGER-Lab/MMLU-Pro"),
    public="2024-06",
    task_id="mmlu_pro",
    n_questions=12_032,
    shots_file="eval/mmlu_pro_dev.jsonl.gz",
    shots_split="validation",
)
def parse(row: Row) -> Question:
    choices, letter = row.texts("options"), row.text("answer")
    if letter not in LETTERS[: len(choices)]:
        raise row.error(f"field 'answer' is {letter!r}, but there are {len(choices)} options")
    return Question(
        ask_choices(row.text("question"), choices),
        letter,
        row.optional("question_id"),
        subject=row.optional("category"),
        choices=choices,
        thought=_thought(row.optional("cot_content") or ""),
    )


def _thought(text: str) -> str | None:
    """Strip the opening phrase and the last sentence, which states the letter, from a worked solution."""
    text = re.sub(r"^A: Let's think step by step\.\s*", "", text)
    return re.sub(r"\s*The answer is \(?[A-J]\)?\.?\s*$", "", text) or None
