"""GPQA Diamond: 198 graduate-level science questions with four options; the answer is a letter.

ORZ's file has the options in a fixed, already shuffled order, inside the prompt and as a dictionary. On the
hub the right option comes first, so the order is drawn from the question's text: the same for everyone.
"""

import random

from evals.benchmarks.registry import LETTERS, Hub, Question, ask_choices, register
from evals.benchmarks.rows import Row
from rewards.contracts.files import hash_text


@register(
    "gpqa_diamond",
    title="GPQA Diamond",
    file="eval/gpqa_diamond.jsonl.gz",
    hub=Hub("Idavidrein/gpqa", "gpqa_diamond", "train"),
    public="2023-11",
    task_id="gpqa_diamond",
    n_questions=198,
)
def parse(row: Row) -> Question:
    if row.has("prompt"):
        options = row.value("choices")
        answer = row.text("final_answer")
        if answer not in options:
            raise row.error(f"field 'final_answer' is {answer!r}, expected one of {', '.join(options)}")
        choices = tuple(str(options[letter]) for letter in sorted(options))
        return Question(row.message("prompt"), answer, choices=choices)
    stem, right = row.text("Question"), row.text("Correct Answer")
    order = [right, *(row.text(f"Incorrect Answer {number}") for number in (1, 2, 3))]
    random.Random(hash_text(stem)).shuffle(order)
    return Question(
        ask_choices(stem, tuple(order)),
        LETTERS[order.index(right)],
        row.optional("Record ID"),
        subject=row.optional("High-level domain"),
        choices=tuple(order),
    )
