"""Accuracy against the token budget: stored responses, cut and judged again, without a model."""

import logging
import time
from pathlib import Path

import polars as pl

from evals.benchmarks.registry import Benchmark
from evals.config import EvalsConfig
from evals.scoring import score
from evals.statistics.budget import BUDGET, Cut, budgets_up_to, by_budget, cut_evenly, cut_with

logger = logging.getLogger(__name__)
SAMPLED = ("prompt", "response", "n_prompt_tokens", "n_response_tokens", "finish_reason")


def budget_table(
    models: dict[str, pl.DataFrame], benchmarks: list[Benchmark], config: EvalsConfig, tokenizer: Path | None
) -> pl.DataFrame:
    """BUDGET rows with their `model`, from COMPLETION rows by model.

    `tokenizer`: the model's tokenizer.json; None: tokens are taken for equally long, which is said.
    """
    started = time.process_time()
    cut = _cut(tokenizer)
    by_name = {benchmark.name: benchmark for benchmark in benchmarks}
    entries = {entry.name: entry for entry in config.benchmarks if entry.name in by_name}

    def judge(rows: pl.DataFrame) -> pl.Series:
        """Judge cut responses as the evaluation did, in their order."""
        judged = []
        for (name,), own in rows.with_row_index("place").group_by("benchmark", maintain_order=True):
            conditions = config.conditions(entries[str(name)])
            responses = own.select("key", "benchmark", "question_id", "sample", "seed", *SAMPLED)
            scored = score(
                responses,
                by_name[str(name)],
                mode=conditions.mode,
                method=conditions.method,
                thought_tags=config.thought_tags,
            )
            judged.append(own.select("place").with_columns(scored.completions["is_correct"]))
        return pl.concat(judged).sort("place")["is_correct"]

    tables = [pl.DataFrame(schema=BUDGET).with_columns(model=pl.lit(None, pl.String))]
    for model, completions in models.items():
        known = completions.filter(pl.col("benchmark").is_in(list(entries)))
        longest = int(str(known["n_response_tokens"].max() or 0))
        if longest > 1:
            table = by_budget(known, cut, judge, budgets_up_to(longest))
            tables.append(table.with_columns(model=pl.lit(model)))
    logger.info("accuracy by token budget took %.0f CPU-s", time.process_time() - started)
    return pl.concat(tables)


def _cut(tokenizer: Path | None) -> Cut:
    if tokenizer is None:
        logger.warning("no tokenizer.json: responses are cut as if all of their tokens were equally long")
        return cut_evenly
    from tokenizers import Tokenizer

    return cut_with(Tokenizer.from_file(str(tokenizer)))
