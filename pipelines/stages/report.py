"""Stage 7, report: all artifacts of a run in, report.html and summary.json in the run's folder out.

It reads stored results only, so it can run again at any time without a model.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl

from evals.report.data import ReportData, headlines
from evals.report.files import write_figures
from evals.report.render import build_page, render_page
from evals.report.samples import with_problems
from evals.statistics.turning_point import run_bends
from pipelines.artifacts.artifact import MANIFEST, Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.benchmarks import load_benchmarks
from pipelines.stages.budgets import budget_table
from pipelines.stages.evaluated import evaluation_facts, questions_beside, set_aside
from pipelines.stages.summary import LAST_STEPS, summarize_run
from rewards.contracts.files import write_json, write_parquet, write_text
from rewards.contracts.records import METRIC, TIMING
from training.recorder import read_records

LINKS = (
    "curate",
    "rewards",
    "base",
    "train",
    "overlap",
    "sample-base",
    "evaluate-base",
    "sample-final",
    "evaluate-final",
)


def report_stage(
    workspace: Workspace,
    *,
    with_figures: bool = False,
    with_budgets: bool = False,
    price: float | None = None,
    cutoff: str = "",
) -> dict[str, Any]:
    """Write report.html and summary.json; returns the summary.

    On request also the figures as files, and accuracy against the token budget (budgets.parquet), for which
    responses are judged again. `price`: of a million response tokens; `cutoff`: month of the base model's
    last data, YYYY-MM.
    """
    stages = {link: workspace.linked(link) for link in LINKS}
    metrics = read_records(stages["train"].folder / "metrics.jsonl", METRIC)
    before, after = stages["evaluate-base"], stages["evaluate-final"]
    bends = run_bends(metrics)
    summary = summarize_run(workspace.config.name, stages, metrics, before, after, bends)
    base, final = before.read("completions.parquet"), after.read("completions.parquet")
    second = "reflecting" if any(summary["reflecting"].values()) else "worked"
    extra = {name: (summary[name]["before"], summary[name]["after"]) for name in ("reward", second)}
    labels = {
        "reward": f"Training reward, last {LAST_STEPS} steps",
        "worked": "Worked answers",
        "reflecting": "Answers that reflect",
    }
    evaluated = {"base": before, "final": after}
    data = ReportData(
        run=workspace.config.name,
        subtitle=f"{summary['steps']} PPO steps from {describe_model(workspace)}",
        headlines=headlines(base, final, {labels[name]: pair for name, pair in extra.items()}),
        facts=evaluation_facts(after),
        config=json.dumps(workspace.config.model_dump(mode="json"), indent=2, ensure_ascii=False),
        base=base,
        final=final,
        metrics=metrics,
        timings=read_records(stages["train"].folder / "timings.jsonl", TIMING),
        funnel=stages["curate"].read("funnel.parquet"),
        answer_types=stages["rewards"].read("answer_types.parquet").select("answer_type", count="kept"),
        overlap=overlap_table(stages["curate"], stages["overlap"]),
        checkpoints=read_checkpoints(workspace.folder, stages["train"], base, final, metrics.height),
        reflection=metrics.select("step", "reflection_rate", "correct_reflection_tokens", "response_tokens"),
        disagreements=read_disagreements(evaluated),
        set_aside=set_aside(evaluated),
        budgets=write_budgets(workspace, stages, {"base": base, "final": final}) if with_budgets else None,
        price=price,
        cutoff=cutoff,
        bends=bends,
        has_viewer=(workspace.folder / "view" / "index.html").exists(),
        lineage=pl.DataFrame(
            [(link, artifact.fingerprint, artifact.content) for link, artifact in stages.items()],
            schema=["artifact", "fingerprint", "content"],
            orient="row",
        ).select("artifact", "fingerprint"),
        timing_note=cost_note(stages),
        notes=(*segment_notes(stages["train"]), *remarks(after)),
    )
    page = build_page(data, for_papers=with_figures)
    write_text(workspace.folder / "report.html", render_page(data, page))
    if with_figures:
        write_figures(page, workspace.folder / "figures")
    write_json(workspace.folder / "summary.json", summary)
    return summary


def report_alone(workspace: Workspace, evaluated: Artifact, label: str) -> Path:
    """Write report.html about one evaluation, of a model that was not trained here; returns its path."""
    completions = evaluated.read("completions.parquet")
    target = evaluated.folder.resolve()
    links = [link for link in workspace.folder.glob("evaluate*") if link.resolve() == target]
    questions = next(filter(None, map(questions_beside, links)), None)
    if questions is not None:
        completions = with_problems(completions.lazy(), pl.scan_parquet(questions)).collect()
    one = {"final": evaluated}
    data = ReportData(
        run=workspace.config.name,
        subtitle=label,
        label="model",
        facts=evaluation_facts(evaluated),
        headlines=headlines(completions.clear(), completions),
        config=json.dumps(workspace.config.evals.model_dump(mode="json"), indent=2, ensure_ascii=False),
        final=completions,
        disagreements=read_disagreements(one),
        set_aside=set_aside(one),
        has_viewer=(workspace.folder / "view" / "index.html").exists(),
        notes=remarks(evaluated),
    )
    path = workspace.folder / "report.html"
    write_text(path, render_page(data, build_page(data)))
    return path


def write_budgets(
    workspace: Workspace, stages: dict[str, Artifact], models: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """Accuracy against the token budget for each model, also as budgets.parquet in the run's folder."""
    benchmarks = load_benchmarks(workspace.config, stages["rewards"].read("prompts.parquet"))
    tokenizer = next(iter(sorted(stages["base"].folder.rglob("tokenizer.json"))), None)
    table = budget_table(models, benchmarks, workspace.config.evals, tokenizer)
    write_parquet(workspace.folder / "budgets.parquet", table)
    return table


