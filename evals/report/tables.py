"""The tables of the page: rows of numbers, and what a dot column needs to draw them."""

from typing import Any

import polars as pl

from evals.benchmarks import registered
from evals.benchmarks.registry import is_after
from evals.report.data import ReportData
from evals.statistics.metrics import breakdown, curves

GROUPINGS = {"level": "level", "subject": "subject", "length": "length quartile, shortest first"}
MOST_OPEN = 12
"""Tables of groups with more rows are closed at first."""


def result_rows(data: ReportData, summaries: dict[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """SUMMARY rows with their model, the models of one benchmark in adjacent rows; what was set aside of its
    questions, when they became public, and what one cost in response tokens, or in money."""
    rows = []
    for label, frame in summaries.items():
        for row in frame.to_dicts():
            mean = row["response_tokens"]
            tokens = None if mean is None else mean * row["n_samples"]
            cost = None if tokens is None or data.price is None else tokens * data.price / 1e6
            spec = registered().get(row["benchmark"])
            public = spec.public if spec else ""
            facts = {"public": public, "is_after": is_after(public, data.cutoff), "set_aside": ""}
            rows.append(row | {"model": label, "tokens_a_question": tokens, "cost": cost, **facts})
    for note in [] if data.set_aside is None else data.set_aside.to_dicts():
        for row in rows:
            if row["benchmark"] == note["benchmark"] and row["model"] == note["model"]:
                row["set_aside"] = f"{note['n_set_aside']} of {note['n_questions']} set aside"
    order = list(dict.fromkeys(row["benchmark"] for row in rows))
    return sorted(rows, key=lambda row: order.index(row["benchmark"]))


def set_aside_notes(data: ReportData) -> list[str]:
    """One line for each benchmark and model with questions that have no score."""
    if data.set_aside is None:
        return []
    notes: dict[str, list[str]] = {}
    for row in data.set_aside.to_dicts():
        counted = f"{row['n_set_aside']} of {row['n_questions']} questions set aside"
        line = f"{row['benchmark']}: {counted}: {row['detail']}"
        notes.setdefault(line, []).append(row["model"])
    return [f"{line} ({' and '.join(models)})" for line, models in notes.items()]


def curve_table(models: dict[str, pl.DataFrame]) -> dict[str, Any] | None:
    """pass@k and maj@k for k = 1, 2, 4, ... and the number of samples; None when all have one sample."""
    is_shown = (pl.col("k").log(2) % 1 == 0) | (pl.col("k") == pl.col("k").max().over("benchmark"))
    frames = {label: curves(frame).filter(is_shown) for label, frame in models.items()}
    ks = sorted({k for frame in frames.values() for k in frame["k"]})
    if ks in ([], [1]):
        return None
    rows = []
    names = dict.fromkeys(name for frame in frames.values() for name in frame["benchmark"])
    for name in names:
        for label, frame in frames.items():
            own = {row["k"]: row for row in frame.filter(pl.col("benchmark") == name).to_dicts()}
            if own:
                rows.append({"benchmark": name, "model": label, "points": [own.get(k) for k in ks]})
    return {"ks": ks, "rows": rows}


def group_tables(models: dict[str, pl.DataFrame]) -> list[dict[str, Any]]:
    """Accuracy by level, subject and length quartile: one table for each benchmark that has several."""
    tables = []
    for by, title in GROUPINGS.items():
        frames = {label: breakdown(frame, by) for label, frame in models.items()}
        names = dict.fromkeys(name for frame in frames.values() for name in frame["benchmark"])
        for name in names:
            rows: dict[str, dict[str, Any]] = {}
            for label, frame in frames.items():
                for row in frame.filter(pl.col("benchmark") == name).to_dicts():
                    rows.setdefault(row["group"], {"group": row["group"]})[label] = row
            if len(rows) > 1:
                ordered = [rows[group] for group in sorted(rows, key=_natural)]
                tables.append(
                    {
                        "benchmark": name,
                        "by": by,
                        "title": title,
                        "rows": ordered,
                        "is_open": by != "length" and len(rows) <= MOST_OPEN,
                    }
                )
    return tables


def budget_tables(data: ReportData) -> list[dict[str, Any]]:
    """One table a model: benchmarks as rows, budgets as columns."""
    if data.budgets is None or data.budgets.is_empty():
        return []
    tables = []
    for (model,), own in data.budgets.group_by("model", maintain_order=True):
        budgets = own["budget"].unique().sort().to_list()
        rows = []
        for (name,), part in own.group_by("benchmark", maintain_order=True):
            points = {row["budget"]: row for row in part.to_dicts()}
            rows.append({"benchmark": name, "points": [points.get(budget) for budget in budgets]})
        tables.append({"model": model, "budgets": budgets, "rows": rows})
    return tables


def _natural(group: str) -> tuple[int, str]:
    return (int(group), "") if group.isdecimal() else (10**9, group)
