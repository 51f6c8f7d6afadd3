"""Clearance of a prompt set before publication: licenses of its sources, and remaining benchmark questions.

It does not rely on curation's records: licenses are read from the rows, and the rows are compared with the
benchmarks once more.
"""

import re
from collections.abc import Collection
from pathlib import Path

import polars as pl

from curation.decontaminate.benchmarks import leaks_in_texts
from evals.benchmarks.loading import protected
from pipelines.benchmarks import protected_benchmarks, read_protected
from pipelines.config import RunConfig

FORBIDS = re.compile(
    r"\bno[- ]?deriv|\bby(-nc)?-nd\b|all rights reserved|proprietary|no redistribution|not redistribut"
    r"|do not (share|distribute|redistribute)",
    re.IGNORECASE,
)
"""Licenses that forbid passing on modified copies; --force-license does not override them."""
SHOWN = 5


def check_licenses(prompts: pl.DataFrame, forced: Collection[str]) -> None:
    """Raise ValueError when a source's license forbids publication, or is missing and not `forced`.

    Also when `forced` names a source that the prompt set does not have.
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
                "Remove the source from the configuration"
            )
    missing = counts.filter(pl.col("license").is_null(), ~pl.col("source").is_in(sorted(forced)))
    if missing.height:
        named = ", ".join(f"{source} ({n:,} rows)" for source, _, n in missing.iter_rows())
        raise ValueError(
            f"not published: no license is stated for {named}. State it in the config "
            "(curation.sources: license = '...'), remove the source, or publish it anyway with "
            f"{' '.join(f'--force-license {source}' for source in missing['source'])}"
        )


def check_leaks(prompts: pl.DataFrame, config: RunConfig) -> int:
    """Compare every row with every benchmark of the run; returns the number of benchmark questions.

    ValueError names rows that still repeat one.
    """
    data_root = Path(config.data_root) if config.data_root else None
    questions = pl.concat(
        [protected(protected_benchmarks(config)), read_protected(config.protect_files, data_root)]
    )
    # Curation judged free rewordings with word weights from all its rows; weights from the remaining rows
    # would change borderline cases.
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
            f"{shown}. Curate again; if they remain, list a file of these problems under protect_files"
        )
    return questions.height
