"""The gate: on 3,000 real reference answers, no one-place change is paid, and every rendering is accepted.

golds.jsonl holds answers drawn from published data sets by their shape, each with the name of its source:
one of
every shape that occurs, more of the commonest. equal_mutations.jsonl names the changed answers that are
paid, and
why each of them is right.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from rewards.compiling.compile import compile_answer
from rewards.config import RewardsConfig
from rewards.contracts.prompts import render_response
from rewards.grader import verify
from rewards.responses.boxes import joined_boxes
from tests.rewards.mutations import mutations
from tests.rewards.renderings import renderings

HERE = Path(__file__).parent
KINDS = {
    "digit", "sign", "exponent", "base", "function", "variable", "bracket", "brace", "dropped member",
    "added member", "strictness", "inverted fraction", "unit", "tail",
}  # fmt: skip
ANY_TYPE = RewardsConfig(refused_types=())


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def golds() -> list[str]:
    return [row["gold"] for row in rows("golds.jsonl")]


def changes(gold: str) -> list[tuple[str, str]]:
    """The kind and text of each changed answer.

    Of infinite sums one of each kind: sympy works on each for a second, until its time is over for most.
    """
    found = list(dict.fromkeys(mutations(gold)))
    if r"\sum" in gold and r"\infty" in gold:
        return list(dict(reversed(found)).items())
    return found


def test_no_changed_answer_is_paid(golds: list[str]) -> None:
    equal = {(row["gold"], row["answer"]) for row in rows("equal_mutations.jsonl")}
    tried: Counter[str] = Counter()
    paid = set()
    for gold in golds:
        for kind, answer in changes(gold):
            tried[kind] += 1
            if verify(gold, render_response("", answer)).is_correct:
                paid.add((gold, answer))
    assert set(tried) == KINDS and min(tried.values()) > 20 and sum(tried.values()) > 30_000
    assert sorted(paid - equal) == []
    assert sorted(equal - paid) == [], "no longer paid: take it off the list"


def test_every_rendering_is_accepted(golds: list[str]) -> None:
    tried: Counter[str] = Counter()
    refused = []
    for gold in golds:
        for name, response in renderings(gold, compile_answer(gold, ANY_TYPE).answer_type):
            tried[name] += 1
            if not verify(gold, response, "lenient").is_correct:
                refused.append((name, gold, response))
    assert len(tried) >= 20 and sum(tried.values()) > 50_000
    assert refused == []


def test_the_usual_box_is_read_as_any_other(golds: list[str]) -> None:
    """An escaped brace in front keeps a text off the short way for one plain box; both find the same."""
    for gold in [*golds, "", r"x\boxed{1}", r"\fbox{2}", r"a\\boxed", "{{{{1}}}}", r"\frac{1}{2", "}{"]:
        text = rf"so it is \boxed{{{gold}}}."
        assert joined_boxes(text) == joined_boxes(r"\%" + text), gold
