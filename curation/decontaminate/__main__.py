"""Command that removes benchmark problems from a file of texts.

    python -m curation.decontaminate in.jsonl --text-column text --benchmarks eval/ --out kept.parquet

`in.jsonl` (also .gz, .zst, Parquet, Arrow, CSV) needs an `id`. `--benchmarks` is a file or a folder of files
whose rows have a problem under `problem`, `question`, `text`, or in chat messages under `prompt`.
`kept.parquet` lists the kept ids; `kept.removed.parquet` lists the removed ones, bad rows included, with the
reason and the benchmark row they match.

A row is removed when it is a benchmark problem in any notation, contains one among its sentences, or rewords
one and has the same numbers. The same problem with other numbers stays, and so does a translation.
"""

from curation.decontaminate.benchmarks import leaks_in_texts, read_benchmarks
from curation.text_command import parse, read_table, tell, write_result


def main(arguments: list[str] | None = None) -> None:
    """Run the command line above."""
    command = parse(arguments, __doc__, "curation.decontaminate")
    assert command.benchmarks is not None  # required by the parser
    table, bad = read_table(command.input, command.text_column)
    protected = read_benchmarks(command.benchmarks)
    tell(f"comparing with {protected.height:,} benchmark problems")
    leaks = leaks_in_texts(table["text"], protected)
    removed = leaks.select(
        id=table["id"].gather(leaks["row"]), reason="reason", detail="detail", matched="matched"
    )
    write_result(command, table, removed, bad)


if __name__ == "__main__":
    main()
