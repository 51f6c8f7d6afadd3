"""The labeling policy, clause by clause; policy_cases.txt was written from the policy, not from a bench."""

from pathlib import Path

import pytest

from rewards.grader import Reason, compare_answers

Case = tuple[bool, str, str]
"""Whether the answer must be accepted, the reference answer, the answer."""


def read_cases() -> dict[str, list[Case]]:
    cases: dict[str, list[Case]] = {}
    clause = ""
    for line in Path(__file__).with_name("policy_cases.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            clause = line.strip("[]")
        elif line.startswith(("= ", "! ")):
            gold, answer = line[2:].split(" | ", 1)
            cases.setdefault(clause, []).append((line[0] == "=", gold, answer))
    return cases


CASES = read_cases()


def test_the_file_covers_the_policy() -> None:
    assert len(CASES) >= 40
    assert sum(len(cases) for cases in CASES.values()) >= 1000


@pytest.mark.parametrize("clause", sorted(CASES))
def test_clause(clause: str) -> None:
    mistakes = [
        f"{'rejected' if is_right else 'accepted'}: {gold} | {answer}"
        for is_right, gold, answer in CASES[clause]
        if (compare_answers(gold, answer)[0] is Reason.CORRECT) != is_right
    ]
    assert mistakes == []
