"""The order of prompts and the derivation of seeds."""

import polars as pl
import pytest

from rewards.contracts.engine import derive_seed
from rewards.contracts.prompts import PromptConfig
from training.data import choose_prompts, load_prompts, select_rows


def test_every_epoch_visits_every_prompt_once_in_another_order():
    chosen = [index for step in range(1, 9) for index in choose_prompts(12, 3, step, seed=5)]
    first, second = chosen[:12], chosen[12:]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_step_that_crosses_epochs_takes_from_both():
    chosen = [index for step in range(1, 6) for index in choose_prompts(10, 4, step, seed=0)]
    assert sorted(chosen[:10]) == sorted(chosen[10:]) == list(range(10))


def test_seeds_are_fixed_and_distinct():
    assert derive_seed(0, "rollout", 1, "p", 0) == derive_seed(0, "rollout", 1, "p", 0)
    seeds = {derive_seed(0, "rollout", step, "p", sample) for step in range(50) for sample in range(64)}
    assert len(seeds) == 50 * 64
    assert all(0 <= seed < 2**63 for seed in seeds)


def frame():
    rows = [
        ("a", "x" * 5, "1", "train", "s", "1", "x"),
        ("b", "x" * 50, "2", "train", "t", "1", None),
        ("c", "x", "3", "validation", "s", "2", "y"),
    ]
    columns = ["problem_id", "problem", "answer", "split", "source", "source_id", "subject"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def train_rows():
    return select_rows(frame(), "train", (), ())


@pytest.mark.parametrize(
    "split, sources, subjects, expected",
    [
        pytest.param("train", (), (), ["a", "b"], id="all of a split"),
        pytest.param("train", ("t",), (), ["b"], id="one source"),
        pytest.param("validation", ("s",), ("y",), ["c"], id="one source and subject"),
        pytest.param("train", ("s",), ("y",), [], id="nothing in both"),
    ],
)
def test_rows_are_selected_by_split_source_and_subject(split, sources, subjects, expected):
    assert select_rows(frame(), split, sources, subjects)["problem_id"].to_list() == expected


def test_long_prompts_are_named_and_validation_is_left_out():
    prompts, too_long = load_prompts(train_rows(), PromptConfig(template="plain"), list, 20)
    assert [p.problem_id for p in prompts] == ["a"]
    assert too_long.select("source", "reason", "detail").row(0) == (
        "t",
        "prompt_too_long",
        "50 tokens exceed training.rollout.max_prompt_tokens = 20",
    )


def test_unknown_source_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"\['u'\] not in the prompt set, which has \['s', 't'\]"):
        select_rows(frame(), "train", ("u",), ())


def test_nothing_left_says_what_to_change():
    with pytest.raises(ValueError, match="max_prompt_tokens"):
        load_prompts(train_rows(), PromptConfig(template="plain"), list, 1)
