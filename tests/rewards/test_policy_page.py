"""docs/verifier_policy.md: every example in its tables is what the verifier says."""

import re
from pathlib import Path

import pytest

from rewards.extraction import extract_answer
from rewards.grader import Reason, verify

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verifier_policy.md"
VERDICTS = {"equal": True, "different": False}
Row = tuple[str, ...]


def tables(text: str) -> list[tuple[str, Row, list[Row]]]:
    """(heading, names of the columns, rows) of each table of a page; code spans lose their backticks."""
    found: list[tuple[str, Row, list[Row]]] = []
    heading, is_inside = "", False
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if not line.startswith("| "):
            is_inside = False
            continue
        cells = tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if not is_inside:
            found.append((heading, cells, []))
            is_inside = True
        elif not set(line) <= set("|-: "):
            found[-1][2].append(tuple(re.sub(r"^`(.*)`$", r"\1", cell) for cell in cells))
    return found


TABLES = tables(PAGE.read_text(encoding="utf-8"))
EXAMPLES = [table for table in TABLES if table[1] == ("gold", "answer", "verdict")]
RESPONSES = [row for table in TABLES if table[1] == ("response", "orz", "lenient") for row in table[2]]


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 12
    assert len(RESPONSES) >= 5


@pytest.mark.parametrize(("heading", "rows"), [(heading, rows) for heading, _, rows in EXAMPLES])
def test_examples(heading: str, rows: list[Row]) -> None:
    assert rows
    mistakes = [
        (gold, answer, verdict)
        for gold, answer, verdict in rows
        if verify(gold, f"\\boxed{{{answer}}}", mode="lenient").is_correct != VERDICTS[verdict]
    ]
    assert mistakes == []


@pytest.mark.parametrize("row", RESPONSES)
def test_where_the_answer_is(row: Row) -> None:
    response, in_orz, in_lenient = row
    assert (extract_answer(response, "orz").text or "none") == in_orz
    assert (extract_answer(response, "lenient").text or "none") == in_lenient


def test_every_reason_is_explained() -> None:
    explained = [row[0] for _, names, rows in TABLES if names == ("reason", "meaning") for row in rows]
    assert explained == [reason.value for reason in Reason]
