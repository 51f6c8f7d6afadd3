"""May this prompt set be published? Licenses of its sources, and benchmark problems that it still holds.

Nothing is taken from what curation noted: the licenses are read from the rows, and the rows are compared with
the benchmarks once more.
"""

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from curation.decontaminate.benchmarks import leaks_in_texts, read_benchmarks
from evals.benchmarks.loading import protected
from pipelines.benchmarks import protected_benchmarks, protected_files
from pipelines.config import RunConfig

FORBIDS = re.compile(
    r"\bno[- ]?deriv|\bby(-nc)?-nd\b|all rights reserved|proprietary|no redistribution|not redistribut"
    r"|do not (share|distribute|redistribute)",
    re.IGNORECASE,
)
"""Licenses under which changed copies may not be passed on, whoever asks."""
SHOWN = 5


def check_licenses(prompts: pl.DataFrame, forced: Collection[str]) -> None:
    """Raise ValueError when a source's license forbids publication, or it states none and is not `forced`.

    Also when `forced` names no source of the prompt set.
    """
    sources = set(prompts["source"].unique())
    if unknown := set(forced) - sources:
        raise ValueError(
            f"--force-license {', '.join(sorted(unknown))}: no such source; "
            f"the prompt set has {', '.join(sorted(sources))}"
        )
    counts = prompts.group_by("source", "license").len().sort("source", "license")
    for source, license, n in counts.iter_rows():
        if license is not None and FORBIDS.search(license):
            raise ValueError(
                f"not published: the license of {source} ({n:,} rows) forbids it: {license!r}. "
                "Leave the source out of the configuration"
            )
    missing = counts.filter(pl.col("license").is_null(), ~pl.col("source").is_in(sorted(forced)))
    if missing.height:
        named = ", ".join(f"{source} ({n:,} rows)" for source, _, n in missing.iter_rows())
        raise ValueError(
            f"not published: no license is stated for {named}. State it in the config "
            "(curation.sources: license = '...'), leave the source out, or publish it all the same with "
            f"{' '.join(f'--force-license {source}' for source in missing['source'])}"
        )


def check_leaks(prompts: pl.DataFrame, config: RunConfig) -> int:
    """Compare every row with every benchmark of the run; returns how many questions that were.

    ValueError names the rows that still repeat one.
    """
    data_root = Path(config.data_root) if config.data_root else None
    files = protected_files(config.protect_files, data_root)
    questions = pl.concat(
        [protected(protected_benchmarks(config)), *(read_benchmarks(file) for file in files)]
    )
    # Free rewordings were judged in curation, by the weights of all its rows; those of the rows that are left
    # would turn borderline cases around.
    judged = config.curation.decontaminate.model_copy(update={"free_coverage": 1.0})
    leaks = leaks_in_texts(prompts["problem"], questions, judged)
    if leaks.height:
        rows = leaks.with_columns(problem_id=prompts["problem_id"].gather(leaks["row"])).head(SHOWN)
        shown = "; ".join(
            f"{problem_id} repeats {matched} ({detail})"
            for problem_id, matched, detail in rows.select("problem_id", "matched", "detail").iter_rows()
        )
        raise ValueError(
            f"not published: {leaks.height} of {prompts.height} problems still repeat a benchmark question: "
            f"{shown}. Curate again, with a file of these problems under protect_files if they stay"
        )
    return questions.height
