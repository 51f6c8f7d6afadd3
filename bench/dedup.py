"""Score deduplication on labelled rows: pairs, look-alikes kept apart, rows per CPU-second.

    python bench/dedup.py dedup_public.jsonl.gz

Columns: text, cluster (rows of one cluster are one problem), kind. The first run compiles the loops.
"""

import argparse
import sys
import time
from pathlib import Path

import polars as pl

from curation.dedup import dedup_texts
from curation.duplicates import DuplicateConfig
from curation.readers import read_rows

LOOK_ALIKES = ["one_number", "all_numbers", "flip", "sign", "real_variant"]


def n_pairs(frame: pl.DataFrame, *columns: str) -> int:
    sizes = frame.group_by(columns).len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    rows = [row.value for row in read_rows(parser.parse_args().rows, max_row_bytes=10**8)]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    dedup_texts(frame["text"], DuplicateConfig())
    started = time.process_time()
    frame = frame.with_columns(root=dedup_texts(frame["text"], DuplicateConfig()))
    seconds = time.process_time() - started
    both, found, true = n_pairs(frame, "root", "cluster"), n_pairs(frame, "root"), n_pairs(frame, "cluster")
    mixed = frame.group_by("root").agg(n=pl.col("cluster").n_unique()).filter(pl.col("n") > 1)["root"]
    merged = frame.filter(pl.col("kind").is_in(LOOK_ALIKES))["root"].is_in(mixed.implode())
    sys.stdout.write(
        f"rows={frame.height} precision={both / found:.4f} recall={both / true:.4f} "
        f"f1={2 * both / (found + true):.4f} look_alikes_kept={1 - merged.sum() / len(merged):.4f} "
        f"cpu_s={seconds:.2f} rows_per_cpu_s={frame.height / seconds:.0f}\n"
    )


if __name__ == "__main__":
    main()
