"""Padding-free batches: all tokens of a batch in one row, and attention that keeps the sequences apart.

Linear layers, norms and the vocabulary head see real tokens only. Attention runs on variable-length kernels
where the device has them (CUDA, half precision) and on one padded, causal call elsewhere.
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
    """Where the tokens of a packed row come from: `n` sequences, the longest of `width` tokens."""

    n: int
    width: int
    places: Tensor
    """[tokens]: index of each token in the padded batch, row by row."""
    starts: Tensor
    """[n + 1], int32: first token of each sequence in the packed row, and the end."""


def pack(input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, dict[str, Any]]:
    """Drop the padding of right-padded rows: [batch, seq] -> ids [1, tokens] and the model's other
    arguments."""
    mask = attention_mask.bool()
    n, width = mask.shape
    places = mask.flatten().nonzero().squeeze(-1)
    lengths = mask.sum(1)
    starts = F.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    positions = (places % width).unsqueeze(0)
    packing = Packing(n, width, places, starts)
    return input_ids[mask].unsqueeze(0), {"position_ids": positions, "packing": packing, "use_cache": False}


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

        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        starts, width = packing.starts, packing.width
        packed: Any = varlen_attn(
            q, k, v, starts, starts, width, width, scale=scaling, window_size=(-1, 0), enable_gqa=is_grouped
        )
        return packed.unsqueeze(0), None
    q, k, v = (_spread(x, packing) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=is_grouped)
    return _gather(mixed, packing), None


def _spread(x: Tensor, packing: Packing) -> Tensor:
    """[1, heads, tokens, size] -> [n, heads, width, size], zero where a sequence has ended."""
    flat = x[0].transpose(0, 1)
    if len(packing.places) < packing.n * packing.width:
        rows = flat.new_zeros(packing.n * packing.width, *flat.shape[1:])
        flat = rows.index_copy(0, packing.places, flat)
    return flat.view(packing.n, packing.width, *flat.shape[1:]).transpose(1, 2)


def _gather(x: Tensor, packing: Packing) -> Tensor:
    """[n, heads, width, size] -> [1, tokens, heads, size]."""
    flat = x.transpose(1, 2).flatten(0, 1)
    return flat.index_select(0, packing.places).unsqueeze(0)


AttentionInterface.register(ATTENTION, attend)
