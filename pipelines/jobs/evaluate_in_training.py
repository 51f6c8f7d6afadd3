"""Callbacks for the training loop: run the benchmarks in place, measure reflection and repetition."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from evals.plan import chat_of, make_plans
from evals.sampling import sample
from evals.scoring import score
from evals.statistics.reflection import reflects, repetition_score
from pipelines.benchmarks import load_benchmarks
from pipelines.config import RunConfig
from rewards.contracts.engine import Engine
from rewards.contracts.files import write_parquet
from training.train import Evaluate

MAX_SCORED_CHARS = 20_000
"""Repetition is measured on this much of a response; all of a long one would take seconds per step."""


def read_texts(texts: Sequence[str]) -> list[tuple[bool, float]]:
    """A `training.measures.ReadTexts`: does each response reflect, and how much does it repeat itself?"""
    flags = reflects(pl.Series(texts, dtype=pl.String))
    return [
        (flag, repetition_score(text[:MAX_SCORED_CHARS])) for flag, text in zip(flags, texts, strict=True)
    ]


def make_evaluate(config: RunConfig, prompts: pl.DataFrame, model: Path, folder: Path) -> Evaluate:
    """Plan the run's benchmarks once; each evaluation then writes its COMPLETION rows to `folder`/step-N,
    one parquet file per benchmark and engine."""
    evals = config.evals
    benchmarks = load_benchmarks(config, prompts)
    plans = list(zip(make_plans(evals, benchmarks, chat_of(evals, model)), benchmarks, strict=True))

    def evaluate(engine: Engine, step: int, share: tuple[int, int]) -> dict[str, tuple[float, int]]:
        measures: dict[str, tuple[float, int]] = {}
        for plan, benchmark in plans:
            place = folder / f"step-{step:06d}"
            generated = sample(engine, plan, config=evals, folder=place, part=share)
            mode, method = plan.conditions.mode, plan.conditions.method
            rows = score(generated.responses, benchmark, mode=mode, method=method).completions
            write_parquet(place / f"{benchmark.name}.{share[0]}.parquet", rows)
            for name, column in (
                ("accuracy", "is_correct"),
                ("response_tokens", "n_response_tokens"),
                ("truncated", "is_truncated"),
                ("formatted", "is_formatted"),
            ):
                measures[f"{benchmark.name}/{name}"] = float(rows[column].sum()), rows.height
        return measures

    return evaluate


def context_tokens(config: RunConfig) -> int:
    """Longest prompt plus response of the evaluations during training, in tokens; 0 when there are none."""
    return config.eval_context_tokens if config.training.eval_every else 0
