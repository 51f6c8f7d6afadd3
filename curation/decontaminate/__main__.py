"""Command that removes benchmark problems from a file of texts.

    python -m curation.decontaminate in.jsonl --text-column text --benchmarks eval/ --out kept.parquet

`in.jsonl` may also be JSON, CSV, TSV (each also .gz, .zst), Parquet or Arrow. `--benchmarks` is a file or a
folder, searched with its sub-folders, of files whose rows have a problem under `problem`, `question`, `text`,
or in chat messages under `prompt`; `--benchmark-column` names another field. Files without a problem are
skipped and named. `kept.parquet` lists the kept ids (`--rows`: holds the kept rows); `kept.removed.parquet`
lists the removed ones, bad rows included, with the reason and the benchmark row they match; `--out` may also
end in .jsonl or .csv. Rows are named by `--id-column`, else by `id`, else by their numbers. An input is never
written over.

A row is removed when it is a benchmark problem in any notation, contains one among its sentences, or rewords
one and has the same numbers. The same problem with other numbers stays, and so does a translation.
"""

from curation.decontaminate.benchmarks import leaks_in_texts, read_benchmarks
from curation.text.compiling import EXAMPLES, PROTECTED, compile_first
from curation.text_command import Command, check_paths, parse, read_table, run_command, tell
from curation.text_output import write_result


def main(arguments: list[str] | None = None) -> None:
    """Run the command line above."""
    command = parse(arguments, __doc__, "curation.decontaminate")
    run_command("curation.decontaminate", lambda: _decontaminate(command))


def _decontaminate(command: Command) -> None:
    from curation.decontaminate import kernels

    check_paths(command)
    assert command.benchmarks is not None  # required by the parser
    protected = read_benchmarks(command.benchmarks, command.benchmark_columns, tell)
    table, bad = read_table(command)
    compile_first({"leaks": lambda: leaks_in_texts(EXAMPLES, PROTECTED)}, kernels)
    tell(f"comparing with {protected.height:,} benchmark problems")
    leaks = leaks_in_texts(table["text"], protected)
    removed = leaks.select(
        id=table["id"].gather(leaks["row"]), reason="reason", detail="detail", matched="matched"
    )
    write_result(command, table, removed, bad)


if __name__ == "__main__":
    main()
