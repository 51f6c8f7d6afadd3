"""Clusters of duplicates: which row is kept, and what happens when the answers differ."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from curation.dedup.duplicates import DuplicateConfig, answer_keys, find_duplicates
from curation.dedup.golds import merged_keys, readable
from curation.text.series import comparable
from curation.wrappers.wrappers import unwrap


class DedupConfig(DuplicateConfig):
    """How duplicates are found and which row of a cluster is kept."""

    conflicts: Literal["majority", "drop", "keep"] = "majority"
    """Rows of one problem with different answers. majority: keep a row with the answer that most rows give,
    none when there is no such answer; drop: reject all; keep: keep the best row, whatever its answer. Rows of
    sources with `needs_support` have no vote."""


@dataclass(slots=True)
class Deduplicated:
    """`removed`: row, reason, detail, matched (a row number); all other rows are kept."""

    removed: pl.DataFrame
    conflicts: pl.DataFrame
    """Rows of clusters with several answers: problem, answer, source, source_id, n_votes (rows that give the
    answer, of sources that have a vote), is_kept."""
    n_conflicts: int
    largest_cluster: int


def deduplicate(frame: pl.DataFrame, config: DedupConfig) -> Deduplicated:
    """Keep one row of each cluster.

    frame: columns row (unique), root (a row that names the cluster), problem, answer, source, source_id,
    license, solution, has_vote (false for rows of sources whose golds need support).
    The best row has a gold that the verifier reads and that most rows share, then a stated license, then a
    solution, then comes first in the order of sources and rows. Golds that the verifier takes for each other
    are no conflict. A gold that no row with a vote gives is unsupported, and none of its rows stays.
    """
    columns = ("row", "root", "problem", "answer", "source", "source_id", "license", "solution", "has_vote")
    frame = frame.select(columns).with_columns(answer_key=answer_keys(frame["answer"]))
    frame = frame.with_columns(
        readable(frame), n_shared=pl.len().over("root", "answer_key"), answer_key=merged_keys(frame)
    )
    votes = frame.group_by("root", "answer_key").agg(pl.len(), n_votes=pl.col("has_vote").sum())
    has_votes = pl.col("n_votes") > 0
    votes = votes.with_columns(
        n_rows=pl.col("len").sum().over("root"),
        n_answers=pl.len().over("root"),
        n_voted=has_votes.sum().over("root"),
        is_top=has_votes & (pl.col("n_votes") == pl.col("n_votes").max().over("root")),
    )
    votes = votes.with_columns(n_top=pl.col("is_top").sum().over("root")).drop("len")
    frame = frame.join(votes, on=["root", "answer_key"], how="left", maintain_order="left")
    is_lost = {
        "keep": pl.lit(False),
        "drop": pl.col("n_voted") > 1,
        "majority": pl.col("n_top") > 1,
    }[config.conflicts]
    may_stay = pl.col("is_top") if config.conflicts == "majority" else has_votes
    frame = frame.with_columns(is_lost=is_lost, may_stay=may_stay)
    best = (
        frame.filter(~pl.col("is_lost") & pl.col("may_stay"))
        .sort(
            ~pl.col("is_read"),
            -pl.col("n_shared").cast(pl.Int64),
            pl.col("license").is_null(),
            pl.col("solution").is_null(),
            "row",
        )
        .unique("root", keep="first", maintain_order=True)
        .select("root", best="row")
    )
    frame = frame.join(best, on="root", how="left", maintain_order="left")
    is_kept = pl.col("row") == pl.col("best")
    removed = frame.filter(~is_kept.fill_null(False)).select(
        "row",
        reason=pl.when(pl.col("n_voted") == 0)
        .then(pl.lit("unsupported_answer"))
        .when(pl.col("is_lost"))
        .then(pl.lit("answer_conflict"))
        .when(~pl.col("may_stay"))
        .then(pl.lit("outvoted_answer"))
        .otherwise(pl.lit("duplicate")),
        detail=pl.format("one of {} rows with {} different answers", "n_rows", "n_answers"),
        matched=pl.coalesce("best", "root"),
    )
    largest = frame.group_by("root").len().select(pl.col("len").max()).item()
    in_dispute = frame.filter(pl.col("n_answers") > 1)
    conflicts = in_dispute.select(
        pl.col("problem").first().over("root"),
        "answer",
        "source",
        "source_id",
        "n_votes",
        is_kept=is_kept.fill_null(False),
    )
    return Deduplicated(removed, conflicts, in_dispute["root"].n_unique(), largest or 0)


def dedup_texts(texts: pl.Series, config: DuplicateConfig, min_evidence: int = 3) -> pl.Series:
    """Return the first row of each text's cluster; wrappers are learned and stripped first."""
    _, bare = unwrap(texts, min_evidence)
    return pl.Series("root", find_duplicates(comparable(bare), config), dtype=pl.Int64)
