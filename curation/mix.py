"""Mixing and splitting: caps, weights, quotas, and a validation split that never divides a cluster.

Every draw depends only on the problem's id, the seed and the purpose, not on the order of rows.
"""

from typing import Literal

import polars as pl
from pydantic import Field, model_validator

from rewards.contracts.files import hash_text
from rewards.contracts.settings import Settings

Attribute = Literal["source", "subject", "level", "language"]


class QuotaConfig(Settings):
    """How much of one kind of problem goes into the corpus."""

    by: Attribute
    """The column that defines the kind."""
    value: str
    """Its value, such as "Level 5"."""
    max_problems: int | None = Field(default=None, ge=0)
    """Keep at most this many, drawn by seed; unset: no cap."""
    weight: float = Field(default=1.0, ge=0)
    """0.25 keeps a quarter, drawn by seed; 2.5 uses half of the problems twice and half three times."""

    @model_validator(mode="after")
    def _does_something(self) -> "QuotaConfig":
        if self.max_problems is None and self.weight == 1.0:
            raise ValueError(f"quota {self.by} = {self.value!r} sets neither max_problems nor weight")
        return self


class MixConfig(Settings):
    """How many problems are kept, and how many of those are reserved for validation."""

    quotas: tuple[QuotaConfig, ...] = ()
    """Caps and weights by source, subject, level or language, applied in order."""
    max_problems: int | None = Field(default=None, ge=1)
    """Keep at most this many problems, drawn by seed; unset: all. A cap per source is set with the source."""
    n_validation: int | None = Field(default=None, ge=0)
    """Problems reserved for validation; unset: validation_share decides."""
    validation_share: float = Field(default=0.02, ge=0, lt=1)
    """Share of the problems reserved for validation."""


def draw_order(ids: pl.Series, seed: int, purpose: str) -> pl.Series:
    """Give each id a place in a random order that depends only on the id, the seed and the purpose."""
    return pl.Series("order", [hash_text(f"{purpose}/{seed}/{one}", 16) for one in ids], dtype=pl.String)


def over_cap(
    problems: pl.DataFrame,
    caps: dict[str, int],
    max_problems: int | None,
    seed: int,
    quotas: tuple[QuotaConfig, ...] = (),
) -> pl.Series:
    """Return per row the reason to omit it (`source_cap`, `quota`, `total_cap`), or null.

    problems: columns problem_id, source, and those that quotas name.
    """
    caps_as_quotas = [QuotaConfig(by="source", value=name, max_problems=cap) for name, cap in caps.items()]
    frame = problems.with_columns(order=draw_order(problems["problem_id"], seed, "mix"), reason=_none())
    for name, quota in [
        *(("source_cap", one) for one in caps_as_quotas),
        *(("quota", one) for one in quotas),
    ]:
        wanted = (pl.col(quota.by) == quota.value).fill_null(False) & pl.col("reason").is_null()
        place = pl.col("order").rank("ordinal").over(wanted)
        least = frame.filter(wanted).height if quota.max_problems is None else quota.max_problems
        if quota.weight < 1:
            least = min(least, round(frame.filter(wanted).height * quota.weight))
        frame = frame.with_columns(
            reason=pl.when(wanted & (place > least)).then(pl.lit(name)).otherwise("reason")
        )
    if max_problems is not None:
        kept = pl.col("reason").is_null()
        place = pl.col("order").rank("ordinal").over(kept)
        frame = frame.with_columns(
            reason=pl.when(kept & (place > max_problems)).then(pl.lit("total_cap")).otherwise("reason")
        )
    return frame["reason"]


def n_copies(problems: pl.DataFrame, quotas: tuple[QuotaConfig, ...], seed: int) -> pl.Series:
    """Return how often each row is used, 1 or more: the product of the weights above 1 that apply to it.

    A fractional weight is rounded up or down by a draw from the seed.
    """
    weight = pl.lit(1.0)
    for quota in quotas:
        if quota.weight > 1:
            wanted = (pl.col(quota.by) == quota.value).fill_null(False)
            weight = weight * pl.when(wanted).then(quota.weight).otherwise(1.0)
    draws = [int(one, 16) / 16**16 for one in draw_order(problems["problem_id"], seed, "copies")]
    whole = weight.floor()
    extra = pl.Series("draw", draws, dtype=pl.Float64) < (weight - whole)
    return problems.select(copies=(whole + extra.cast(pl.Float64)).cast(pl.Int64))["copies"]


def assign_split(problems: pl.DataFrame, config: MixConfig, seed: int) -> pl.Series:
    """Return `train` or `validation` per row; rows of one cluster go together.

    problems: needs column cluster. Clusters are drawn until the wanted number of rows is reached.
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


def _none() -> pl.Expr:
    return pl.lit(None, dtype=pl.String)
