"""Measure the verifier on labeled rows and on real reference answers, with Math-Verify in the same run.

python bench/verify.py rows.jsonl                                  our figures, and every row we get wrong
python bench/verify.py rows.jsonl --peer                           also Math-Verify on the same rows
python bench/verify.py rows.jsonl --peer --golds ../shared/data/raw  also throughput on real reference answers

A row is JSON with id, gold, response, expected (is the response right?), category (or its id, up to the
number) and debatable (not scored).
The real mix: reference answers from all files of a folder, as often as they occur, in whole responses; 40%
restyled, 20% unchanged, 30% generated wrong neighbors, 10% the answer of another row. CPU time is that of
this thread and of the worker processes it used; each mix starts with empty caches. Everything runs in an
empty folder; files that a response writes there are counted.
"""

import argparse
import functools
import gc
import json
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.parts.golds import read_golds
from bench.verify_golds import neighbors
from rewards.algebra.worker_pool import cpu_time
from rewards.compiling.compile import restyle
from rewards.contracts.prompts import render_response
from rewards.grader import grade, verify_batch

Judge = Callable[[str, str], bool]
"""(gold, response) to accepted."""
N_THREADS = 8
THOUGHT = "We compute the quantity step by step and check each step again. " * 30


@dataclass
class Score:
    """The results of one verifier on all rows."""

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
    verdicts: list[bool | None] = field(default_factory=list)

    def add(self, row: dict, accepted: bool | None, cpu_s: float) -> None:
        """Count one row; `accepted` is None when the verifier raised."""
        self.verdicts.append(accepted)
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
    def pairs_per_s(self) -> float:
        return self.n_rows / max(self.cpu_s, 1e-9)

    @property
    def cells(self) -> list[str]:
        n_expected_true = self.n_rows - self.n_expected_false
        return [
            self.name,
            _share(self.n_right, self.n_rows),
            _share(self.n_accepted_wrong, self.n_expected_false),
            _share(self.n_refused_right, n_expected_true),
            _share(self.n_hostile_right, self.n_hostile),
            f"{self.pairs_per_s:,.0f}",
            f"{1000 * self.worst_s:,.1f}",
            str(self.n_crashes),
        ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def measure(name: str, judge: Judge, rows: list[dict]) -> Score:
    """Judge every row, with a separate time for each; an exception counts as a crash."""
    score = Score(name)
    for row in rows:
        started = cpu_time()
        try:
            accepted: bool | None = judge(row["gold"], row["response"])
        except Exception as problem:  # noqa: BLE001  a peer may raise anything, which is a result here
            logging.getLogger(__name__).info("%s raised on %s: %r", name, row.get("id"), problem)
            accepted = None
        score.add(row, accepted, cpu_time() - started)
    return score


def ours(gold: str, response: str) -> bool:
    """Our verifier, lenient about tags, as the labels are."""
    return grade(response, gold)


def math_verify() -> Judge:
    """Math-Verify as its README uses it."""
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    return lambda gold, response: verify(parse(f"${gold}$"), parse(response))


def same_from_threads(rows: list[dict], expected: list[bool | None]) -> bool:
    """Judge all rows in several threads together, with empty caches; True when all threads agree."""
    clear_caches()
    results: dict[int, list[bool]] = {}

    def work(number: int) -> None:
        results[number] = [ours(row["gold"], row["response"]) for row in rows]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return all(results.get(number) == expected for number in range(N_THREADS))


def clear_caches() -> None:
    """Clear all cached parses and comparisons."""
    for function in gc.get_objects():
        if isinstance(function, functools._lru_cache_wrapper) and function.__module__.startswith("rewards."):
            function.cache_clear()


def peak_memory_bytes() -> int:
    """Peak resident memory of this process plus its children."""
    me = str(os.getpid())
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        if me in (fields["Pid"].strip(), fields["PPid"].strip()) and "VmHWM" in fields:
            total += 1024 * int(fields["VmHWM"].split()[0])
    return total


def real_mix(folder: Path, n_pairs: int) -> list[tuple[str, str]]:
    """(gold, response), with reference answers as often as they occur, and right and wrong responses."""
    golds = [
        gold for path in sorted(folder.glob("*.jsonl.gz")) for gold in read_golds(path) if len(gold) <= 400
    ]
    chance = random.Random(0)
    pairs = []
    for gold in chance.sample(golds, min(n_pairs, len(golds))):
        kind = chance.random()
        answer = gold
        if kind < 0.4:
            answer = restyle(gold)
        elif kind < 0.7:
            answer = chance.choice(neighbors(gold) or ["0"])
        elif kind < 0.8:
            answer = chance.choice(golds)
        pairs.append((gold, render_response(THOUGHT, answer)))
    return pairs


def throughput(pairs: list[tuple[str, str]], peer: Judge | None, n_peer: int) -> Table:
    """Pairs per CPU second on the real mix; the peer on the first `n_peer` of them."""
    table = Table(title=f"{len(pairs):,} pairs of real reference answers in whole responses")
    for heading in ("", "pairs", "pairs/CPU-s"):
        table.add_column(heading, justify="right" if heading else "left")
    clear_caches()
    started = cpu_time()
    verify_batch(pairs, "lenient")
    table.add_row("rewards", f"{len(pairs):,}", f"{len(pairs) / (cpu_time() - started):,.0f}")
    if peer is not None:
        rows = [
            {"gold": gold, "response": response, "expected": True, "category": ""} for gold, response in pairs
        ]
        score = measure("Math-Verify", peer, rows[:n_peer])
        table.add_row(score.name, f"{score.n_rows:,}", f"{score.pairs_per_s:,.0f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, help="JSON lines with gold, response, expected, category")
    parser.add_argument("--peer", action="store_true", help="also measure Math-Verify on the same rows")
    parser.add_argument("--golds", type=Path, help="folder of *.jsonl.gz files with reference answers")
    parser.add_argument("--pairs", type=int, default=20_000, help="pairs of the real mix")
    parser.add_argument("--debatable", action="store_true", help="score the debatable rows as well")
    parser.add_argument("--by-category", action="store_true", help="list our mistakes by category")
    arguments = parser.parse_args()
    lines = arguments.rows.read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if arguments.debatable or not row.get("debatable")]
    for row in rows:
        row.setdefault("category", row["id"].rpartition("-")[0])
    mix = real_mix(arguments.golds, arguments.pairs) if arguments.golds else []
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        clear_caches()
        started = time.monotonic()
        scores = [measure("rewards", ours, rows)]
        wall_s = time.monotonic() - started
        is_same = same_from_threads(rows, scores[0].verdicts)
        memory = peak_memory_bytes()
        n_files = len(list(Path(folder).iterdir()))
        peer = math_verify() if arguments.peer else None
        if peer is not None:
            scores.append(measure("Math-Verify", peer, rows))
        real = throughput(mix, peer, n_peer=300) if mix else None
    table = Table(title=f"{len(rows)} rows of {arguments.rows.name}")
    headings = ["", "accuracy", "false pos.", "false neg.", "hostile ok", "pairs/CPU-s", "worst ms", "raised"]
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    for score in scores:
        table.add_row(*score.cells)
    console.print(table)
    console.print(
        f"ours: {wall_s:.1f} s wall; {N_THREADS} threads together {'agree' if is_same else 'DISAGREE'}; "
        f"{n_files} files written by responses; peak memory with workers {memory / 1e6:.0f} MB"
    )
    if len(scores) > 1:
        agree = sum(a == b for a, b in zip(scores[0].verdicts, scores[1].verdicts, strict=True))
        console.print(
            f"{scores[0].pairs_per_s / scores[1].pairs_per_s:,.0f} times Math-Verify's speed on these rows; "
            f"the two agree on {_share(agree, len(rows))}"
        )
    if real is not None:
        console.print(real)
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
