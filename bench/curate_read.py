"""Draw rows of a curated corpus to be read by a person: kept rows, or rejects of each reason.

    python bench/curate_read.py runs/corpus/curate --kept 200 --seed 19
    python bench/curate_read.py runs/corpus/curate --rejects 25 --seed 19

Writes a line a row: number, source, problem, answer. Which of them are harmful (kept) or wrong (rejected) is
the reader's verdict; with --verdicts FILE (id, verdict, why, and the reason for rejects, with tabs between)
shares and intervals follow.
"""

import argparse
import sys
from pathlib import Path

import polars as pl

from curation.audit.samples import wilson


def draw(frame: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    return frame.sample(min(n, frame.height), seed=seed, shuffle=True)


def count(file: Path) -> None:
    """Shares of a table of verdicts: id, verdict, why, and for rejects the filter's reason."""
    rows = [line.split("\t") for line in file.read_text().splitlines() if line.strip()]
    groups: dict[str, list[bool]] = {}
    for row in rows:
        groups.setdefault(row[3] if len(row) > 3 else "kept", []).append(row[1].strip() != "good")
    for name, bad in groups.items():
        low, high = wilson(sum(bad), len(bad))
        share = sum(bad) / len(bad)
        sys.stdout.write(
            f"{name}: rows={len(bad)} bad={sum(bad)} share={share:.3f} ci95=[{low:.3f}, {high:.3f}]\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="a curate artifact, such as runs/corpus/curate")
    parser.add_argument("--kept", type=int, default=0, help="how many kept rows")
    parser.add_argument("--rejects", type=int, default=0, help="how many rejects of each filter's reason")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--made", action="store_true", help="also draw rows of generators")
    parser.add_argument("--characters", type=int, default=600, help="longest problem shown")
    parser.add_argument("--verdicts", type=Path, help="the reader's verdicts, to be counted")
    arguments = parser.parse_args()
    if arguments.verdicts:
        count(arguments.verdicts)
        return
    if arguments.kept:
        kept = pl.read_parquet(arguments.corpus / "data").select("source", "problem", "answer", "provenance")
        if not arguments.made:
            kept = kept.filter(~pl.col("provenance").str.contains('"generator"'))
        show("kept", draw(kept, arguments.kept, arguments.seed), arguments.characters)
    if arguments.rejects:
        lost = pl.read_parquet(arguments.corpus / "rejects.parquet").filter(pl.col("step") == "filter")
        for reason in sorted(lost["reason"].unique()):
            rows = lost.filter(pl.col("reason") == reason)
            show(reason, draw(rows, arguments.rejects, arguments.seed), arguments.characters)


def show(title: str, rows: pl.DataFrame, most: int) -> None:
    sys.stdout.write(f"== {title}: {rows.height} rows\n")
    columns = rows.select("source", "problem", "answer").iter_rows()
    for number, (source, problem, answer) in enumerate(columns, 1):
        text = problem if len(problem) <= most else f"{problem[: most // 3]} ... {problem[-2 * most // 3 :]}"
        sys.stdout.write(f"{number}\t{source}\t{text!r}\t=> {answer!r}\n")


if __name__ == "__main__":
    main()
