import polars as pl
import pytest

from evals.benchmarks import from_frame
from pipelines.artifacts.workspace import Workspace
from pipelines.stages.overlap import overlap_stage


@pytest.fixture
def run(licensed_run: Workspace, tmp_path) -> Workspace:
    """The shared run's config in a separate folder."""
    return Workspace.open(licensed_run.config, tmp_path)


def test_a_training_prompt_in_a_benchmark_is_named_and_warned_of(run, licensed_run, caplog):
    prompts = licensed_run.linked("rewards")
    rows = prompts.read("prompts.parquet")
    seen = rows.filter((pl.col("split") == "train") & pl.col("problem").str.starts_with("What is"))[0]
    fresh = "Which prime lies between the squares of nine and ten and ends in seven?"
    frame = pl.DataFrame(
        {"id": ["old", "new"], "problem": [seen["problem"][0], fresh], "answer": ["1", "97"]}
    )
    with caplog.at_level("WARNING"):
        artifact = overlap_stage(run, prompts, [from_frame("mixed", frame)])
    (found,) = artifact.read("overlap.parquet").to_dicts()
    assert (found["benchmark"], found["question_id"]) == ("mixed", "old")
    assert found["problem_id"] == seen["problem_id"][0]
    assert artifact.read("by_benchmark.parquet").to_dicts() == [
        {"benchmark": "mixed", "n_questions": 2, "n_overlapping": 1}
    ]
    assert "questions_in_training_set=1 of 2" in caplog.text


def test_clean_benchmarks_are_listed_with_zero(run, licensed_run, caplog):
    frame = pl.DataFrame(
        {"problem": ["Name the largest odd divisor of ninety-six billion."], "answer": ["3"]}
    )
    artifact = overlap_stage(run, licensed_run.linked("rewards"), [from_frame("clean", frame)])
    assert artifact.read("by_benchmark.parquet")["n_overlapping"].to_list() == [0]
    assert not artifact.read("overlap.parquet").height and "questions_in_training_set" not in caplog.text
