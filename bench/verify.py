"""Measure the verifier on labelled rows, and Math-Verify beside it in the same run.

python bench/verify.py rows.jsonl             our figures, and every row we get wrong
python bench/verify.py rows.jsonl --peer      Math-Verify on the same rows too (a minute more)

A row is JSON with gold, response, expected (is the response right?), category, and debatable (not scored).
CPU time is this process's own, on one core; verdicts are not cached across rows.
"""

import argparse
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Judge = Callable[[str, str], bool]
"""(gold, response) to accepted."""


@dataclass
class Score:
    """What one verifier did on all rows."""

    name: str
    n_rows: int = 0
    n_right: int = 0
    n_accepted_wrong: int = 0
    n_refused_right: int = 0
    n_expected_false: int = 0
    n_hostile: int = 0
    n_hostile_right: int = 0
    n_crashes: int = 0
    cpu_s: float = 0.0
    worst_s: float = 0.0
    mistakes: list[dict] = field(default_factory=list)

    def add(self, row: dict, accepted: bool | None, cpu_s: float) -> None:
        """Count one row; `accepted` is None when the verifier raised."""
        self.cpu_s += cpu_s
        self.worst_s = max(self.worst_s, cpu_s)
        self.n_rows += 1
        self.n_crashes += accepted is None
        is_right = accepted is not None and accepted == row["expected"]
        is_hostile = row["category"].startswith("hostile")
        self.n_hostile += is_hostile
        self.n_hostile_right += is_hostile and is_right
        self.n_expected_false += not row["expected"]
        self.n_right += is_right
        self.n_accepted_wrong += bool(accepted) and not row["expected"]
        self.n_refused_right += not accepted and row["expected"]
        if not is_right:
            self.mistakes.append(row)

    @property
    def cells(self) -> list[str]:
        n_expected_true = self.n_rows - self.n_expected_false
        return [
            self.name,
            _share(self.n_right, self.n_rows),
            _share(self.n_accepted_wrong, self.n_expected_false),
            _share(self.n_refused_right, n_expected_true),
            _share(self.n_hostile_right, self.n_hostile),
            f"{self.n_rows / max(self.cpu_s, 1e-9):,.0f}",
            f"{1000 * self.worst_s:,.1f}",
            str(self.n_crashes),
        ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def measure(name: str, judge: Judge, rows: list[dict]) -> Score:
    """Judge every row, timing each by itself; an exception counts as a crash."""
    score = Score(name)
    for row in rows:
        started = time.process_time()
        try:
            accepted: bool | None = judge(row["gold"], row["response"])
        except Exception as problem:  # noqa: BLE001  a peer may raise anything: that is a result here
            logging.getLogger(__name__).info("%s raised on %s: %r", name, row.get("id"), problem)
            accepted = None
        score.add(row, accepted, time.process_time() - started)
    return score


def ours() -> Judge:
    """Our verifier, lenient about tags, as the labels are."""
    from rewards.grader import grade

    return lambda gold, response: grade(response, gold)


def math_verify() -> Judge:
    """Math-Verify as its README uses it."""
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    return lambda gold, response: verify(parse(f"${gold}$"), parse(response))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, help="JSON lines with gold, response, expected, category")
    parser.add_argument("--peer", action="store_true", help="measure Math-Verify on the same rows too")
    parser.add_argument("--debatable", action="store_true", help="score the debatable rows as well")
    parser.add_argument("--by-category", action="store_true", help="list our mistakes by category")
    arguments = parser.parse_args()
    lines = arguments.rows.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if arguments.debatable or not row.get("debatable")]
    console = Console()
    scores = [measure("rewards", ours(), rows)]
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if arguments.peer:
        scores.append(measure("Math-Verify", math_verify(), rows))
    table = Table(
        title=f"{len(rows)} rows of {arguments.rows.name}; our peak memory {peak_bytes / 1e6:.0f} MB"
    )
    headings = [
        "",
        "accuracy",
        "false pos.",
        "false neg.",
        "hostile ok",
        "pairs/CPU-s",
        "worst ms",
        "crashes",
    ]
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for score in scores:
        table.add_row(*score.cells)
    console.print(table)
    for row in scores[0].mistakes:
        verdict = "should be right" if row["expected"] else "should be wrong"
        console.print(
            f"{row['category']}: {row['gold'][:60]!r} against {row['response'][-90:]!r} {verdict}",
            markup=False,
        )
    if arguments.by_category:
        for category in sorted({row["category"] for row in rows}):
            part = [row for row in rows if row["category"] == category]
            n_wrong = sum(row["category"] == category for row in scores[0].mistakes)
            console.print(f"{category}: {len(part) - n_wrong} of {len(part)}", markup=False)


if __name__ == "__main__":
    main()
