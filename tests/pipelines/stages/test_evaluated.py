"""What the report says beside the scores: how it was sampled, what was set aside, accuracy by budget."""

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
    # A stored sample that answers no question of the benchmark is not one of its questions.
    rejects.append(rejects[0] | {"step": "match", "reason": "no_question"})
    final = artifact(tmp_path / "f", {}, summary=summarize(completions), rejects=REJECT.frame(rejects))
    base = artifact(tmp_path / "b", {}, summary=summarize(completions), rejects=REJECT.frame([]))
    found = set_aside({"base": base, "final": final}).rows()
    assert [row[:4] for row in found] == [("final", "sums", 5, 7)]
    assert found[0][4].startswith("prompt of 0 tokens (question 0); ") and found[0][4].endswith(
        "; 2 more in rejects.parquet"
    )


def test_the_head_says_when_and_how(tmp_path: Path) -> None:
    own = {
        "model": "5e5f", "prompt": "orz", "temperature": 0.6, "top_p": 1.0, "top_k": 0, "n_shots": 0,
        "stop": ["</answer>"], "seed": 7, "engine": "vllm", "versions": {"vllm": "0.32"}, "mode": "orz",
    }  # fmt: skip
    other = own | {"prompt": None, "profile": "chat", "temperature": 0.0, "top_k": 20, "n_shots": 5}
    manifest = {"environment": {"libraries": {"reasoner-zero": "0.2.0", "numpy": "2"}}}
    scored = artifact(tmp_path / "e", manifest)
    write_json(scored.folder / "conditions.json", {"a": own, "b": own, "c": other})
    facts = dict(evaluation_facts(scored))
    assert facts["Versions"] == "reasoner-zero 0.2.0, vllm 0.32" and facts["Evaluated"].split()[-1].isdigit()
    assert set(facts["Sampling of a, b"].split(", ")) == {
        "prompt orz", "temperature 0.6", "top p 1.0", "stop '</answer>'", "seed 7", "engine vllm", "mode orz"
    }  # fmt: skip
    assert {"profile chat", "temperature 0.0", "top k 20", "n shots 5"} <= set(
        facts["Sampling of c"].split(", ")
    )
    write_json(scored.folder / "conditions.json", {"a": own})
    assert "temperature 0.6" in dict(evaluation_facts(scored))["Sampling"]


def test_responses_are_cut_and_judged_again(completions, sums, caplog) -> None:
    config = EvalsConfig(benchmarks=(BenchmarkConfig(name="sums", kind="frame"),), profile="plain")
    table = budget_table({"final": completions}, [sums], config, None)
    assert table.select("budget", "accuracy", "cut").rows() == [
        (2, 0.0, 1.0), (4, 0.0, 1.0), (8, 0.0, 1.0), (16, 0.5, 0.5), (32, 0.5, 0.5), (40, 1.0, 0.0)
    ]  # fmt: skip
    assert set(table["model"]) == {"final"} and "no tokenizer.json" in caplog.text
