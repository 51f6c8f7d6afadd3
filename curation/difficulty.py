"""Difficulty of each problem for a model: pass rates of samples scored by the training rule.

    counts = measure(engine, problems, prompt, sampling, config, folder)    # or counts_of_rollouts(rollouts)
    sorted_ = sort_by_difficulty(problems, counts, config)                  # kept, hard, rejects

Prompt and sampling are those of training: a pass rate under other conditions says nothing about the rewards
in training.

A problem that is always or never solved teaches PPO nothing: all its advantages are zero. Open-Reasoner-Zero
collects 13k problems that were solved in fewer than 4 of 64 samples for a final annealing phase (arXiv
2503.24290, section 2.2).
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from pydantic import Field

from rewards.contracts.engine import Engine, Sampling, derive_seed
from rewards.contracts.files import canonical_json, hash_text, sync_folder
from rewards.contracts.prompts import PromptConfig, render_prompt
from rewards.contracts.records import REJECT
from rewards.contracts.settings import Settings
from rewards.grader import score_batch

logger = logging.getLogger(__name__)

COUNTS = pl.Schema(
    {
        "problem_id": pl.String(),
        "n_samples": pl.Int64(),
        "n_solved": pl.Int64(),
        "n_truncated": pl.Int64(),
    }
)
"""Samples of one problem: how many, how many correct, how many truncated at the token limit."""


class DifficultyConfig(Settings):
    """How pass rates are measured and used."""

    n_samples: int = Field(default=64, ge=1)
    """Samples per problem (paper: 64)."""
    drop_all_solved: bool = True
    """Reject problems that every sample solved."""
    drop_none_solved: bool = True
    """Reject problems that no sample solved: too hard for the model, or the reference answer is wrong."""
    hard_below: int = Field(default=4, ge=1)
    """Problems solved in fewer of `hard_of` samples are the hard set (paper: fewer than 4 of 64)."""
    hard_of: int = Field(default=64, ge=1)
    """The number of samples that hard_below refers to; with another n_samples, the same share applies."""
    hard_unsolved: bool = True
    """Include problems that no sample solved in the hard set (paper: fewer than 4 includes none)."""
    chunk: int = Field(default=16, ge=1)
    """Problems sampled and written to disk at a time; a killed run loses at most one chunk."""
    seed: int = 0
    """Seed of the samples."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Problems with their counts (COUNTS) and pass_rate: `kept` for training, `hard` for annealing; plus the
    rejects (REJECT): kept + rejects = problems."""

    kept: pl.DataFrame
    hard: pl.DataFrame
    rejects: pl.DataFrame


def measure(
    engine: Engine,
    problems: pl.DataFrame,
    prompt: PromptConfig,
    sampling: Sampling,
    config: DifficultyConfig,
    folder: Path,
    on_progress: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """Sample and score every problem; a killed run continues with the next chunk and gets the same counts.

    problems: columns problem_id, problem, answer. Problems whose prompt leaves no room for a full response
    have no row in the result. `on_progress` is called with how many more problems are done.
    """
    conditions: list = [engine.fingerprint, asdict(sampling), prompt.model_dump(mode="json")]
    conditions += [config.n_samples, config.chunk, config.seed, problems["problem_id"].to_list()]
    shard = folder / f"{hash_text(canonical_json(conditions), 12)}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    rows = problems.select("problem_id", "problem", "answer").rows(named=True)
    chunks = [rows[begin : begin + config.chunk] for begin in range(0, len(rows), config.chunk)]
    n_done = _whole_lines(shard)
    if on_progress and n_done:
        on_progress(sum(len(chunk) for chunk in chunks[:n_done]))
    with shard.open("ab") as file:
        sync_folder(folder)
        for chunk in chunks[n_done:]:
            file.write(json.dumps(_count(engine, chunk, prompt, sampling, config)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            if on_progress:
                on_progress(len(chunk))
    found = [count for line in shard.read_bytes().splitlines() for count in json.loads(line)]
    logger.info("problems=%d measured=%d resumed_chunks=%d", len(rows), len(found), n_done)
    return pl.DataFrame(found, schema=COUNTS)


def _whole_lines(shard: Path) -> int:
    """Cut off a torn last line; return the number of whole lines."""
    if not shard.exists():
        return 0
    content = shard.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with shard.open("r+b") as file:
            file.truncate(len(whole))
            os.fsync(file.fileno())
    return whole.count(b"\n")


def _count(
    engine: Engine, rows: list[dict], prompt: PromptConfig, sampling: Sampling, config: DifficultyConfig
) -> list[dict]:
    """Sample and score one chunk of problems."""
    prompts, seeds, owners = [], [], []
    longest = engine.max_model_tokens - sampling.max_new_tokens
    for row in rows:
        tokens = engine.encode(render_prompt(row["problem"], prompt))
        if len(tokens) > longest:
            continue
        for sample in range(config.n_samples):
            prompts.append(tokens)
            seeds.append(derive_seed(config.seed, "difficulty", row["problem_id"], sample))
            owners.append(row)
    if not prompts:
        return []
    completions = engine.generate(prompts, seeds, sampling)
    verdicts = score_batch(
        [
            (row["answer"], completion.text, completion.finish_reason)
            for row, completion in zip(owners, completions, strict=True)
        ],
        "orz",
    )
    counts: dict[str, dict] = {}
    for row, completion, verdict in zip(owners, completions, verdicts, strict=True):
        name = row["problem_id"]
        count = counts.setdefault(name, {"problem_id": name, "n_samples": 0, "n_solved": 0, "n_truncated": 0})
        count["n_samples"] += 1
        count["n_solved"] += verdict.is_correct
        count["n_truncated"] += completion.is_truncated
    return list(counts.values())


def counts_of_rollouts(rollouts: pl.LazyFrame) -> pl.DataFrame:
    """Count the trainer's own rollouts (rewards.contracts.records.ROLLOUT) per problem.

    Counts verdicts, not rewards, which further terms may have shaped (rewards.shaping).
    """
    counts = rollouts.group_by("problem_id").agg(
        n_samples=pl.len().cast(pl.Int64),
        n_solved=(pl.col("reason") == "correct").sum().cast(pl.Int64),
        n_truncated=(pl.col("finish_reason") == "length").sum().cast(pl.Int64),
    )
    return counts.sort("problem_id").collect().select(COUNTS.names())


def sort_by_difficulty(prompts: pl.DataFrame, counts: pl.DataFrame, config: DifficultyConfig) -> Sorted:
    """Keep problems that are sometimes solved and collect the hard ones; reject those without counts.

    ValueError when no problem has counts, as when the prompts leave no room for a response.
    """
    if prompts.height and counts.is_empty():
        raise ValueError(
            f"difficulty: none of {prompts.height} problems was sampled: prompt and response together do not "
            "fit; raise training.rollout.max_prompt_tokens, or shorten training.prompt or max_new_tokens"
        )
    rows = prompts.join(counts, on="problem_id", how="left", maintain_order="left").with_columns(
        pass_rate=pl.col("n_solved") / pl.col("n_samples")
    )
    rate = pl.col("pass_rate")
    reason = (
        pl.when(rate.is_null())
        .then(pl.lit("not_measured"))
        .when((rate == 1) & config.drop_all_solved)
        .then(pl.lit("all_solved"))
        .when((rate == 0) & config.drop_none_solved)
        .then(pl.lit("none_solved"))
    )
    rows = rows.with_columns(step=pl.lit("difficulty"), reason=reason, matched=pl.lit(None, dtype=pl.String))
    detail = pl.format("{} of {} samples solved it", pl.col("n_solved"), pl.col("n_samples"))
    missing = pl.lit("no sample: the prompt is too long, or the rollouts never drew it")
    rejects = rows.filter(pl.col("reason").is_not_null()).with_columns(detail=pl.coalesce(detail, missing))
    columns = [*prompts.columns, *COUNTS.names()[1:], "pass_rate"]
    is_hard = rate * config.hard_of < config.hard_below
    is_hard &= (rate > 0) | config.hard_unsolved
    kept = rows.filter(pl.col("reason").is_null()).select(columns)
    assert kept.height + rejects.height == prompts.height, "rows went missing"
    return Sorted(kept, rows.filter(is_hard).select(columns), REJECT.check(rejects))
