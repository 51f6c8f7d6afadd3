"""Check before every evaluation: do the training prompts still contain questions of the benchmarks?

Curation has removed what it found; this checks again what is left, with the benchmarks of this run.
Artifact: overlap.parquet (one row per match), by_benchmark.parquet.
"""

import logging
from collections.abc import Sequence

import polars as pl

from curation.decontaminate.leaks import find_leaks
from evals.benchmarks.loading import protected
from evals.benchmarks.registry import Benchmark
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from training.data import select_rows

logger = logging.getLogger(__name__)
CODE = (
    *("curation/decontaminate", "curation/text", "rewards/contracts", "evals/benchmarks/loading.py"),
    *("training/data.py", "pipelines/stages/overlap.py"),
)
STAGE = Stage("overlap", CODE)


def overlap_stage(workspace: Workspace, prompts: Artifact, benchmarks: Sequence[Benchmark]) -> Artifact:
    """Look for benchmark questions among the training prompts; warns of each benchmark that has some."""
    settings = section(workspace.config.curation.decontaminate)
    inputs = {"rewards": prompts.content} | {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}

    def build(draft: Draft) -> None:
        rows = select_rows(prompts.read("prompts.parquet"), "train")
        found = find_overlap(rows, benchmarks, workspace)
        draft.write("overlap.parquet", found)
        draft.write("by_benchmark.parquet", by_benchmark(found, benchmarks))
        draft.count(rows.height, rows.height, 0)

    artifact = workspace.produce(STAGE, settings, inputs, build)
    for row in artifact.read("by_benchmark.parquet").filter(pl.col("n_overlapping") > 0).to_dicts():
        logger.warning(
            "benchmark=%s questions_in_training_set=%d of %d, see %s",
            row["benchmark"],
            row["n_overlapping"],
            row["n_questions"],
            artifact.folder / "overlap.parquet",
        )
    return artifact


def find_overlap(rows: pl.DataFrame, benchmarks: Sequence[Benchmark], workspace: Workspace) -> pl.DataFrame:
    """One row per training prompt that repeats a benchmark question.

    Columns: problem_id, benchmark, question_id, reason, detail.
    """
    leaks = find_leaks(rows["problem"], protected(benchmarks), workspace.config.curation.decontaminate)
    parts = pl.col("matched").str.splitn(":", 2)
    return leaks.select(
        problem_id=rows["problem_id"].gather(leaks["row"]),
        benchmark=parts.struct.field("field_0"),
        question_id=parts.struct.field("field_1"),
        reason="reason",
        detail="detail",
    )


def by_benchmark(overlap: pl.DataFrame, benchmarks: Sequence[Benchmark]) -> pl.DataFrame:
    """Count overlapping questions: [benchmark, n_questions, n_overlapping], one row per benchmark."""
    counts = overlap.group_by("benchmark").agg(n_overlapping=pl.col("question_id").n_unique().cast(pl.Int64))
    every = pl.DataFrame(
        [(benchmark.name, benchmark.questions.height) for benchmark in benchmarks],
        schema={"benchmark": pl.String(), "n_questions": pl.Int64()},
        orient="row",
    )
    return every.join(counts, on="benchmark", how="left", maintain_order="left").with_columns(
        pl.col("n_overlapping").fill_null(0)
    )
