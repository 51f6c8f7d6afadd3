"""Check a curated corpus against benchmark files with methods that curation does not use.

    python bench/curate_check.py runs/corpus/curate --benchmarks ../shared/data/eval

A kept problem must fail two tests: is it a benchmark problem when reduced to letters and digits, and does it
contain 80% of a benchmark problem's sequences of five words together with all of its numbers? Plain Python on
sets of strings: no token weights, no learned wrappers, no compiled loops. A table shows what happened to the
rows that look like a benchmark problem to these tests.
"""

import argparse
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from curation.decontaminate.benchmarks import read_benchmarks

N_WORDS, SHARE, MOST_TARGETS = 5, 0.8, 60
WORD, NUMBER = re.compile(r"[^\W_]+"), re.compile(r"\d+(?:\.\d+)?")
OPTIONS = re.compile(r"(?s)\n\s*\(?A\s*[).:].*\n\s*\(?B\s*[).:].*$")


def plain(text: str) -> str:
    """Letters and digits only, in lower case."""
    return "".join(WORD.findall(unicodedata.normalize("NFKC", text).lower()))


def shingles(text: str) -> set[str]:
    words = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return {" ".join(words[at : at + N_WORDS]) for at in range(len(words) - N_WORDS + 1)}


class Checker:
    """The benchmark problems, by plain text and by sequences of words."""

    def __init__(self, protected: pl.DataFrame) -> None:
        self.equal: dict[str, str] = {}
        self.sets: list[tuple[str, set[str], Counter[str]]] = []
        for benchmark, number, problem in protected.iter_rows():
            for text in {problem, OPTIONS.sub("", problem)}:
                if len(plain(text)) < 12:
                    continue
                self.equal.setdefault(plain(text), f"{benchmark}:{number}")
                runs = shingles(text)
                if len(runs) >= 4:
                    self.sets.append((f"{benchmark}:{number}", runs, Counter(NUMBER.findall(text))))
        self.index: dict[str, list[int]] = defaultdict(list)
        for place, (_, runs, _) in enumerate(self.sets):
            for run in runs:
                self.index[run].append(place)

    def check(self, text: str) -> tuple[str, str]:
        """("equal" | "holds" | "", name of the benchmark problem)."""
        name = self.equal.get(plain(text))
        if name:
            return "equal", name
        hits: Counter[int] = Counter()
        for run in shingles(text):
            places = self.index.get(run, ())
            if len(places) <= MOST_TARGETS:
                hits.update(places)
        numbers = Counter(NUMBER.findall(text))
        for place, n_hits in hits.most_common(20):
            name, runs, wanted = self.sets[place]
            if n_hits >= SHARE * len(runs) and wanted <= numbers:
                return "holds", name
        return "", ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="a curate artifact, such as runs/corpus/curate")
    parser.add_argument("--benchmarks", type=Path, required=True, help="file or folder of benchmark problems")
    arguments = parser.parse_args()
    protected = read_benchmarks(arguments.benchmarks)
    checker, console = Checker(protected), Console(width=110)
    columns = ["source", "source_id", "problem"]
    kept = pl.read_parquet(arguments.corpus / "data", columns=columns)
    rejects = pl.read_parquet(arguments.corpus / "rejects.parquet", columns=[*columns, "step"])
    way: dict[str, Counter[str]] = defaultdict(Counter)
    found = []
    for source, number, problem in kept.iter_rows():
        verdict, name = checker.check(problem)
        if verdict:
            found.append((verdict, name, f"{source}:{number}", problem))
            way[source]["kept"] += 1
    for source, _, problem, step in rejects.filter(pl.col("step") != "read").iter_rows():
        if checker.check(problem)[0]:
            way[source][step] += 1
    table = Table(title="Rows that look like a benchmark problem, and where they went", title_justify="left")
    steps = ["kept", "decontaminate", "dedup", "filter", "normalize"]
    for name in ("source", *steps):
        table.add_column(name, justify="left" if name == "source" else "right")
    for source in sorted(way, key=lambda one: -way[one].total()):
        table.add_row(source, *(str(way[source][step]) for step in steps))
    total: Counter[str] = sum(way.values(), Counter())
    table.add_row("all", *(str(total[step]) for step in steps))
    console.print(table)
    for verdict, name, row, problem in found[:40]:
        console.print(f"{verdict} {name} <- {row}: {problem[:150]!r}", markup=False)
    console.print(
        f"kept={kept.height} benchmark_problems={protected.height} "
        f"equal={sum(one[0] == 'equal' for one in found)} holds={sum(one[0] == 'holds' for one in found)}"
    )
    sys.exit(1 if any(one[0] == "equal" for one in found) else 0)


if __name__ == "__main__":
    main()
