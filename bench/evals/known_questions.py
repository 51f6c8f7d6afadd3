"""Write evals/benchmarks/known.json anew: hashes of the benchmarks under a data root, and of their mirrors.

python bench/evals/known_questions.py DATA_ROOT aime2025=MIRROR.jsonl.gz ...
"""

import argparse
import json
from pathlib import Path

from evals.benchmarks import registered
from evals.benchmarks.known import DAMAGED, FILE, question_hash
from evals.benchmarks.rows import read_rows
from rewards.contracts.files import write_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="data root with the benchmarks' usual files")
    parser.add_argument("mirrors", nargs="*", metavar="NAME=FILE", help="other files of a benchmark")
    arguments = parser.parse_args()
    root = arguments.root
    files = [(spec.name, root / spec.file) for spec in registered().values() if (root / spec.file).exists()]
    files += [(name, Path(file)) for name, _, file in (each.partition("=") for each in arguments.mirrors)]
    found: dict[str, set[str]] = {}
    for name, file in files:
        for row in read_rows(file):
            question = registered()[name].parse(row)
            if question.question_id not in DAMAGED.get(name, ()):
                own = question_hash(question.problem, question.answer, question.choices)
                found.setdefault(name, set()).add(own)
    texts = [f"{json.dumps(name)}: {json.dumps(''.join(sorted(found[name])))}" for name in sorted(found)]
    write_text(FILE, "{\n" + ",\n".join(texts) + "\n}\n")


if __name__ == "__main__":
    main()
