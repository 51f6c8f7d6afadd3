"""The path of a row through curation: kept, or at which step and why it was rejected.

for line in trace(problems, rejects, "gsm8k_train:17"):
    print(line["state"], line["step"], line["reason"], line["matched"])
"""

import polars as pl

WAY = pl.Schema(
    {
        **{
            name: pl.String()
            for name in ("state", "step", "reason", "detail", "source", "source_id", "matched")
        },
        **{name: pl.String() for name in ("problem_id", "problem", "answer")},
    }
)


def trace(problems: pl.DataFrame, rejects: pl.DataFrame, query: str) -> list[dict]:
    """Return one dictionary (columns of WAY) per row that `query` names.

    query: a problem_id, a source_id, "source:source_id", or a piece of the problem text. A kept row comes
    with the rows that were rejected in its favor; `matched` in a rejected row names the row it lost to.
    """
    kept = problems.select(
        state=pl.lit("kept"),
        step=pl.lit(None, dtype=pl.String),
        reason=pl.lit(None, dtype=pl.String),
        detail=pl.format("split {}, cluster {}", "split", "cluster"),
        source="source",
        source_id="source_id",
        matched=pl.lit(None, dtype=pl.String),
        problem_id="problem_id",
        problem="problem",
        answer="answer",
    )
    lost = rejects.select(
        state=pl.lit("rejected"),
        step="step",
        reason="reason",
        detail="detail",
        source="source",
        source_id="source_id",
        matched="matched",
        problem_id=pl.lit(None, dtype=pl.String),
        problem="problem",
        answer="answer",
    )
    rows = pl.concat([kept, lost]).select(WAY.names())
    name = pl.format("{}:{}", "source", "source_id")
    exact = rows.filter((pl.col("problem_id") == query) | (pl.col("source_id") == query) | (name == query))
    if exact.is_empty():
        exact = rows.filter(pl.col("problem").str.contains(query, literal=True))
    names = exact.filter(pl.col("state") == "kept").select(name.alias("matched"))
    followers = rows.filter(pl.col("state") == "rejected").join(names, on="matched", how="semi")
    return pl.concat([exact, followers]).unique(maintain_order=True).to_dicts()
