"""Check the verifier on real reference answers: each against itself, a restyled copy, and wrong answers.

python bench/verify_golds.py --data ../shared/data/eval                 every *.jsonl.gz of a folder
python bench/verify_golds.py --data ../shared/data/eval --cross math500  and every pair of different answers

Answers are put into whole responses and read in training mode. `neighbors` are generated wrong answers (off
by one, sign, an item dropped or swapped, an interval end opened). With --cross, every answer of the named
file is given to every other question; accepted pairs are listed, so that a person can check that they are
equal.
"""

import argparse
import itertools
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.parts.golds import read_golds
from rewards.compiling.compile import restyle
from rewards.compiling.rendering import render_answer
from rewards.compiling.wrong_answers import wrong_neighbors
from rewards.contracts.prompts import render_response
from rewards.grader import compare_answers, verify
from rewards.parsing.normalize import normalize
from rewards.parsing.parser import parse_answer
from rewards.verdict import AnswerTooLarge, Reason, UnparsableAnswer

MAX_NEIGHBORS = 6


@dataclass
class Tally:
    """The results for one file's answers."""

    n_golds: int = 0
    n_itself: int = 0
    n_restyled: int = 0
    n_neighbors: int = 0
    n_accepted: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def cells(self) -> list[str]:
        refused = f"{self.n_neighbors - self.n_accepted} of {self.n_neighbors}"
        return [str(self.n_golds), str(self.n_itself), str(self.n_restyled), refused]


def check(golds: list[str]) -> Tally:
    """Check every answer; equal spellings are checked once and counted as often as they occur."""
    tally = Tally()
    for gold, count in Counter(golds).items():
        itself = verify(gold, render_response("", gold)).is_correct
        restyled = verify(gold, render_response("", restyle(gold))).is_correct
        wrong = neighbors(gold)
        accepted = [answer for answer in wrong if verify(gold, render_response("", answer)).is_correct]
        tally.n_golds += count
        tally.n_itself += count * itself
        tally.n_restyled += count * restyled
        tally.n_neighbors += count * len(wrong)
        tally.n_accepted += count * len(accepted)
        if not itself:
            tally.failures.append(f"refuses itself: {gold!r}")
        if not restyled:
            tally.failures.append(f"refuses its restyled copy: {gold!r}")
        tally.failures.extend(f"accepts {answer!r} for {gold!r}" for answer in accepted)
    return tally


def neighbors(gold: str) -> list[str]:
    """Wrong answers close to `gold`; none if the typed parser cannot read it."""
    try:
        wrong = itertools.islice(wrong_neighbors(parse_answer(normalize(gold))), MAX_NEIGHBORS)
        return [render_answer(answer) for answer in wrong]
    except (UnparsableAnswer, AnswerTooLarge):
        return []


def crossed(golds: list[str]) -> tuple[int, list[tuple[str, str]]]:
    """Compare every two different spellings both ways; returns the number of pairs, and those accepted."""
    spellings = sorted({normalize(gold) for gold in golds})
    pairs = list(itertools.permutations(spellings, 2))
    return len(pairs), [pair for pair in pairs if compare_answers(*pair)[0] is Reason.CORRECT]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of *.jsonl.gz files")
    parser.add_argument("--cross", default="math500", help="file whose answers are crossed, without suffix")
    arguments = parser.parse_args()
    console = Console()
    table = Table(title=f"reference answers of {arguments.data}")
    for heading in ("file", "answers", "verify themselves", "restyled", "neighbors refused"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    failures: list[str] = []
    crossing: list[str] = []
    for path in sorted(arguments.data.glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        golds = list(read_golds(path))
        tally = check(golds)
        table.add_row(name, *tally.cells)
        failures.extend(f"{name}: {failure}" for failure in tally.failures)
        crossing = golds if name == arguments.cross else crossing
    console.print(table)
    for failure in failures:
        console.print(failure, markup=False, highlight=False)
    if crossing:
        n_pairs, accepted = crossed(crossing)
        console.print(f"{arguments.cross} crossed: {len(accepted)} of {n_pairs:,} pairs accepted")
        for gold, answer in accepted:
            console.print(f"  {gold} = {answer}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
