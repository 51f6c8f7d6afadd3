"""What is said of an evaluation beside its scores: when, how, with which versions, and what has no score."""

import time
from typing import Any

import polars as pl

from evals.conditions import FILE
from pipelines.artifacts.artifact import MANIFEST, Artifact
from rewards.contracts.files import read_json

MOST_NAMED = 3
"""Set-aside questions that are named; the others are counted."""
USUAL = {"top_k": 0, "min_p": 0, "repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0}
USUAL |= {"n_shots": 0, "limit": 0}
"""Conditions that are said only where they are others."""
HASHES = ("model", "prompts", "chat_template", "versions", "n_samples")
"""Conditions that say nothing to a reader, or stand elsewhere."""


def evaluation_facts(evaluated: Artifact) -> tuple[tuple[str, str], ...]:
    """(name, text) pairs for the head of the report: day, versions, and how each benchmark was sampled."""
    path = evaluated.folder / FILE
    conditions = read_json(path) if path.exists() else {}
    made = time.gmtime((evaluated.folder / MANIFEST).stat().st_mtime)
    installed = evaluated.manifest.get("environment", {}).get("libraries", {})
    versions = {name: installed[name] for name in ("reasoner-zero", "math-verify") if name in installed}
    alike: dict[str, list[str]] = {}
    for name, own in conditions.items():
        versions |= own.get("versions") or {}
        alike.setdefault(_in_words(own), []).append(name)
    lines = [("Evaluated", time.strftime("%-d %B %Y", made))]
    lines.append(("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())))
    for text, names in alike.items():
        lines.append(("Sampling" if len(alike) == 1 else f"Sampling of {', '.join(names)}", text))
    return tuple((name, text) for name, text in lines if text)


def _in_words(conditions: dict[str, Any]) -> str:
    parts = []
    for name, value in conditions.items():
        is_usual = value in (None, "", [], {}) or (name in USUAL and USUAL[name] == value)
        if name not in HASHES and not is_usual:
            shown = " ".join(map(repr, value)) if isinstance(value, list) else value
            parts.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(parts)


def set_aside(evaluated: dict[str, Artifact]) -> pl.DataFrame:
    """Questions without a score: [model, benchmark, n_set_aside, n_questions, detail], for each model."""
    rows = []
    for model, artifact in evaluated.items():
        scored = dict(artifact.read("summary.parquet").select("benchmark", "n_questions").iter_rows())
        rejects = artifact.read("rejects.parquet").filter(pl.col("step") != "match")
        for (name,), own in rejects.group_by("source", maintain_order=True):
            rows.append((model, name, own.height, own.height + scored.get(name, 0), _detail(own)))
    columns = {"model": pl.String, "benchmark": pl.String, "n_set_aside": pl.Int64, "n_questions": pl.Int64}
    return pl.DataFrame(rows, schema={**columns, "detail": pl.String}, orient="row")


def _detail(rejects: pl.DataFrame) -> str:
    """Why, with the questions' ids: 'prompt of 812 tokens + ... (question 7)'."""
    named = [
        f"{detail or reason.replace('_', ' ')} (question {question})"
        for reason, detail, question in rejects.select("reason", "detail", "source_id")
        .head(MOST_NAMED)
        .iter_rows()
    ]
    more = rejects.height - len(named)
    return "; ".join(named) + (f"; {more} more in rejects.parquet" if more else "")
