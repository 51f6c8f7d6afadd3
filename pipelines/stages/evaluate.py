"""Stage 6, evaluate: sampled responses and benchmarks in, verdicts and statistics out; needs no model.

Artifact: completions.parquet (rewards.contracts.records.COMPLETION), rejects.parquet, summary.parquet,
curves.parquet (evals.statistics.metrics.SUMMARY, CURVE), reflection.parquet
(evals.statistics.reflection.SCHEMA), disagreements.parquet (evals.disagreements.SCHEMA), lm-eval/
(results and samples in lm-evaluation-harness's format).
"""

import polars as pl

from evals.benchmarks.registry import Benchmark
from evals.disagreements import find_disagreements
from evals.lm_eval_format import write_lm_eval
from evals.scoring import score
from evals.statistics.metrics import curves, summarize
from evals.statistics.reflection import analyze
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.benchmarks import load_benchmarks
from pipelines.stages.models import Model
from pipelines.stages.overlap import overlap_stage
from pipelines.stages.sample import sample_stage
from rewards.contracts.records import COMPLETION

STAGE = Stage("evaluate", ("evals", "rewards", "pipelines/stages/evaluate.py"))


def evaluate_stage(workspace: Workspace, prompts: Artifact, model: Model, which: str) -> Artifact:
    """Benchmark a model: check for overlap with the training set, sample, score.

    The results are linked into the run as sample-<which> and evaluate-<which>.
    """
    benchmarks = load_benchmarks(workspace.config, prompts.read("prompts.parquet"))
    overlap_stage(workspace, prompts, benchmarks)
    sampled = sample_stage(workspace, benchmarks, model, f"sample-{which}")
    return score_stage(workspace, benchmarks, sampled, f"evaluate-{which}")


def score_stage(workspace: Workspace, benchmarks: list[Benchmark], sampled: Artifact, link: str) -> Artifact:
    """Score sampled responses and compute their statistics."""
    config = workspace.config
    inputs = {"sample": sampled.content} | {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}

    def build(draft: Draft) -> None:
        responses = sampled.read("responses.parquet")
        scored: list[pl.DataFrame] = []
        rejects = [sampled.read("rejects.parquet")]
        for entry, benchmark in zip(config.evals.benchmarks, benchmarks, strict=True):
            conditions = config.evals.conditions(entry)
            own = responses.filter(pl.col("benchmark") == benchmark.name)
            result = score(
                own,
                benchmark,
                mode=conditions.mode,
                method=conditions.method,
                thought_tags=config.evals.thought_tags,
            )
            scored.append(result.completions)
            rejects.append(result.rejects)
        completions, rejected = COMPLETION.check(pl.concat(scored)), pl.concat(rejects)
        draft.write("completions.parquet", completions)
        draft.write_rejects(rejected)
        draft.write("summary.parquet", summarize(completions))
        draft.write("curves.parquet", curves(completions))
        draft.write("reflection.parquet", analyze(completions))
        if config.evals.second_opinion:
            draft.write("disagreements.parquet", find_disagreements(completions))
        write_lm_eval(
            draft.folder / "lm-eval",
            completions,
            config.evals,
            model=sampled.manifest["inputs"]["model"],
            n_all={benchmark.name: benchmark.n_all for benchmark in benchmarks},
        )
        n_questions = sum(benchmark.questions.height for benchmark in benchmarks)
        draft.count(n_questions, n_questions - rejected.height, rejected.height)

    return workspace.produce(STAGE, {"evals": section(config.evals)}, inputs, build, link)
