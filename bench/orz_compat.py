"""Measure how often mode `orz_compat` gives the same verdict as Open-Reasoner-Zero's own code.

python bench/orz_compat.py --code path/to/orz/ppo/tools/math_utils.py --python path/to/env/bin/python \
    --rows ../shared/bench/verify_public.jsonl --data ../shared/data/raw

The code is theirs and not part of this project; the environment needs sympy and antlr4-python3-runtime 4.11.
Pairs: labeled rows; and for every file of `--data`, some real reference answers, each paired with itself, a
restyled copy, generated wrong neighbors and the answer of another row.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.parts.golds import read_golds
from bench.verify_golds import neighbors
from rewards.compiling.compile import restyle
from rewards.contracts.prompts import render_response
from rewards.grader import verify_batch

Pair = tuple[str, str]
"""(gold, response)"""
MAX_GOLD_CHARS = 200


def real_pairs(folder: Path, per_file: int) -> dict[str, list[Pair]]:
    """Sample reference answers from every file with a fixed seed; pair them with right and wrong answers."""
    pairs: dict[str, list[Pair]] = {"themselves": [], "restyled": [], "neighbors": [], "other rows": []}
    for path in sorted(folder.glob("*.jsonl.gz")):
        golds = sorted({gold for gold in read_golds(path) if len(gold) <= MAX_GOLD_CHARS})
        chosen = random.Random(path.name).sample(golds, min(per_file, len(golds)))
        for gold, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
            answers = [("themselves", gold), ("restyled", restyle(gold)), ("other rows", other)]
            answers += [("neighbors", wrong) for wrong in itertools.islice(neighbors(gold), 2)]
            for kind, answer in answers:
                pairs[kind].append((gold, render_response("So.", answer)))
    return pairs


def run_peer(python: Path, code: Path, pairs: list[Pair]) -> list[bool | None]:
    """Verdicts of the original; None where it did not return."""
    script = Path(__file__).with_name("peers") / "orz.py"
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    done = subprocess.run(
        [str(python), str(script), str(code)], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--code", type=Path, required=True, help="orz/ppo/tools/math_utils.py")
    parser.add_argument("--python", type=Path, required=True, help="interpreter with sympy and antlr 4.11")
    parser.add_argument("--rows", type=Path, help="labeled rows, JSON lines")
    parser.add_argument("--data", type=Path, help="folder of *.jsonl.gz files with reference answers")
    parser.add_argument("--per-file", type=int, default=12, help="reference answers taken from each file")
    parser.add_argument("--show", type=int, default=0, help="disagreements to list for each kind of pair")
    arguments = parser.parse_args()
    groups: dict[str, list[Pair]] = {}
    if arguments.rows:
        rows = [json.loads(line) for line in arguments.rows.read_text(encoding="utf-8").splitlines()]
        groups["labeled rows"] = [(row["gold"], row["response"]) for row in rows]
    if arguments.data:
        groups |= real_pairs(arguments.data, arguments.per_file)
    console = Console()
    table = Table(title="mode orz_compat against the original")
    for heading in ("pairs of", "pairs", "agree", "only we accept", "only they accept", "they hang"):
        table.add_column(heading, justify="left" if heading == "pairs of" else "right")
    n_all = n_agreed = 0
    for kind, pairs in groups.items():
        theirs = run_peer(arguments.python, arguments.code, pairs)
        ours = [verdict.is_correct for verdict in verify_batch(pairs, "orz_compat")]
        judged = [(pair, a, b) for pair, a, b in zip(pairs, ours, theirs, strict=True) if b is not None]
        split = [(pair, a) for pair, a, b in judged if a != b]
        n_ours = sum(a for _, a in split)
        agreement = f"{100 * (1 - len(split) / max(len(judged), 1)):.1f} %"
        n_hung = len(pairs) - len(judged)
        table.add_row(kind, str(len(pairs)), agreement, str(n_ours), str(len(split) - n_ours), str(n_hung))
        n_all, n_agreed = n_all + len(judged), n_agreed + len(judged) - len(split)
        for (gold, response), accepted in split[: arguments.show]:
            who = "only we accept" if accepted else "only they accept"
            console.print(f"{who}: {gold[:60]!r} | {response[-80:]!r}", markup=False, highlight=False)
    table.add_row("all", str(n_all), f"{100 * n_agreed / max(n_all, 1):.1f} %", "", "", "")
    console.print(table)


if __name__ == "__main__":
    main()
