"""Dividing responses into batches: nothing lost, nothing repeated, masks on the right tokens."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batching import Responses, micro_batches, minibatches, padding_factor, put, take

lengths = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 30)), min_size=1, max_size=20)


def build(sizes):
    prompts = [[1] * p for p, _ in sizes]
    tokens = [list(range(100, 100 + r)) for _, r in sizes]
    return Responses.build(prompts, tokens, torch.device("cpu"))


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(1, 120))
def test_micro_batches_cover_every_row_once_within_the_budget(sizes, budget):
    responses = build(sizes)
    groups = micro_batches(responses, list(range(len(sizes))), budget)
    assert sorted(row for group in groups for row in group) == list(range(len(sizes)))
    for group in groups:
        prompts = {tuple(responses.prompts[row]) for row in group}
        n_tokens = sum(map(len, prompts)) + sum(len(responses.tokens[row]) for row in group)
        assert n_tokens <= budget or len(group) == 1


def test_responses_to_one_prompt_stand_together_the_longest_first():
    # The second prompt has the longest response; each prompt counts once in a group.
    responses = build([(2, 4), (3, 9), (2, 5), (3, 1), (2, 1)])
    assert micro_batches(responses, [0, 1, 2, 3, 4], 100) == [[1, 3, 2, 0, 4]]
    assert micro_batches(responses, [0, 1, 2, 3, 4], 13) == [[1, 3], [2, 0, 4]]
    assert micro_batches(responses, [4, 2], 1) == [[2], [4]]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 99))
def test_minibatches_partition_the_rows(n_rows, n_parts, seed):
    parts = minibatches(n_rows, n_parts, seed)
    assert sorted(row for part in parts for row in part) == list(range(n_rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == minibatches(n_rows, n_parts, seed)


@settings(max_examples=40, deadline=None)
@given(lengths)
def test_inputs_mark_exactly_the_response(sizes):
    responses = build(sizes)
    rows = list(range(len(sizes)))
    input_ids, attention, mask = responses.inputs(rows, pad=0)
    for i, (n_prompt, n_response) in enumerate(sizes):
        assert input_ids[i][mask[i].bool()].tolist() == list(range(100, 100 + n_response))
        assert attention[i].sum() == n_prompt + n_response
        assert not input_ids[i][attention[i] == 0].any()


def test_take_and_put_are_inverse():
    responses = build([(2, 3), (1, 5), (4, 1)])
    x = torch.arange(15.0).reshape(3, 5) * responses.mask
    copy = torch.zeros_like(x)
    for rows in ([1], [2, 0]):
        put(copy, responses.mask, rows, take(x, responses.mask, rows))
    assert torch.equal(copy, x)


def test_padded_rows_are_counted_with_their_padding():
    """20 tokens: one row of 12 alone, then 8 + 5 as two rows of 8, then what is left."""
    prompts, tokens = [[1] * 4] * 3 + [[2] * 3, [3] * 2], [[9] * 8, [9] * 4, [9], [9] * 2, [9] * 3]
    responses = Responses.build(prompts, tokens, torch.device("cpu"))
    found = micro_batches(responses, [4, 3, 2, 1, 0], 20, is_packed=False)
    assert found == [[0], [1, 2], [3, 4]]
    # 12 + 2 * 8 + 2 * 5 tokens; packed, 20 hold rows 0 to 2 (4 + 13), and 3 + 2 + 2 + 3 are left.
    assert padding_factor(responses, 20) == pytest.approx(38 / 27)
    assert padding_factor(responses, 12) >= 1
