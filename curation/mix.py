"""Mixing and splitting: caps per source and in all, and a validation split that cuts no duplicate cluster."""

import polars as pl
from pydantic import Field

from rewards.files import hash_text
from rewards.settings import Settings


class MixConfig(Settings):
    """How many problems are kept, and how many of them are set apart for validation."""

    max_problems: int | None = Field(default=None, ge=1)
    """Keep at most so many problems, drawn by seed; null: all. Caps per source stand with the source."""
    n_validation: int | None = Field(default=None, ge=0)
    """Problems set apart for validation; null: validation_share decides."""
    validation_share: float = Field(default=0.02, ge=0, lt=1)
    """Share of the problems set apart for validation."""


def draw_order(ids: pl.Series, seed: int, purpose: str) -> pl.Series:
    """Give each id a place in a random order that depends on the id, the seed and the purpose alone."""
    return pl.Series("order", [hash_text(f"{purpose}/{seed}/{one}", 16) for one in ids], dtype=pl.String)


def over_cap(problems: pl.DataFrame, caps: dict[str, int], max_problems: int | None, seed: int) -> pl.Series:
    """Return per row the reason to leave it out (`source_cap`, `total_cap`) or null.

    problems: columns problem_id, source.
    """
    frame = problems.select("problem_id", "source").with_row_index("row")
    frame = frame.with_columns(order=draw_order(frame["problem_id"], seed, "mix"))
    limits = pl.DataFrame(
        {"source": list(caps), "cap": list(caps.values())}, schema={"source": pl.String, "cap": pl.Int64}
    )
    frame = frame.join(limits, on="source", how="left", maintain_order="left")
    frame = frame.with_columns(place=pl.col("order").rank("ordinal").over("source"))
    by_source = pl.col("place") > pl.col("cap")
    frame = frame.with_columns(reason=pl.when(by_source).then(pl.lit("source_cap")))
    if max_problems is not None:
        rest = frame.filter(pl.col("reason").is_null()).sort("order")["row"][max_problems:]
        frame = frame.with_columns(
            reason=pl.when(pl.col("row").is_in(rest.implode())).then(pl.lit("total_cap")).otherwise("reason")
        )
    return frame["reason"]


def assign_split(problems: pl.DataFrame, config: MixConfig, seed: int) -> pl.Series:
    """Return `train` or `validation` per row; rows of one cluster go together.

    problems: column cluster. Clusters are drawn until the wanted number of rows is reached.
    """
    wanted = config.n_validation
    if wanted is None:
        wanted = round(problems.height * config.validation_share)
    if wanted > 0 and wanted >= problems.height:
        raise ValueError(
            f"n_validation must be below the number of problems ({problems.height}), got {wanted}"
        )
    sizes = problems.group_by("cluster", maintain_order=True).len()
    sizes = sizes.with_columns(order=draw_order(sizes["cluster"], seed, "split")).sort("order")
    chosen = sizes.filter(pl.col("len").cum_sum() <= wanted)["cluster"]
    is_validation = problems["cluster"].is_in(chosen.implode())
    return problems.select(
        split=pl.when(is_validation).then(pl.lit("validation")).otherwise(pl.lit("train"))
    )["split"]
