"""Measure the CPU time of a full evaluation's statistics and report, step by step.

    python bench/evals/report.py

12,128 synthetic responses of about 3,000 characters: 758 questions (AIME 2024 and 2025, MATH500, GPQA
Diamond) with 16 samples each, before and after training; and metrics of 1,000 training steps.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from evals.report.data import ReportData, headlines
from evals.report.render import build_page, render_page
from evals.statistics.compare import compare
from evals.statistics.metrics import curves, summarize
from evals.statistics.reflection import analyze, repetition_score
from rewards.contracts.records import COMPLETION, METRIC, TIMING

SIZES = {"aime2024": 30, "aime2025": 30, "math500": 500, "gpqa_diamond": 198}
TEXT = "so we add the terms wait, let me recheck this sum and divide both sides by two however, it is"
WORDS = TEXT.split()


def make_completions(skill: float, seed: int) -> pl.DataFrame:
    draw = random.Random(seed)
    rows = []
    for name, n_questions in SIZES.items():
        for question in range(n_questions):
            ease = draw.random()
            for index in range(16):
                is_correct = draw.random() < skill * ease
                answer = "7" if is_correct else str(draw.randrange(8, 20))
                n_words = draw.randrange(300, 900)
                text = (
                    " ".join(draw.choices(WORDS, k=n_words)) + f"</think><answer>\\boxed{{{answer}}}</answer>"
                )
                rows.append(
                    {
                        "key": f"{seed}-{name}-{question}-{index}",
                        "benchmark": name,
                        "question_id": str(question),
                        "sample": index,
                        "seed": index,
                        "prompt": f"Question {question} of {name}?",
                        "response": text,
                        "n_prompt_tokens": 8,
                        "n_response_tokens": n_words + 9,
                        "finish_reason": "stop",
                        "gold": "7",
                        "extracted": answer,
                        "reason": "correct" if is_correct else "wrong",
                        "is_correct": is_correct,
                        "is_formatted": True,
                        "is_truncated": False,
                        "answer_class": int(answer) - 7,
                        "level": str(question % 5 + 1),
                        "subject": "algebra" if question % 2 else "geometry",
                    }
                )
    return COMPLETION.frame(rows)


def main() -> None:
    base, final = make_completions(0.4, 0), make_completions(0.9, 1)
    draw, steps = np.random.default_rng(0), np.arange(1, 1001)
    metrics = pl.DataFrame({name: draw.random(1000) for name in METRIC.names} | {"step": steps})
    ones = {column.name: pl.Series([1] * 1000, dtype=column.dtype) for column in TIMING.columns}
    timings = pl.DataFrame(ones | {"step": steps})
    data = ReportData(
        run="bench",
        headlines=headlines(base, final),
        base=base,
        final=final,
        metrics=metrics,
        timings=timings,
    )
    table = Table(title=f"{base.height:,} responses each, before and after training", title_justify="left")
    table.add_column("step")
    table.add_column("CPU seconds", justify="right")
    total = 0.0

    def timed(name: str, call: Callable[[], Any]) -> Any:
        nonlocal total
        started = time.process_time()
        result = call()
        seconds = time.process_time() - started
        total += seconds
        table.add_row(name, f"{seconds:.2f}")
        return result

    timed("summary, both", lambda: [summarize(frame) for frame in (base, final)])
    timed("pass@k and maj@k curves, both", lambda: [curves(frame) for frame in (base, final)])
    timed("reflection and repetition, both", lambda: [analyze(frame) for frame in (base, final)])
    long_text = " ".join(random.Random(2).choices(WORDS, k=30_000))[:100_000]
    timed("repetition score of one text of 100,000 characters", lambda: repetition_score(long_text))
    timed("paired comparison", lambda: compare(base, final))
    page = timed("report: statistics again and figures", lambda: build_page(data))
    text = timed("report: page", lambda: render_page(data, page))
    table.add_row("all", f"{total:.1f}")
    console = Console()
    console.print(table)
    console.print(f"report of {len(text.encode()) / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
