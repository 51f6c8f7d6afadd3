"""Command that deduplicates problems: it keeps one row per problem and lists the row that each other repeats.

    python -m curation.dedup in.jsonl --text-column text --out kept.parquet

`in.jsonl` may also be JSON, CSV, TSV (each also .gz, .zst), Parquet or Arrow. `kept.parquet` lists the kept
ids (`--rows`: holds the kept rows), and `kept.removed.parquet` the removed ones, bad rows included, with the
reason and the row they match; `--out kept.jsonl` or `kept.csv` writes those formats. Rows are named by
`--id-column`, else by `id`, else by their numbers. An input is never written over.

Two rows are one problem when their words are alike and their numbers, signs and contraries (largest,
smallest) agree, in any notation; instructions around a problem are learned from the file itself and do not
count. The first row of each problem is kept. Needs about 1.4 KB of memory per row besides the text itself.
"""

import polars as pl

from curation.dedup.clusters import dedup_texts
from curation.dedup.duplicates import DuplicateConfig
from curation.text.compiling import EXAMPLES, compile_first
from curation.text_command import Command, check_paths, parse, read_table, run_command, tell
from curation.text_output import write_result


def main(arguments: list[str] | None = None) -> None:
    """Run the command line above."""
    command = parse(arguments, __doc__, "curation.dedup")
    run_command("curation.dedup", lambda: _dedup(command))


def _dedup(command: Command) -> None:
    from curation.dedup import kernels

    check_paths(command)
    table, bad = read_table(command)
    compile_first({"duplicates": lambda: dedup_texts(EXAMPLES, DuplicateConfig())}, kernels)
    tell("looking for duplicates")
    roots = dedup_texts(table["text"], DuplicateConfig())
    matched = table["id"].gather(roots)
    table = table.with_columns(matched=matched, root=roots).with_row_index("row")
    removed = table.filter(pl.col("row") != pl.col("root")).select(
        "id", pl.lit("duplicate").alias("reason"), "matched"
    )
    write_result(command, table, removed, bad)


if __name__ == "__main__":
    main()
