"""Summary of a run, before and after training: the numbers of summary.json and of the closing table.

`reward` is the training reward: that of step 1 (the base model's own responses) and the mean of the last
LAST_STEPS steps. Everything else is measured on the benchmarks, with the same sampling for the base and the
trained model.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.table import Table

from evals.report.sections import bends_in_words
from evals.statistics.compare import compare
from evals.statistics.reflection import reflects
from evals.statistics.turning_point import Bend, turning_point
from pipelines.artifacts.artifact import Artifact
from rewards.contracts.records import METRIC

LAST_STEPS = 5


def summarize_run(
    name: str,
    stages: dict[str, Artifact],
    metrics: pl.DataFrame,
    before: Artifact,
    after: Artifact,
    bends: Mapping[str, Bend | None],
) -> dict[str, Any]:
    """Collect the numbers of a finished run as plain data, the same for the same artifacts."""
    METRIC.check(metrics)
    completions = [artifact.read("completions.parquet") for artifact in (before, after)]
    summaries = [artifact.read("summary.parquet") for artifact in (before, after)]
    compared = compare(*completions)
    return {
        "name": name,
        "steps": metrics.height,
        "reward": {"before": metrics["reward"][0], "after": metrics["reward"][-LAST_STEPS:].mean()},
        "response_length": _pair(summaries, _weighted("response_tokens")),
        "truncated": _pair(summaries, _weighted("truncated")),
        "formatted": _pair(summaries, _weighted("formatted")),
        "worked": _pair(completions, worked_share),
        "reflecting": _pair(completions, lambda rows: reflects(rows["response"]).sum() / max(1, rows.height)),
        "turning_point": describe_bends(bends),
        "accuracy": {
            row["benchmark"]: {
                "before": _accuracy(summaries[0], row["benchmark"]),
                "after": _accuracy(summaries[1], row["benchmark"]),
                "delta": row["delta"],
                "delta_ci95": [row["ci95_low"], row["ci95_high"]],
                "p_value": row["p_value"],
            }
            for row in compared.iter_rows(named=True)
        },
        "fingerprints": {
            stage: {"fingerprint": artifact.fingerprint, "content": artifact.content}
            for stage, artifact in stages.items()
        },
    }


def describe_bends(bends: Mapping[str, Bend | None]) -> dict[str, Any]:
    """The step at which reward, length and reflection rate turn upward together, and in words what bends.

    Without such a step, step and p-value are None.
    """
    point = turning_point(bends)
    return {
        "step": None if point is None else point.step,
        "p_value": None if point is None else point.p_value,
        "words": bends_in_words(bends),
    }


def worked_share(completions: pl.DataFrame) -> float:
    """Share of responses with text before </think>, or with any text if there is no such tag."""
    thought = pl.col("response").str.split("</think>").list.first().str.strip_chars()
    return float(completions.select((thought.str.len_chars() > 0).mean()).item() or 0.0)


def _pair(frames: list[pl.DataFrame], measure) -> dict[str, float]:
    return {"before": measure(frames[0]), "after": measure(frames[1])}


def _weighted(column: str):
    """Mean of a summary column over all completions of all benchmarks."""

    def measure(summary: pl.DataFrame) -> float:
        weight = pl.col("n_questions") * pl.col("n_samples")
        return float(summary.select((pl.col(column) * weight).sum() / weight.sum()).item())

    return measure


def _accuracy(summary: pl.DataFrame, benchmark: str) -> dict[str, Any]:
    row = summary.row(by_predicate=pl.col("benchmark") == benchmark, named=True)
    return {
        "value": row["accuracy"],
        "ci95": [row["ci95_low"], row["ci95_high"]],
        "n_questions": row["n_questions"],
        "n_samples": row["n_samples"],
    }


def summary_table(summary: dict[str, Any]) -> Table:
    """Render a summary for a terminal."""
    table = Table(title=f"{summary['name']}: {summary['steps']} PPO steps", title_justify="left")
    for column in ("", "before", "after", "change"):
        table.add_column(column, justify="left" if not column else "right")
    reward = summary["reward"]
    table.add_row("training reward", f"{reward['before']:.3f}", f"{reward['after']:.3f}", _change(reward))
    for benchmark, accuracy in summary["accuracy"].items():
        cells = [
            f"{100 * accuracy[when]['value']:.1f} % "
            f"[{100 * accuracy[when]['ci95'][0]:.1f}, {100 * accuracy[when]['ci95'][1]:.1f}]"
            for when in ("before", "after")
        ]
        delta = f"{100 * accuracy['delta']:+.1f} points, p = {accuracy['p_value']:.2g}"
        n = f"avg@{accuracy['after']['n_samples']}, {accuracy['after']['n_questions']} questions"
        table.add_row(f"{benchmark} accuracy ({n})", *cells, delta)
    length = summary["response_length"]
    table.add_row(
        "response length (tokens)", f"{length['before']:.1f}", f"{length['after']:.1f}", _change(length)
    )
    for name in ("worked", "reflecting", "formatted", "truncated"):
        share = summary[name]
        if name == "reflecting" and not any(share.values()):
            continue
        table.add_row(
            f"{name} responses", *(f"{100 * share[when]:.1f} %" for when in ("before", "after")), ""
        )
    table.caption, table.caption_justify = summary["turning_point"]["words"] or None, "left"
    return table


def _change(pair: dict[str, float]) -> str:
    return (
        f"{pair['after'] - pair['before']:+.3f}"
        if pair["before"] < 2
        else f"{pair['after'] - pair['before']:+.1f}"
    )
