"""Score decontamination on labeled rows: precision, recall, missed and wrong rows by kind, CPU seconds.

    python bench/decontaminate.py decontam_public.jsonl.gz --benchmarks eval/

Columns: text, kind, leak (true: must be removed, false: must stay, null: not scored), bench (the benchmarks
to protect).
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import polars as pl

from curation.decontaminate.benchmarks import leaks_in_texts, read_benchmarks
from curation.sources.readers import read_rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--benchmarks", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row.value for row in read_rows(arguments.rows, max_row_bytes=10**8)]
    texts = pl.Series([row["text"] for row in rows])
    names = sorted({row["bench"] for row in rows if row["bench"]})
    protected = read_benchmarks(arguments.benchmarks).filter(pl.col("benchmark").is_in(names))
    leaks_in_texts(texts[:50], protected)
    started = time.process_time()
    found = set(leaks_in_texts(texts, protected)["row"])
    seconds = time.process_time() - started
    scored = [
        (row["leak"], index in found, row["kind"])
        for index, row in enumerate(rows)
        if row["leak"] is not None
    ]
    hits = sum(leak and hit for leak, hit, _ in scored)
    missed = Counter(kind for leak, hit, kind in scored if leak and not hit)
    wrong = Counter(kind for leak, hit, kind in scored if hit and not leak)
    sys.stdout.write(
        f"rows={len(rows)} protected={protected.height} precision={hits / (hits + wrong.total()):.4f} "
        f"recall={hits / (hits + missed.total()):.4f} cpu_s={seconds:.2f} "
        f"missed={dict(missed)} wrong={dict(wrong)}\n"
    )


if __name__ == "__main__":
    main()
