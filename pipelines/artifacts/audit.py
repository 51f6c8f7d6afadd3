"""Audit of a run: the path of any row through the stages, and a check of every file against its manifest."""

from pathlib import Path

import polars as pl

from curation.trace import trace
from pipelines.artifacts.artifact import MANIFEST, check
from rewards.contracts.files import read_json

ROW_STAGES = (("curate", "data"), ("rewards", "prompts.parquet"))


def trace_row(run: Path, query: str) -> pl.DataFrame:
    """What happened to rows that match `query` (problem_id, source_id or text), stage by stage, and why."""
    found: list[dict] = []
    n_stages = 0
    for stage, kept in ROW_STAGES:
        folder = run / stage
        if not (folder / kept).exists():
            continue
        n_stages += 1
        rows = trace(pl.read_parquet(folder / kept), pl.read_parquet(folder / "rejects.parquet"), query)
        found += [{"stage": stage, **row} for row in rows]
    if not n_stages:
        raise FileNotFoundError(f"{run}: no curated corpus; give a run folder, such as runs/demo")
    return pl.DataFrame(found, infer_schema_length=None)


def check_run(run: Path) -> list[str]:
    """Compare every linked artifact with its manifest, and every input with the artifact it names."""
    links = [path for path in sorted(run.iterdir()) if (path / MANIFEST).exists()]
    if not links:
        raise FileNotFoundError(f"{run}: no artifact; give a run folder, such as runs/demo")
    contents = {link.name: read_json(link / MANIFEST)["content"] for link in links}
    problems = []
    for link in links:
        problems += [f"{link.name}: {problem}" for problem in check(link)]
        for name, content in read_json(link / MANIFEST)["inputs"].items():
            if name in contents and contents[name] != content:
                problems.append(
                    f"{link.name}: was made from a different {name} artifact than the one linked here"
                )
    return problems
