"""Padding-free batches: all tokens of a batch in one row, and attention that keeps the sequences apart.

Linear layers, norms and the vocabulary head see real tokens only. They see a prompt that several responses
share only once: its activations are the same for all, and its gradient is the sum over them. Attention uses
variable-length kernels where the device has them (CUDA, half precision), and padded causal calls elsewhere.
"""

from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface

ATTENTION = "reasoner_zero_packed"
"""Name under which `attend` is registered with transformers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a micro-batch of rows is laid out for a model, and which attention it computes."""

    is_packed: bool
    """One row of tokens without padding; else padded rows."""
    attention: str
    """Name of the attention implementation, as transformers knows it."""


PACKED = Layout(True, ATTENTION)
PADDED = (Layout(False, "sdpa"), Layout(False, "eager"))
"""The model's own attention: torch's kernels, and plain products, which know caps and sinks."""

HALF = (torch.bfloat16, torch.float16)

Index = NDArray[np.integer]
Blocks = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Maps between packed tokens and the layout that attention reads."""

    sources: Tensor
    """[places]: the packed token at each place of the layout; arbitrary at padding."""
    firsts: Tensor
    """[packed tokens]: one place of each packed token in the layout."""
    blocks: Blocks = ()
    """Padded layout: (sequences, width) of consecutive blocks, each of sequences of similar length."""
    starts: Tensor | None = None
    """Unpadded layout: [sequences + 1], int32, the place where each sequence begins, and the total length."""
    longest: int = 0
    """Unpadded layout: length of the longest sequence, in tokens."""


def pack(
    input_ids: Tensor,
    attention_mask: Tensor,
    response_mask: Tensor,
    dtype: torch.dtype,
    is_rounded: bool = False,
) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """Drop the padding and the repeated prompts of right-padded rows.

    Each row is a prompt of one or more tokens and a response; inputs are [batch, seq] each. Adjacent rows
    with the same prompt share it. `dtype` is the model's. `is_rounded` adds copies of the first token, which
    nothing reads, up to one of a few lengths, for kernels that are made anew for each length. Returns the ids
    [1, packed tokens]; the index in them of the token before each response token, in row order [response
    tokens]; and the model's other arguments.
    """
    device = input_ids.device

    def move(x: Index) -> Tensor:
        return torch.from_numpy(x).to(device)

    # On the host: many small index computations, which there cost less than a kernel each.
    ids, mask, is_response = (x.cpu().numpy() for x in (input_ids, attention_mask != 0, response_mask != 0))
    n, width = mask.shape
    rows = np.arange(n)
    is_prompt = mask & ~is_response
    prompts = np.where(is_prompt, ids, -1)
    # Of adjacent rows with the same prompt, the first one carries it for all.
    is_new = np.append(True, (prompts[1:] != prompts[:-1]).any(1))
    carrier = np.maximum.accumulate(np.where(is_new, rows, 0))
    is_packed = (is_response | is_prompt & is_new[:, None]).ravel()
    firsts = np.flatnonzero(is_packed)
    row = np.where(is_prompt, carrier[:, None], rows[:, None])
    sources = (is_packed.cumsum() - 1)[row * width + np.arange(width)]
    before = sources.ravel()[np.flatnonzero(is_response) - 1]
    row, column = firsts // width, firsts % width
    lengths = mask.sum(1)
    if input_ids.is_cuda and dtype in HALF:
        starts = np.append(0, lengths.cumsum())
        chosen, places = sources[mask], starts[row] + column
        packing = Packing(move(chosen), move(places), (), move(starts.astype(np.int32)), width)
    else:
        chosen, places, blocks = _pad(sources, lengths, row, column)
        if is_rounded:
            extra = np.zeros(rounded(len(firsts)) - len(firsts), np.int64)
            firsts, column, places = (np.append(x, extra) for x in (firsts, column, places))
        packing = Packing(move(chosen), move(places), blocks)
    arguments = {"position_ids": move(column[None]), "packing": packing}
    return move(ids.ravel()[firsts][None]), move(before), arguments


def _pad(sources: Index, lengths: Index, row: Index, column: Index) -> tuple[Index, Index, Blocks]:
    """A padded layout of the rows of `sources` [n, width], where packed token i is at (row[i], column[i]):
    what `Packing` says of it."""
    n, width = sources.shape
    by_width: dict[int, list[int]] = {}
    for index, length in enumerate(lengths.tolist()):
        by_width.setdefault(min(block_width(length), width), []).append(index)
    blocks, pieces, n_places = [], [], 0
    starts = np.empty(n, np.int64)
    for block, indices in by_width.items():
        pieces.append(sources[indices, :block].ravel())
        starts[indices] = n_places + block * np.arange(len(indices))
        blocks.append((len(indices), block))
        n_places += len(indices) * block
    return np.concatenate(pieces), starts[row] + column, tuple(blocks)


def block_width(length: int) -> int:
    """Width of the padded block for a sequence of `length` tokens: at least 16, below 1.5 times the length.

    >>> [block_width(n) for n in (1, 16, 17, 24, 25, 40, 100, 1000)]
    [16, 16, 24, 24, 32, 48, 128, 1024]
    """
    power = 16
    while power < length:
        if length <= power + power // 2:
            return power + power // 2
        power *= 2
    return power


def rounded(n: int) -> int:
    """n rounded up to a multiple of 16, or of a power of 2 of which n has 16 to 31.

    >>> [rounded(n) for n in (1, 16, 17, 500, 513, 2600)]
    [16, 16, 32, 512, 544, 2688]
    """
    grain = max(16, (1 << n.bit_length()) >> 5)
    return -(-n // grain) * grain


def pick(x: Tensor, rows: Tensor) -> Tensor:
    """x[rows] along the first dimension: [m, ...], rows [k] -> [k, ...].

    The gradient adds up over repeated rows, in their order. Implemented as an embedding, because on a CPU
    its backward pass is faster than index_select's.
    """
    return F.embedding(rows, x.reshape(len(x), -1)).view(len(rows), *x.shape[1:])


def attend_varlen(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor,
    longest: int,
    scaling: float | None,
    window: int | None = None,
) -> Any:
    """Causal attention by torch's varlen kernel: [tokens, heads, size], sequences from `starts` on.

    A token sees the last `window` tokens of its sequence, itself included; None: all. torch 2.11 has no
    `enable_gqa`; there, keys and values are repeated for the query heads that share them.
    """
    from torch.nn.attention.varlen import varlen_attn

    options: dict[str, Any] = {}
    if (n_shared := q.shape[1] // k.shape[1]) > 1:
        if "enable_gqa" in signature(varlen_attn).parameters:
            options = {"enable_gqa": True}
        else:
            k, v = (x.repeat_interleave(n_shared, dim=1) for x in (k, v))
    # The kernel counts the keys to the left of the query's own.
    reach = -1 if window is None or window >= longest else window - 1
    return varlen_attn(
        q, k, v, starts, starts, longest, longest, scale=scaling, window_size=(reach, 0), **options
    )


def seen_in_window(width: int, window: int, device: torch.device) -> Tensor:
    """[queries, keys] of one sequence, True where the query sees the key.

    >>> seen_in_window(3, 2, torch.device("cpu")).int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    places = torch.arange(width, device=device)
    distance = places.unsqueeze(1) - places
    return (distance >= 0) & (distance < window)


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
    """Causal attention within each sequence: [1, heads, tokens, size] in, [1, tokens, heads, size] out.

    The signature is that of transformers' attention functions. Without `packing`, each row is one sequence
    without padding. A window (`sliding_window`) is counted inside each sequence. ValueError for attention
    with a soft cap or sinks, which no kernel here computes.
    """
    if unknown := [name for name in ("softcap", "s_aux") if options.get(name) is not None]:
        raise ValueError(
            f"{type(module).__name__}: packed attention does not compute {' and '.join(unknown)}; set "
            'training.ppo.packing = "auto" or "padded"'
        )
    window = options.get("sliding_window")
    if packing is None:
        return _attend_rows(query, key, value, scaling, window).transpose(1, 2), None
    q, k, v = (pick(x[0].transpose(0, 1), packing.sources) for x in (query, key, value))
    return pick(attend_places(q, k, v, packing, scaling, window), packing.firsts).unsqueeze(0), None


def attend_places(
    q: Tensor, k: Tensor, v: Tensor, packing: Packing, scaling: float | None, window: int | None
) -> Tensor:
    """Attention in the layout of `packing`: [places, heads, size] in and out."""
    if packing.starts is not None:
        return attend_varlen(q, k, v, packing.starts, packing.longest, scaling, window)
    sizes = [n * width for n, width in packing.blocks]
    parts = []
    for (n, width), *block in zip(
        packing.blocks, *(x.split_with_sizes(sizes) for x in (q, k, v)), strict=True
    ):
        query, key, value = (x.view(n, width, *x.shape[1:]).transpose(1, 2) for x in block)
        parts.append(_attend_rows(query, key, value, scaling, window).transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


def _attend_rows(q: Tensor, k: Tensor, v: Tensor, scaling: float | None, window: int | None) -> Tensor:
    """Causal attention in rows without padding: [rows, heads, tokens, size] in and out."""
    width, is_grouped = q.shape[2], q.shape[1] != k.shape[1]
    if window is None or window >= width:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=is_grouped)
    band = seen_in_window(width, window, q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=band, scale=scaling, enable_gqa=is_grouped)


AttentionInterface.register(ATTENTION, attend)
