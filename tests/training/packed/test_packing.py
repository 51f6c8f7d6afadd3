"""Packed attention through torch's varlen kernel, whose versions differ in what they accept."""

import pytest
import torch
import torch.nn.attention.varlen
from torch.nn.functional import scaled_dot_product_attention

from training.packed.packing import attend, attend_varlen, pack

LENGTHS = (5, 1, 7)


def mask(n, reach):
    """What a query sees, place by place."""
    return torch.tensor([[0 <= q - k <= reach for k in range(n)] for q in range(n)])


def by_sequence(q, k, v, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1)):
    """What the kernel computes, one sequence at a time; the signature is that of torch 2.11."""
    assert q.shape[1] == k.shape[1] == v.shape[1], "this version does not share heads"
    assert window_size[1] == 0 and max_q == max_k == max(LENGTHS)
    bounds = [*zip(cu_seq_q.tolist(), cu_seq_q.tolist()[1:], strict=False)]
    heads_first = [[x[a:b].transpose(0, 1) for x in (q, k, v)] for a, b in bounds]
    # Keys to the left of the query's own, -1 for all.
    reach = window_size[0] if window_size[0] >= 0 else max_q
    found = [
        scaled_dot_product_attention(*one, mask(one[0].shape[1], reach), scale=scale) for one in heads_first
    ]
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


@pytest.mark.parametrize("window", [1, 3, 6, 7, 100])
def test_a_window_is_counted_inside_each_sequence(window, monkeypatch):
    """By the kernel and by the band, in sequences shorter and longer than it, in a longer pack."""
    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", sharing)
    torch.manual_seed(0)
    n = sum(LENGTHS)
    q, k, v = (torch.randn(n, heads, 8) for heads in (2, 1, 1))
    starts = torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0).tolist()], dtype=torch.int32)
    by_kernel = attend_varlen(q, k, v, starts, max(LENGTHS), None, window)

    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    real = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    ids = ids + torch.arange(len(LENGTHS))[:, None]  # No row shares its prompt with the next.
    response = real.clone()
    response[:, 0] = 0
    packing = pack(ids, real, response, torch.float32)[2]["packing"]
    heads_first = [x.transpose(0, 1).unsqueeze(0) for x in (q, k, v)]
    by_band, _ = attend(torch.nn.Module(), *heads_first, None, packing=packing, sliding_window=window)

    parts = []
    for a, b in zip(starts.tolist(), starts.tolist()[1:], strict=False):
        one = (x[a:b].transpose(0, 1) for x in (q, *(x.repeat_interleave(2, dim=1) for x in (k, v))))
        parts.append(scaled_dot_product_attention(*one, mask(b - a, window - 1)).transpose(0, 1))
    assert torch.allclose(by_kernel, torch.cat(parts), atol=1e-6)
    assert torch.allclose(by_band[0], torch.cat(parts), atol=1e-6)


@pytest.mark.parametrize("option", ["softcap", "s_aux"])
def test_caps_and_sinks_are_refused_by_the_setting_that_computes_them(option):
    x = torch.randn(1, 2, 3, 8)
    with pytest.raises(ValueError, match=rf"{option}; set training\.ppo\.packing"):
        attend(torch.nn.Module(), x, x, x, None, **{option: torch.ones(2)})
    attend(torch.nn.Module(), x, x, x, None, **{option: None})
