"""What the report says beside the scores: how it was sampled, what was set aside, accuracy by budget."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from evals.benchmarks import from_frame
from evals.config import BenchmarkConfig, EvalsConfig
from evals.scoring import score
from evals.statistics.metrics import summarize
from pipelines.artifacts.artifact import Artifact
from pipelines.stages.budgets import budget_table
from pipelines.stages.evaluated import evaluation_facts, set_aside
from rewards.contracts.files import write_json
from rewards.contracts.records import REJECT

SAMPLING = {"temperature": 0.6, "top_p": 1.0, "stop": ["</answer>"], "max_new_tokens": 48}


@pytest.fixture
def sums():
    return from_frame("sums", pl.DataFrame({"problem": ["2+2", "3+4"], "answer": ["4", "7"]}))


@pytest.fixture
def completions(sums) -> pl.DataFrame:
    """Both right, after 10 tokens and after 40."""
    rows = [
        {
            "key": str(number), "benchmark": "sums", "question_id": str(number), "sample": 0, "seed": number,
            "prompt": "p", "response": "x" * n + f"\\boxed{{{answer}}}", "n_prompt_tokens": 1,
            "n_response_tokens": n + 9, "finish_reason": "stop",
        }
        for number, (n, answer) in enumerate([(1, 4), (31, 7)], start=1)
    ]  # fmt: skip
    return score(pl.DataFrame(rows), sums, mode="lenient").completions


def artifact(folder: Path, manifest: dict, **tables: pl.DataFrame) -> Artifact:
    folder.mkdir()
    write_json(folder / "manifest.json", manifest)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return Artifact("evaluate", folder.name, folder)


def test_questions_without_a_score_are_counted_and_named(completions, tmp_path: Path) -> None:
    rejects = [
        {"step": "sample", "reason": "prompt_too_long", "detail": f"prompt of {n} tokens", "source": "sums",
         "source_id": str(n), "problem": "?", "answer": "1"}
        for n in range(5)
    ]  # fmt: skip
    final = artifact(tmp_path / "f", {}, summary=summarize(completions), rejects=REJECT.frame(rejects))
    base = artifact(tmp_path / "b", {}, summary=summarize(completions), rejects=REJECT.frame([]))
    found = set_aside({"base": base, "final": final}).rows()
    assert [row[:4] for row in found] == [("final", "sums", 5, 7)]
    assert found[0][4].startswith("prompt of 0 tokens (question 0); ") and found[0][4].endswith(
        "; 2 more in rejects.parquet"
    )


def test_the_head_says_when_and_how(tmp_path: Path) -> None:
    alike = {"prompt": {"template": "orz", "shots": []}, "sampling": SAMPLING}
    other = {"prompt": {"template": "chat"}, "sampling": SAMPLING | {"temperature": 1.0, "stop": []}}
    conditions = {"a": alike, "b": alike, "c": other}
    sampled = artifact(tmp_path / "s", {"config": {"conditions": conditions, "engine": "vllm", "seed": 7}})
    scored = artifact(tmp_path / "e", {"environment": {"libraries": {"torch": "2.13", "numpy": "2"}}})
    facts = dict(evaluation_facts(sampled, scored))
    assert facts["Versions"] == "torch 2.13" and facts["Evaluated"].split()[-1].isdigit()
    how = "prompt orz, max new tokens 48, stop '</answer>', temperature 0.6, top p 1.0"
    assert facts["Sampling of a, b"] == how
    assert facts["Sampling of c"] == "prompt chat, max new tokens 48, temperature 1.0, top p 1.0"
    assert facts["Sampling of all"] == "engine vllm, seed 7"
    one = dataclasses.replace(sampled, folder=tmp_path / "o")
    artifact(tmp_path / "o", {"config": {"conditions": {"a": alike}, "engine": "vllm", "seed": 7}})
    assert dict(evaluation_facts(one, scored))["Sampling"] == f"{how}, engine vllm, seed 7"


def test_responses_are_cut_and_judged_again(completions, sums, caplog) -> None:
    config = EvalsConfig(benchmarks=(BenchmarkConfig(name="sums", kind="frame"),), profile="plain")
    table = budget_table({"final": completions}, [sums], config, None)
    assert table.select("budget", "accuracy", "cut").rows() == [
        (2, 0.0, 1.0), (4, 0.0, 1.0), (8, 0.0, 1.0), (16, 0.5, 0.5), (32, 0.5, 0.5), (40, 1.0, 0.0)
    ]  # fmt: skip
    assert set(table["model"]) == {"final"} and "no tokenizer.json" in caplog.text
