"""The same ten responses in every published layout, with the fields of lm-eval 0.4.13, lighteval 0.13 and
0.8, and EvalScope 1.14 and 0.10."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

ROWS = [
    ("What is $2+3$?", "5", ["so \\boxed{5}", "The answer is 6."]),
    ("Solve $x+1=3$ for $x$.", "2", ["\\boxed{x=2}", "I do not know"]),
    ("How many primes are below 10?", "4", ["2, 3, 5, 7: **4**\n\nThe answer is 4.", "\\boxed{5}"]),
    ("What is one half of 1?", "\\frac{1}{2}", ["\\boxed{0.5}", "\\boxed{\\frac{2}{4}}"]),
    ("Which number is odd?", "7", ["\\boxed{8}", "\\boxed{7}"]),
]
VERDICTS = [True, False, True, False, True, False, True, True, False, True]
ASKED = "Please reason step by step, and put your final answer within \\boxed{{}}.\n\n{}"


def lm_eval(folder: Path) -> Path:
    path = folder / "samples_mine_2026-01-02T03-04-05.678901.jsonl"
    lines = []
    for number, (problem, answer, texts) in enumerate(ROWS):
        for name in ("strict-match", "flexible-extract"):
            line = {
                "doc_id": number,
                "doc": {"question": problem, "answer": f"Step by step.\n#### {answer}"},
                "target": f"Step by step.\n#### {answer}",
                "arguments": {
                    "gen_args_0": {"arg_0": f"Question: {problem}\nAnswer:", "arg_1": {"temperature": 0.5}}
                },
                "resps": [texts],
                "filtered_resps": ["[invalid]", "[invalid]"],
                "filter": name,
                "metrics": ["exact_match"],
                "doc_hash": "0",
                "prompt_hash": "0",
                "target_hash": "0",
                "exact_match": 0.0,
            }
            lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")
    return path


def lighteval(folder: Path) -> Path:
    rows = [
        {
            "doc": {
                "query": ASKED.format(problem),
                "choices": [answer],
                "gold_index": [0],
                "id": str(number),
                "task_name": "lighteval|mine|0",
                "num_samples": 2,
            },
            "metric": {"pass@k": 0.5},
            "model_response": {
                "input": ASKED.format(problem),
                "input_tokens": [1, 2],
                "text": texts,
                "output_tokens": [[1, 2, 3], [4]],
                "reasonings": [None, None],
                "logprobs": [],
            },
        }
        for number, (problem, answer, texts) in enumerate(ROWS)
    ]
    path = folder / "details_lighteval|mine|0_2026-01-02T03-04-05.678901.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def lighteval_old(folder: Path) -> Path:
    rows = [
        {
            "example": problem,
            "full_prompt": ASKED.format(problem),
            "predictions": texts,
            "gold": [answer],
            "choices": [],
            "gold_index": [],
        }
        for problem, answer, texts in ROWS
    ]
    path = folder / "details_custom|mine|0_2025-01-02T03-04-05.678901.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def evalscope(folder: Path) -> Path:
    path = folder / "mine_default.jsonl"
    lines = [
        {
            "index": 2 * number + place,
            "target": [answer],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": ASKED.format(problem)}]},
                {"role": "assistant", "content": text},
            ],
            "sample_score": {
                "score": {"value": {"acc": 0.0}, "extracted_prediction": "?", "prediction": text},
                "sample_id": 2 * number + place,
                "group_id": number,
                "generation_index": place,
                "sample_metadata": {},
            },
        }
        for number, (problem, answer, texts) in enumerate(ROWS)
        for place, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def evalscope_old(folder: Path) -> Path:
    path = folder / "mine_old.jsonl"
    lines = [
        {
            "index": number,
            "raw_input": {"problem": problem, "answer": answer},
            "choices": [
                {
                    "index": place,
                    "message": {"role": "assistant", "content": text},
                    "review": {"gold": answer, "pred": "?", "result": False},
                }
                for place, text in enumerate(texts)
            ],
        }
        for number, (problem, answer, texts) in enumerate(ROWS)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def plain(folder: Path) -> Path:
    path = folder / "mine.jsonl"
    lines = [{"problem": problem, "answer": answer, "responses": texts} for problem, answer, texts in ROWS]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def single(folder: Path) -> Path:
    path = folder / "one_a_row.parquet"
    rows = [
        {"messages": [{"role": "user", "content": problem}], "target": answer, "completion": text}
        for problem, answer, texts in ROWS
        for text in texts
    ]
    pl.DataFrame(rows).write_parquet(path)
    return path


LAYOUTS: list[Callable[[Path], Path]] = [
    lm_eval,
    lighteval,
    lighteval_old,
    evalscope,
    evalscope_old,
    plain,
    single,
]


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    """The questions as a benchmark, with other ids, other spaces and one question more."""
    path = tmp_path / "bench" / "math.jsonl"
    path.parent.mkdir()
    rows = [
        {"id": f"m{n}", "problem": p.replace("$", " $ "), "answer": a} for n, (p, a, _) in enumerate(ROWS)
    ]
    rows.append({"id": "m9", "problem": "What is 9?", "answer": "9"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
