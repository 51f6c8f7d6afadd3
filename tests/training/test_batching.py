"""Cutting responses into batches: nothing lost, nothing repeated, masks on the right tokens."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.batching import Responses, micro_batches, minibatches, put, take

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
        assert sum(responses.length(row) for row in group) <= budget or len(group) == 1
    lengths = [responses.length(row) for group in groups for row in group]
    assert lengths == sorted(lengths, reverse=True)


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
