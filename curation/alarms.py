"""What a person should look at in a curated corpus: huge clusters, sources that vanish, leak or are wrong."""

import logging
from pathlib import Path

import polars as pl

from curation.config import CurationConfig
from curation.wrappers.frames import SAMPLE, find_frame

logger = logging.getLogger(__name__)


def alarms(config: CurationConfig, folder: Path, largest_cluster: int) -> list[str]:
    """What a person should look at: huge clusters, sources that nearly vanish, sources that leak."""
    limits, found = config.alarms, []
    if largest_cluster > limits.max_cluster:
        found.append(f"a cluster has {largest_cluster} rows, more than {limits.max_cluster}")
    counts = pl.concat(
        [
            pl.scan_parquet(folder / "rejects.parquet").select("source", "step"),
            pl.scan_parquet(folder / "data").select("source", step=pl.lit("kept")),
        ]
    )
    table = counts.group_by("source", "step").len().collect().sort("source", "step")
    totals = table.group_by("source").agg(total=pl.col("len").sum())
    shares = table.join(totals, on="source", maintain_order="left").with_columns(
        share=pl.col("len") / pl.col("total")
    )
    for step, limit in (("dedup", limits.duplicate_share), ("decontaminate", limits.leak_share)):
        for row in shares.filter(pl.col("step") == step, pl.col("share") > limit).iter_rows(named=True):
            found.append(f"source {row['source']}: {step} removed {row['len']} rows ({row['share']:.0%})")
    rates = pl.read_parquet(folder / "gold_errors.parquet")
    for row in rates.filter(pl.col("ci95_low") > limits.gold_error).iter_rows(named=True):
        found.append(
            f"source {row['source']}: other sources contradict {row['n_suspect']} of {row['n_evidence']} "
            f"golds ({row['rate']:.0%}); see suspects.parquet"
        )
    found += _frames_left(config, folder)
    for one in found:
        logger.warning("alarm: %s", one)
    return found


def _frames_left(config: CurationConfig, folder: Path) -> list[str]:
    """Sources whose kept problems still share an instruction."""
    made = [source.name for source in config.sources if source.generator]
    kept = pl.scan_parquet(folder / "data").select("source", "problem").collect()
    found = []
    for (name,), rows in kept.filter(~pl.col("source").is_in(made)).group_by("source", maintain_order=True):
        texts = rows["problem"].unique(maintain_order=True)
        some = texts.gather_every(max(1, len(texts) // SAMPLE)).to_list()
        for is_prefix in (True, False):
            if (frame := find_frame(some, is_prefix)) is not None:
                found.append(f"source {name}: {frame}")
    return found
