"""Evidence from siblings: rows of other sources that state the same problem.

votes = sibling_votes(rows)      # rows of a partition, with the root of each row's cluster
"""

import polars as pl

from curation.dedup.duplicates import answer_keys
from curation.dedup.golds import merged_keys

VOTES = pl.Schema(
    {
        "row": pl.Int64(),
        "source": pl.String(),
        "source_id": pl.String(),
        "problem": pl.String(),
        "answer": pl.String(),
        "n_sources": pl.Int64(),
        "n_for": pl.Int64(),
        "n_against": pl.Int64(),
        "other_gold": pl.String(),
    }
)
"""Rows with siblings in other sources: how many sources state the problem, how many give the row's gold (its
own included), how many the gold that most of the others give instead, and that gold."""


def sibling_votes(rows: pl.DataFrame) -> pl.DataFrame:
    """Count the sources for and against each row's gold (VOTES); rows without siblings are left out.

    rows: row, root, source, source_id, problem, answer. A source has one vote for each gold that it gives.
    """
    frame = rows.select("row", "root", "source", "source_id", "problem", "answer").sort("row")
    frame = frame.filter(pl.col("source").n_unique().over("root") > 1)
    if frame.is_empty():
        return pl.DataFrame(schema=VOTES)
    frame = frame.with_columns(answer_key=answer_keys(frame["answer"]))
    frame = frame.with_columns(key=merged_keys(frame))
    golds = frame.group_by("root", "key", maintain_order=True).agg(
        votes=pl.col("source").n_unique().cast(pl.Int64), gold=pl.col("answer").first()
    )
    pairs = frame.join(golds, on="root", how="left", maintain_order="left", suffix="_other")
    rivals = (
        pairs.filter(pl.col("key") != pl.col("key_other"))
        .sort(["row", "votes"], descending=[False, True], maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
        .select("row", n_against="votes", other_gold="gold")
    )
    own = golds.select("root", "key", n_for="votes")
    frame = frame.join(own, on=["root", "key"], how="left", maintain_order="left")
    frame = frame.join(rivals, on="row", how="left", maintain_order="left").with_columns(
        pl.col("n_against").fill_null(0), n_sources=pl.col("source").n_unique().over("root").cast(pl.Int64)
    )
    return frame.select(VOTES.names())
