"""Contests of 2025 and 2026 as MathArena publishes them: problems with one final answer each.

{"problem_idx": 1, "problem": "...", "answer": 277, "problem_type": ["Algebra"]}             -> 277
"""

from evals.benchmarks.registry import Hub, Question, register
from evals.benchmarks.rows import Row

CONTESTS = (
    ("aime2026", "AIME 2026", "aime_2026", 30, "2026-02"),
    ("hmmt_nov_2025", "HMMT November 2025", "hmmt_nov_2025", 30, "2025-11"),
    ("brumo_2025", "BRUMO 2025", "brumo_2025", 30, "2025-04"),
    ("cmimc_2025", "CMIMC 2025", "cmimc_2025", 40, "2025-04"),
    ("apex_2025", "MathArena Apex 2025", "apex_2025", 12, "2025-08"),
)
"""Name, title, data set of MathArena on the hub, number of questions, month of the contest or publication."""


def parse(row: Row) -> Question:
    subjects = row.texts("problem_type") if row.has("problem_type") else ()
    return Question(
        row.text("problem"),
        row.text("answer"),
        row.optional("problem_idx", "id"),
        subject=", ".join(subjects) or row.optional("source"),
    )


for _name, _title, _hub, _n, _public in CONTESTS:
    register(
        _name,
        title=_title,
        file=f"eval/{_name}.jsonl.gz",
        hub=Hub(f"MathArena/{_hub}", split="train"),
        n_questions=_n,
        public=_public,
        task_id=f"MathArena/{_hub}",
    )(parse)