def read_disagreements(evaluated: dict[str, Artifact]) -> pl.DataFrame | None:
    """What the judges disagree on, for each model; None when no second opinion was asked for."""
    name = "disagreements.parquet"
    tables = [
        artifact.read(name).with_columns(model=pl.lit(label))
        for label, artifact in evaluated.items()
        if (artifact.folder / name).exists()
    ]
    return pl.concat(tables) if tables else None


def remarks(evaluated: Artifact) -> tuple[str, ...]:
    """What the benchmarks themselves have to say, such as questions that differ from the published text."""
    return tuple(evaluated.manifest["facts"].get("remarks", ()))


def segment_notes(trained: Artifact) -> tuple[str, ...]:
    """What made which steps, if more than one configuration, code or number of ranks did."""
    segments = trained.manifest["facts"].get("segments", ())
    return tuple(f"Training, {line}" for line in segments) if len(segments) > 1 else ()


def describe_model(workspace: Workspace) -> str:
    model = workspace.config.training.model
    return model.path or model.gguf or "a model made from scratch"


def overlap_table(curated: Artifact, overlap: Artifact) -> pl.DataFrame:
    """Benchmark questions in the training set now, and how many curation found in its sources and removed."""
    removed = (
        curated.read("rejects.parquet")
        .filter(pl.col("step") == "decontaminate")
        .select(benchmark=pl.col("matched").str.split(":").list.first(), matched="matched")
        .group_by("benchmark")
        .agg(n_removed=pl.col("matched").n_unique().cast(pl.Int64))
    )
    table = overlap.read("by_benchmark.parquet").join(removed, on="benchmark", how="left")
    return table.with_columns(pl.col("n_removed").fill_null(0)).sort("benchmark")


def read_checkpoints(
    run: Path, trained: Artifact, base: pl.DataFrame, final: pl.DataFrame, last: int
) -> pl.DataFrame:
    """COMPLETION rows of the evaluations before, during and after training, with their `step`.

    Those in between were made by training itself (`training.eval_every`) or from exported checkpoints.
    """
    found = {0: base, last: final}
    for folder in trained.folder.glob("evaluations/step-*"):
        step = int(folder.name.removeprefix("step-"))
        found.setdefault(step, pl.read_parquet(folder / "*.parquet"))
    for manifest in run.glob(f"evaluate-step-*/{MANIFEST}"):  # A killed evaluation has none.
        step = int(manifest.parent.name.removeprefix("evaluate-step-"))
        found.setdefault(step, pl.read_parquet(manifest.with_name("completions.parquet")))
    return pl.concat([found[step].with_columns(step=pl.lit(step, pl.Int64())) for step in sorted(found)])


def cost_note(stages: dict[str, Artifact]) -> str:
    """Wall and CPU time that all stages took when they ran, and the machine."""
    usages = [artifact.manifest["usage"] for artifact in stages.values()]
    wall, cpu = (sum(usage[name] for usage in usages) for name in ("wall_s", "cpu_s"))
    machine = stages["train"].manifest["environment"]["cpu"]
    return f"All stages took {wall:.0f} s of wall time and {cpu:.0f} s of CPU time on {machine}."
