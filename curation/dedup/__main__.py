"""Command that deduplicates problems: it keeps one row per problem and lists the row that each other repeats.

    python -m curation.dedup in.jsonl --text-column text --out kept.parquet

`in.jsonl` (also .gz, .zst, Parquet, Arrow, CSV) needs an `id`; `kept.parquet` lists the kept ids, and
`kept.removed.parquet` the removed ones, bad rows included, with the reason and the row they match.

Two rows are one problem when their words are alike and their numbers, signs and contraries (largest,
smallest) agree, in any notation; instructions around a problem are learned from the file itself and do not
count. The first row of each problem is kept. Needs about 1.4 KB of memory per row besides the text itself.
"""

import polars as pl

from curation.dedup.clusters import dedup_texts
from curation.dedup.duplicates import DuplicateConfig
from curation.text_command import Command, parse, read_table, tell, write_result


def main(arguments: list[str] | None = None) -> None:
    """Run the command line above."""
    command: Command = parse(arguments, __doc__, "curation.dedup")
    table, bad = read_table(command.input, command.text_column)
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
