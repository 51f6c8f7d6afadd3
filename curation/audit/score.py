"""One score per gold, and who is suspect.

The rule: a gold's score is the larger of two shares.
- siblings: of the sources that give this gold or the gold that most of the others give, the share against it;
- samples: the lower end of the 95% interval of the share of samples that agree on one other answer.
A gold is suspect above 0.5, with at least two sources against it or four samples; at 0.5 it is disputed, one
source against another. Everything else is evidence for it, or none.
"""

import polars as pl

from curation.audit.samples import AGREEMENT, wilson
from curation.audit.siblings import VOTES

FEWEST_SAMPLES = 4
FEWEST_AGAINST = 2
SUSPECT = pl.Schema(
    {
        "source": pl.String(),
        "source_id": pl.String(),
        "problem": pl.String(),
        "gold": pl.String(),
        "score": pl.Float64(),
        "verdict": pl.String(),
        "other_gold": pl.String(),
        "evidence": pl.String(),
    }
)
"""suspects.parquet: rows whose gold is suspect or disputed, with the evidence in words."""


def scored_votes(votes: pl.DataFrame) -> pl.DataFrame:
    """Add score, verdict and has_evidence (two or more other sources state the problem) to VOTES."""
    against, total = pl.col("n_against"), pl.col("n_for") + pl.col("n_against")
    score = against / total
    verdict = (
        pl.when((score > 0.5) & (against >= FEWEST_AGAINST))
        .then(pl.lit("suspect"))
        .when(score >= 0.5)
        .then(pl.lit("disputed"))
        .when(against > 0)
        .then(pl.lit("backed"))
        .otherwise(pl.lit("agreed"))
    )
    return votes.with_columns(score=score, verdict=verdict, has_evidence=pl.col("n_sources") >= 3)


def suspects_of_votes(votes: pl.DataFrame) -> pl.DataFrame:
    """Suspect and disputed rows (SUSPECT), the surest first."""
    evidence = pl.format(
        "{} of {} sources give {}; {} give this gold", "n_against", "n_sources", "other_gold", "n_for"
    )
    rows = scored_votes(votes).filter(pl.col("verdict").is_in(["suspect", "disputed"]))
    rows = rows.with_columns(gold="answer", evidence=evidence)
    return rows.sort(["score", "row"], descending=[True, False]).select(SUSPECT.names())


def suspects_of_samples(agreed: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Problems whose samples agree on another answer (SUSPECT).

    agreed: AGREEMENT; problems: problem_id, source, source_id, problem.
    """
    assert set(AGREEMENT.names()) <= set(agreed.columns)
    rows = agreed.filter((pl.col("n_samples") >= FEWEST_SAMPLES) & (pl.col("ci95_low") > 0.5))
    rows = rows.join(problems, on="problem_id", how="inner", maintain_order="left")
    share = (pl.col("share") * 100).round().cast(pl.Int64)
    rows = rows.with_columns(
        score=pl.col("ci95_low"),
        verdict=pl.lit("suspect"),
        other_gold="other_answer",
        evidence=pl.format(
            "{} of {} samples ({}%) give {}; {} give this gold",
            *("n_other", "n_samples", share, "other_answer", "n_right"),
        ),
    )
    return rows.sort(["score", "problem_id"], descending=[True, False]).select(SUSPECT.names())


def unsolved(agreed: pl.DataFrame) -> pl.DataFrame:
    """Split problems that no sample solved: suspect where samples agree on another answer, else hard.

    Returns problem_id, why (`suspect` or `hard`), n_samples, share.
    """
    is_suspect = (pl.col("n_samples") >= FEWEST_SAMPLES) & (pl.col("ci95_low") > 0.5)
    why = pl.when(is_suspect).then(pl.lit("suspect")).otherwise(pl.lit("hard"))
    return agreed.filter(pl.col("n_right") == 0).select("problem_id", why.alias("why"), "n_samples", "share")


def error_rates(votes: pl.DataFrame) -> pl.DataFrame:
    """Estimated error rate of each source's golds: source, n_evidence, n_suspect, rate, ci95_low, ci95_high.

    Of the rows whose problem two or more other sources state, the share whose gold is suspect.
    """
    assert set(VOTES.names()) <= set(votes.columns)
    rows = scored_votes(votes).filter("has_evidence")
    table = (
        rows.group_by("source")
        .agg(
            n_evidence=pl.len().cast(pl.Int64),
            n_suspect=(pl.col("verdict") == "suspect").sum().cast(pl.Int64),
        )
        .sort("source")
    )
    bounds = [wilson(suspect, n) for n, suspect in table.select("n_evidence", "n_suspect").iter_rows()]
    return table.with_columns(
        rate=pl.col("n_suspect") / pl.col("n_evidence"),
        ci95_low=pl.Series([low for low, _ in bounds], dtype=pl.Float64),
        ci95_high=pl.Series([high for _, high in bounds], dtype=pl.Float64),
    )
