"""Comparison of two evaluations on the disk: their questions, their conditions, the paired test.

comparison = compare_runs(Path("runs/demo/evaluate-base"), Path("runs/demo/evaluate-final"))
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evals.conditions import FILE, differences
from evals.statistics.compare import compare, unlike
from rewards.contracts.files import read_json


@dataclass(frozen=True, slots=True)
class Comparison:
    table: pl.DataFrame
    """evals.statistics.compare.COMPARISON rows."""
    notes: tuple[str, ...]
    """What differs beside the model, and which questions only one side has."""


def compare_runs(before: Path, after: Path, *, shared: bool = True, anyway: bool = False) -> Comparison:
    """Compare two evaluate artifacts on the questions that both have.

    ValueError when their judges differ, unless `anyway`; when, without `shared`, one side has more questions;
    and when the reference answers differ or nothing is common.
    """
    frames = [_read(folder) for folder in (before, after)]
    known = [_conditions(folder) for folder in (before, after)]
    found = differences(*known)
    if not anyway and (refused := [line for rule, line in found if rule == "refuse"]):
        raise ValueError(f"{refused[0]}. --anyway compares all the same")
    notes = [line for _, line in found] + unlike(*frames)
    for folder, conditions in zip((before, after), known, strict=True):
        if not conditions:
            notes.append(f"{folder}: it does not say under what conditions it was made (an older version)")
    return Comparison(compare(*frames, shared=shared), tuple(notes))


def _read(folder: Path) -> pl.DataFrame:
    """COMPLETION rows with what their questions say, if it is known."""
    path = folder / "completions.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; give an evaluate artifact, such as RUN/evaluate-base")
    completions = pl.read_parquet(path)
    questions = folder / "questions.parquet"
    if not questions.exists():
        return completions
    keys = ["benchmark", "question_id"]
    return completions.join(pl.read_parquet(questions), on=keys, how="left", maintain_order="left")


def _conditions(folder: Path) -> dict[str, Any]:
    return read_json(folder / FILE) if (folder / FILE).exists() else {}
