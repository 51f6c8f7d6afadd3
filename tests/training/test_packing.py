"""Packed attention through torch's varlen kernel, whose versions differ in what they accept."""

import pytest
import torch
import torch.nn.attention.varlen
from torch.nn.functional import scaled_dot_product_attention

from training.packing import attend_varlen

LENGTHS = (5, 1, 7)


def by_sequence(q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1)):
    """What the kernel computes, one sequence at a time; the signature is that of torch 2.11."""
    assert q.shape[1] == k.shape[1] == v.shape[1], "this version does not share heads"
    assert window_size == (-1, 0) and max_q == max_k == max(LENGTHS)
    bounds = [*zip(cu_seq_q.tolist(), cu_seq_q.tolist()[1:], strict=False)]
    heads_first = [[x[a:b].transpose(0, 1) for x in (q, k, v)] for a, b in bounds]
    found = [scaled_dot_product_attention(*one, is_causal=True, scale=scale) for one in heads_first]
    return torch.cat([one.transpose(0, 1) for one in found])


def sharing(q, k, v, *places, scale=None, window_size=(-1, -1), enable_gqa=False):
    """torch 2.13, which shares heads itself."""
    assert enable_gqa == (q.shape[1] != k.shape[1])
    n = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(n, dim=1) for x in (k, v))
    return by_sequence(q, k, v, *places, scale=scale, window_size=window_size)


@pytest.mark.parametrize("kernel", [by_sequence, sharing], ids=["torch 2.11", "torch 2.13"])
@pytest.mark.parametrize("n_shared", [1, 2, 4])
def test_shared_heads_work_with_and_without_enable_gqa(kernel, n_shared, monkeypatch):
    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", kernel)
    torch.manual_seed(0)
    n, size = sum(LENGTHS), 8
    q, k, v = (torch.randn(n, heads, size, requires_grad=True) for heads in (4, n_shared, n_shared))
    starts = torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0).tolist()], dtype=torch.int32)
    found = attend_varlen(q, k, v, starts, max(LENGTHS), 0.3)
    parts = []
    for a, b in zip(starts.tolist(), starts.tolist()[1:], strict=False):
        one = (x[a:b].transpose(0, 1).unsqueeze(0) for x in (q, k, v))
        whole = scaled_dot_product_attention(*one, is_causal=True, scale=0.3, enable_gqa=True)
        parts.append(whole[0].transpose(0, 1))
    expected = torch.cat(parts)
    assert torch.allclose(found, expected, atol=1e-6)
    for a, b in zip(
        torch.autograd.grad(found.square().sum(), (q, k, v), retain_graph=True),
        torch.autograd.grad(expected.square().sum(), (q, k, v)),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-5)
