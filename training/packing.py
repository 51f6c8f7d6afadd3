"""Padding-free batches: all tokens of a batch in one row, and attention that keeps the sequences apart.

Linear layers, norms and the vocabulary head see real tokens only, and a prompt that several responses of the
batch follow only once: what they compute for it is the same, and its gradient is the sum of theirs. Attention
runs on variable-length kernels where the device has them (CUDA, half precision) and on one padded, causal
call elsewhere.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface

ATTENTION = "reasoner_zero_packed"
"""Name under which `attend` is registered with transformers."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where packed tokens stand in the padded batch of `n` sequences, the longest of `width` tokens."""

    n: int
    width: int
    sources: Tensor
    """[n * width]: the packed token at each place of the padded batch, any one at padding."""
    firsts: Tensor
    """[packed tokens]: place of each packed token in the padded batch, ascending; a shared one's first."""
    places: Tensor
    """[tokens]: all places that hold a token, ascending."""
    starts: Tensor
    """[n + 1], int32: the first of `places` of each sequence, and their number."""


def pack(
    input_ids: Tensor, attention_mask: Tensor, response_mask: Tensor
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Drop the padding and repeated prompts of right-padded rows, each a prompt of a token or more and a
    response: [batch, seq] each.

    Returns ids [1, packed tokens]; where in them the token before each response token stands, in row order,
    [response tokens]; and the model's other arguments.
    """
    mask, is_response = attention_mask.bool(), response_mask.bool()
    n, width = mask.shape
    rows = torch.arange(n, device=mask.device)
    is_prompt = mask & ~is_response
    # The first row with the same prompt carries it for all.
    prompts = input_ids.masked_fill(~is_prompt, -1)[:, : int(is_prompt.sum(1).max())]
    distinct, group = prompts.unique(dim=0, return_inverse=True)
    carrier = rows.new_full((len(distinct),), n).scatter_reduce(0, group, rows, "amin")[group].unsqueeze(1)
    is_packed = (is_response | is_prompt & (carrier == rows.unsqueeze(1))).flatten()
    firsts = is_packed.nonzero().squeeze(-1)
    row = torch.where(is_prompt, carrier, rows.unsqueeze(1))
    sources = (is_packed.cumsum(0) - 1)[(row * width + torch.arange(width, device=mask.device)).flatten()]
    before = sources[is_response.flatten().nonzero().squeeze(-1) - 1]
    starts = F.pad(mask.sum(1).cumsum(0), (1, 0)).to(torch.int32)
    packing = Packing(n, width, sources, firsts, mask.flatten().nonzero().squeeze(-1), starts)
    positions = (firsts % width).unsqueeze(0)
    ids = input_ids.flatten()[firsts].unsqueeze(0)
    return ids, before, {"position_ids": positions, "packing": packing, "use_cache": False}


def pick(x: Tensor, rows: Tensor) -> Tensor:
    """x[rows] along the first dimension: [m, ...], rows [k] -> [k, ...].

    The gradient adds up over repeated rows, in their order. An embedding, because its backward pass is
    faster than index_select's on a CPU.
    """
    return F.embedding(rows, x.reshape(len(x), -1)).view(len(rows), *x.shape[1:])


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packing: Packing | None = None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each sequence; heads first in ([1, heads, tokens, size]), last but one out.

    The signature is the one transformers calls its attention functions with. Without `packing` each row is
    one sequence, unpadded. ValueError for kinds of attention that are more than causal.
    """
    window = options.get("sliding_window")
    if any(options.get(name) is not None for name in ("softcap", "s_aux")) or (
        window is not None and query.shape[2] > window
    ):
        raise ValueError(f"{type(module).__name__}: attention with a window, cap or sink is not supported")
    is_grouped = query.shape[1] != key.shape[1]
    if packing is None:
        mixed = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=is_grouped
        )
        return mixed.transpose(1, 2), None
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        from torch.nn.attention.varlen import varlen_attn

        q, k, v = (pick(x[0].transpose(0, 1), packing.sources[packing.places]) for x in (query, key, value))
        starts, width = packing.starts, packing.width
        packed: Any = varlen_attn(
            q, k, v, starts, starts, width, width, scale=scaling, window_size=(-1, 0), enable_gqa=is_grouped
        )
        return pick(packed, torch.searchsorted(packing.places, packing.firsts)).unsqueeze(0), None
    q, k, v = (_spread(x, packing) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=is_grouped)
    return pick(mixed.transpose(1, 2).flatten(0, 1), packing.firsts).unsqueeze(0), None


def _spread(x: Tensor, packing: Packing) -> Tensor:
    """[1, heads, packed tokens, size] -> [n, heads, width, size]; no token attends to what stands at
    padding."""
    padded = pick(x[0].transpose(0, 1), packing.sources)
    return padded.view(packing.n, packing.width, *padded.shape[1:]).transpose(1, 2)


AttentionInterface.register(ATTENTION, attend)
