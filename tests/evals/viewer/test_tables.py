"""The index that the filters work on, the texts of a row, and the search."""

import json

import pytest

from evals.viewer.tables import FLAGS, Responses


def flagged(index: dict, name: str) -> set[tuple[str, int]]:
    """Question and sample of the responses with a flag."""
    bit = 1 << FLAGS.index(name)
    ids = index["questions"]["question_id"]
    rows = zip(index["question"], index["sample"], index["flags"], strict=True)
    return {(ids[question], sample) for question, sample, flags in rows if flags & bit}


def test_an_index_has_a_column_for_every_filter(responses: Responses) -> None:
    index = responses.index("final", None)
    assert index["n"] == 32 and len(index["questions"]["question_id"]) == 8
    assert flagged(index, "correct") == {(f"q{number}", sample) for number in range(8) for sample in (1, 3)}
    assert flagged(index, "reflects") == {("q3", sample) for sample in range(4)}
    assert flagged(index, "disagrees") == {("q5", 1)}
    assert flagged(index, "truncated") == set()
    assert index["questions"]["level"][1] == "2" and index["questions"]["subject"] == ["sums"] * 8
    assert index["questions"]["preview"][2] == "What is q2?"
    assert [index["reasons"][code] for code in index["reason"][:2]] == ["wrong", "correct"]
    assert index["tokens"][:2] == [20, 10]
    json.dumps(index)


def test_a_training_is_shown_step_by_step(responses: Responses) -> None:
    assert responses.describe()[1]["steps"] == [1, 2]
    index = responses.index("training", 2)
    assert index["n"] == 32 and flagged(index, "correct") == flagged(responses.index("final"), "correct")
    assert responses.text("training", 2, 31)["extracted"] == "4"


def test_a_row_has_its_texts_whole(responses: Responses) -> None:
    shown = responses.text("final", None, 5)
    assert shown["gold"] == "4" and shown["n_response_tokens"] == 10 and shown["seed"] == "1"
    pieces = shown["response"]["pieces"]
    assert pieces[0] == "so " and pieces[1] == [r"\(x^2\)", 0] and pieces[-1] == "</answer>"
    assert shown["prompt"]["pieces"] == ["Answer in tags.\nWhat is q1?\nAssistant:"]
    for row in (-1, 32):
        with pytest.raises(KeyError):
            responses.text("final", None, row)


def test_search_reads_texts_and_ids_and_means_what_it_says(responses: Responses) -> None:
    assert responses.search("final", None, "OWNED") == [12, 13, 14, 15]
    assert responses.search("final", None, "q5") == [20, 21, 22, 23]
    assert responses.search("final", None, "q.") == []
    assert responses.search("final", None, "{5}") == list(range(0, 32, 2))
