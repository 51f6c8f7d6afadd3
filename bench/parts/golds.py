"""Reader of reference answers in published files, for all their layouts."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewards.extraction import last_box

ANSWER_FIELDS = ("final_answer", "expected_answer", "answer", "gt_answer", "Short Answer", "target", "golden")
ANSWER_FIELDS += ("Answer", "ans", "correct", "answers", "ground_truth", "value", "label")
NESTED_FIELDS = ("reward_model", "Problem_1", "ground_truth")
_HASHES = re.compile(r"####\s*(.+)\s*$")


def read_golds(path: Path) -> Iterator[str]:
    """Yield the reference answer of every row of a gzipped JSON-lines file that has one."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            gold = _gold(json.loads(line))
            if gold is not None and gold.strip():
                yield gold.strip()


def _gold(row: Any) -> str | None:
    if isinstance(row, list):
        return _gold(row[-1]) if row else None
    if not isinstance(row, dict):
        return str(row) if isinstance(row, str | int | float) else None
    for field in ANSWER_FIELDS:
        if isinstance(row.get(field), str | int | float) and not isinstance(row[field], bool):
            text = str(row[field])
            stated = _HASHES.search(text)
            return stated[1] if stated else text
        if (
            isinstance(row.get(field), list)
            and row[field]
            and all(isinstance(part, str) for part in row[field])
        ):
            return ", ".join(row[field])
    for field in NESTED_FIELDS:
        if isinstance(row.get(field), dict):
            return _gold(row[field])
    return last_box(row["solution"]) if isinstance(row.get("solution"), str) else None
