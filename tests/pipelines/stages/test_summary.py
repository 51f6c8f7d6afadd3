"""The numbers of summary.json, computed by hand from a few completions and metrics."""

import json
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from evals.statistics.metrics import summarize
from evals.statistics.turning_point import Bend
from pipelines.artifacts.artifact import Artifact, Draft, Stage, Store
from pipelines.stages.summary import LAST_STEPS, summarize_run, summary_table, worked_share
from rewards.contracts.records import COMPLETION, METRIC

STAGE = Stage("evaluate", ("rewards/contracts/files.py",))


def completion(benchmark: str, question: str, sample: int, *, right: bool, tokens: int, thought: str) -> dict:
    return {
        "key": f"{benchmark}/{question}/{sample}",
        "benchmark": benchmark,
        "question_id": question,
        "sample": sample,
        "seed": sample,
        "prompt": "?",
        "response": f"{thought}</think><answer>\\boxed{{1}}</answer>",
        "n_prompt_tokens": 1,
        "n_response_tokens": tokens,
        "finish_reason": "stop" if tokens < 9 else "length",
        "gold": "1",
        "extracted": "1" if right else "2",
        "reason": "correct" if right else "wrong",
        "is_correct": right,
        "is_formatted": tokens < 9,
        "is_truncated": tokens >= 9,
    }


def evaluated(root: Path, name: str, rows: list[dict]) -> Artifact:
    def build(draft: Draft) -> None:
        completions = COMPLETION.frame(rows)
        draft.write("completions.parquet", completions)
        draft.write("summary.parquet", summarize(completions))

    return Store(root).produce(STAGE, {"name": name}, {}, build)


BENDS = {
    "reward": Bend(30.0, 25.0, 35.0, 0.002, 0.0, 0.01),
    "response_tokens": Bend(32.0, 28.0, 36.0, 0.004, 0.0, 0.2),
}


@pytest.fixture
def summary(tmp_path: Path) -> dict:
    # sums: two questions x two samples; more: one question x two samples.
    before = [
        completion("sums", "a", 0, right=True, tokens=2, thought=""),
        completion("sums", "a", 1, right=False, tokens=4, thought=" \n"),
        completion("sums", "b", 0, right=False, tokens=2, thought=""),
        completion("sums", "b", 1, right=False, tokens=4, thought="so"),
        completion("more", "c", 0, right=False, tokens=9, thought="so"),
        completion("more", "c", 1, right=False, tokens=9, thought="so"),
    ]
    after = [
        completion("sums", "a", 0, right=True, tokens=6, thought="so"),
        completion("sums", "a", 1, right=True, tokens=6, thought="so"),
        completion("sums", "b", 0, right=True, tokens=6, thought="so"),
        completion("sums", "b", 1, right=False, tokens=6, thought="so"),
        completion("more", "c", 0, right=True, tokens=3, thought="so"),
        completion("more", "c", 1, right=False, tokens=9, thought="so"),
    ]
    rewards = [0.25, 0.0, 0.1, 0.5, 0.75, 1.0, 1.0, 0.75]
    metrics = METRIC.frame(
        [
            {column.name: 0.0 for column in METRIC.columns} | {"step": step, "reward": reward}
            for step, reward in enumerate(rewards, 1)
        ]
    )
    artifacts = [evaluated(tmp_path, name, rows) for name, rows in (("b", before), ("a", after))]
    return summarize_run("toy", {"evaluate-final": artifacts[1]}, metrics, *artifacts, BENDS)


def test_numbers_by_hand(summary: dict) -> None:
    assert LAST_STEPS == 5
    assert summary["name"] == "toy" and summary["steps"] == 8
    assert summary["reward"]["before"] == 0.25
    assert summary["reward"]["after"] == pytest.approx((0.5 + 0.75 + 1.0 + 1.0 + 0.75) / 5)
    assert summary["response_length"] == pytest.approx({"before": 30 / 6, "after": 36 / 6})
    assert summary["truncated"] == pytest.approx({"before": 2 / 6, "after": 1 / 6})
    assert summary["formatted"] == pytest.approx({"before": 4 / 6, "after": 5 / 6})
    assert summary["worked"] == pytest.approx({"before": 3 / 6, "after": 6 / 6})
    assert summary["reflecting"] == {"before": 0.0, "after": 0.0}
    together = "Reward and response length bend upward together at step 31 (each by itself, p <= 0.004)."
    assert summary["turning_point"] == {"step": 31.0, "p_value": 0.004, "words": together}
    sums = summary["accuracy"]["sums"]
    assert sums["before"]["value"] == 0.25 and sums["after"]["value"] == 0.75
    assert (sums["after"]["n_questions"], sums["after"]["n_samples"]) == (2, 2)
    assert sums["delta"] == 0.5
    # Both questions rose by the same: of the four sign patterns two are as extreme.
    assert sums["p_value"] == 0.5
    assert summary["accuracy"]["more"]["delta"] == 0.5
    low, high = sums["after"]["ci95"]
    assert 0 <= low < 0.75 < high <= 1


def test_is_plain_json_with_fingerprints(summary: dict) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert set(summary["fingerprints"]["evaluate-final"]) == {"fingerprint", "content"}


def test_table_shows_what_changed(summary: dict) -> None:
    console = Console(record=True, width=160)
    console.print(summary_table(summary))
    text = console.export_text()
    assert "toy: 8 PPO steps" in text
    for shown in ("0.250", "0.800", "+0.550", "25.0 % [", "75.0 % [", "+50.0 points", "5.0", "6.0", "+1.0"):
        assert shown in text
    assert "avg@2, 2 questions" in text and "50.0 %" in text and "100.0 %" in text


@pytest.mark.parametrize(
    ("response", "share"),
    [
        pytest.param("27+58</think><answer>85</answer>", 1.0, id="worked"),
        pytest.param("</think><answer>85</answer>", 0.0, id="direct"),
        pytest.param(" \n</think><answer>85</answer>", 0.0, id="blank thought"),
        pytest.param("85", 1.0, id="no tag"),
        pytest.param("", 0.0, id="empty"),
    ],
)
def test_worked_share(response: str, share: float) -> None:
    assert worked_share(pl.DataFrame({"response": [response]})) == share
