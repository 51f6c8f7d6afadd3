"""Stage 6, evaluate: sampled responses and benchmarks in, verdicts and statistics out; needs no model.

Artifact: completions.parquet (rewards.contracts.records.COMPLETION), rejects.parquet, summary.parquet,
curves.parquet (evals.statistics.metrics.SUMMARY, CURVE), reflection.parquet
(evals.statistics.reflection.SCHEMA), disagreements.parquet (evals.disagreements.SCHEMA), lm-eval/
(results and samples in lm-evaluation-harness's format), conditions.json (evals.conditions), questions.parquet
(evals.benchmarks.content.LISTED).
"""

from typing import Any

import polars as pl

from evals import conditions
from evals.benchmarks.content import listed
from evals.benchmarks.registry import Benchmark
from evals.config import EvalsConfig
from evals.disagreements import find_disagreements
from evals.lm_eval_format import write_lm_eval
from evals.scoring import score
from evals.statistics.metrics import curves, summarize
from evals.statistics.reflection import analyze
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.benchmarks import load_benchmarks
from pipelines.config import ConfigError
from pipelines.stages.models import Model
from pipelines.stages.overlap import overlap_stage
from pipelines.stages.sample import sample_stage
from rewards.contracts.files import read_json, write_json
from rewards.contracts.records import COMPLETION

CODE = (
    *("evals/benchmarks", "evals/statistics", "evals/conditions.py", "evals/disagreements.py"),
    *("evals/lm_eval_format.py", "evals/plan.py", "evals/profiles.py", "evals/scoring.py"),
    *("rewards", "pipelines/stages/evaluate.py"),
)
"""Without the report and the viewer: what they show is made here."""
STAGE = Stage("evaluate", CODE)


def evaluate_stage(workspace: Workspace, prompts: Artifact, model: Model, which: str) -> Artifact:
    """Benchmark a model: check for overlap with the training set, sample, score.

    The results are linked into the run as sample-<which> and evaluate-<which>.
    """
    benchmarks = load_benchmarks(workspace.config, prompts.read("prompts.parquet"))
    overlap_stage(workspace, prompts, benchmarks)
    sampled = sample_stage(workspace, benchmarks, model, f"sample-{which}")
    return score_stage(workspace, benchmarks, sampled, f"evaluate-{which}")


def evaluate_alone(workspace: Workspace, model: Model, which: str = "model") -> Artifact:
    """Benchmark a model without a corpus, so that nothing is searched for the benchmarks' questions.

    The results are linked into the run as sample-<which> and evaluate-<which>.
    """
    benchmarks = load_benchmarks(workspace.config)
    if len(benchmarks) < len(workspace.config.evals.benchmarks):
        raise ConfigError("evals.benchmarks: validation is a part of a corpus, and there is no [curation]")
    sampled = sample_stage(workspace, benchmarks, model, f"sample-{which}")
    return score_stage(workspace, benchmarks, sampled, f"evaluate-{which}")


def score_stage(workspace: Workspace, benchmarks: list[Benchmark], sampled: Artifact, link: str) -> Artifact:
    """Score sampled responses and compute their statistics."""
    config = workspace.config
    settings = {"evals": section(config.evals, "endpoint")}
    inputs = {"sample": sampled.content} | {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}

    def build(draft: Draft) -> None:
        responses = sampled.read("responses.parquet")
        scored: list[pl.DataFrame] = []
        rejects = [sampled.read("rejects.parquet")]
        for entry, benchmark in zip(config.evals.benchmarks, benchmarks, strict=True):
            own_conditions = config.evals.conditions(entry)
            own = responses.filter(pl.col("benchmark") == benchmark.name)
            result = score(
                own,
                benchmark,
                mode=own_conditions.mode,
                method=own_conditions.method,
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
        draft.write("questions.parquet", pl.concat(map(listed, benchmarks)))
        write_json(draft.folder / conditions.FILE, _conditions(config.evals, sampled))
        if config.evals.second_opinion:
            draft.write("disagreements.parquet", find_disagreements(completions))
        write_lm_eval(
            draft.folder / "lm-eval",
            completions,
            config.evals,
            model=sampled.manifest["inputs"]["model"],
            n_all={benchmark.name: benchmark.n_all for benchmark in benchmarks},
        )
        draft.facts["remarks"] = [benchmark.remark for benchmark in benchmarks if benchmark.remark]
        n_questions = sum(benchmark.questions.height for benchmark in benchmarks)
        # Of other tools' samples, responses to no question are rejects as well, and no questions of ours.
        n_rejected = rejected.filter(pl.col("step") != "match").height
        draft.count(n_questions, n_questions - n_rejected, n_rejected)

    return workspace.produce(STAGE, settings, inputs, build, link)


def _conditions(evals: EvalsConfig, sampled: Artifact) -> dict[str, Any]:
    """The conditions of the responses, with those of the judgment."""
    known = read_json(sampled.folder / conditions.FILE)
    return {entry.name: conditions.judged(known.get(entry.name), entry, evals) for entry in evals.benchmarks}
