"""A transformer decoder for sampling: Llama-like models with a static KV cache, without autograd.

Covers Llama, Mistral, Qwen2 and Qwen3 (grouped-query attention, gated feed-forward, optional biases, norms of
queries and keys, windows). On a CPU in fp32, a row's numbers are bitwise the same in any batch: every matrix
product has at least four rows (with fewer, the library uses another kernel), prompts are never padded, and
attention reads the cache in whole blocks of 16 positions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM

from training.packed.layers import layer_windows
from training.packed.packing import seen_in_window
from training.rollout.limits import BLOCK, MIN_ROWS
from training.rope import pin_rope

MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(slots=True)
class Layer:
    """Weights of one block; matrices that share an input are stacked into one."""

    attention_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Tensor
    out_bias: Tensor | None
    feed_norm: Tensor
    gate_up: Tensor
    down: Tensor
    window: int | None
    """A token sees this many tokens, itself included; None: all before it."""


class Cache:
    """Keys and values of all layers: [layers, 2, rows, kv heads, width, head size]."""

    def __init__(self, decoder: "Decoder", rows: int, width: int) -> None:
        shape = (decoder.n_layers, 2, rows, decoder.n_kv_heads, -(-width // BLOCK) * BLOCK, decoder.head_dim)
        # Zeros, not uninitialized memory: a masked position still enters the sum, as 0 times its value.
        self.kv = torch.zeros(shape, dtype=decoder.dtype, device=decoder.device)

    @property
    def width(self) -> int:
        return self.kv.shape[4]

    def take(self, rows: Tensor, used: int, width: int) -> "Cache":
        """A new cache of `width` with copies of `rows` (repeats allowed), up to position `used`."""
        taken = Cache.__new__(Cache)
        shape = (
            *self.kv.shape[:2],
            len(rows),
            self.kv.shape[3],
            -(-width // BLOCK) * BLOCK,
            self.kv.shape[5],
        )
        taken.kv = self.kv.new_zeros(shape)
        taken.kv[..., :used, :] = self.kv[..., :used, :].index_select(2, rows)
        return taken


class Decoder:
    """The weights of a model, laid out for decoding."""

    def __init__(self, folder: Path, dtype: torch.dtype, device: torch.device, max_tokens: int) -> None:
        """Read the model in `folder` (Hugging Face format); ValueError for an unsupported architecture."""
        config = AutoConfig.from_pretrained(folder)
        if config.model_type not in MODEL_TYPES:
            raise ValueError(
                f"training.rollout.engine: the torch sampler runs models of type {', '.join(MODEL_TYPES)}, "
                f'not {config.model_type!r}; set it to "vllm"'
            )
        if config.hidden_act != "silu":
            raise ValueError(
                "training.rollout.engine: the torch sampler computes hidden_act = silu, not "
                f'{config.hidden_act}; set it to "vllm"'
            )
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        model.to(device)
        self.dtype, self.device = dtype, device
        self.n_layers, self.eps = config.num_hidden_layers, config.rms_norm_eps
        self.n_heads = config.num_attention_heads
        self.n_kv_heads = config.num_key_value_heads
        self.head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.windows = [w if w and w < max_tokens else None for w in layer_windows(config)]
        pin_rope(model, max_tokens)
        positions = torch.arange(max_tokens, device=device).unsqueeze(0)
        cos, sin = model.model.rotary_emb(torch.zeros(1, dtype=dtype, device=device), positions)
        # `_rotate` adds the first half times the sine, and subtracts the second.
        half = self.head_dim // 2
        self.cos, self.sin = cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)
        self.slots: dict[str, Tensor] = {}
        """The tensor of each weight, by its Hugging Face name."""
        self._lay_out({name: parameter.data for name, parameter in model.named_parameters()})

    def _lay_out(self, weights: dict[str, Tensor]) -> None:
        def stack(*names: str) -> Tensor:
            joined = torch.cat([weights[name] for name in names])
            pieces = joined.split([len(weights[name]) for name in names])
            self.slots |= dict(zip(names, pieces, strict=True))
            return joined

        def optional(*names: str) -> Tensor | None:
            return stack(*names) if names[0] in weights else None

        self.embedding = stack("model.embed_tokens.weight")
        self.layers = []
        for index in range(self.n_layers):
            root = f"model.layers.{index}."
            attention, feed = root + "self_attn.", root + "mlp."
            self.layers.append(
                Layer(
                    attention_norm=stack(root + "input_layernorm.weight"),
                    qkv=stack(*(f"{attention}{part}_proj.weight" for part in "qkv")),
                    qkv_bias=optional(*(f"{attention}{part}_proj.bias" for part in "qkv")),
                    query_norm=optional(attention + "q_norm.weight"),
                    key_norm=optional(attention + "k_norm.weight"),
                    out=stack(attention + "o_proj.weight"),
                    out_bias=optional(attention + "o_proj.bias"),
                    feed_norm=stack(root + "post_attention_layernorm.weight"),
                    gate_up=stack(feed + "gate_proj.weight", feed + "up_proj.weight"),
                    down=stack(feed + "down_proj.weight"),
                    window=self.windows[index],
                )
            )
        self.norm = stack("model.norm.weight")
        head = optional("lm_head.weight")
        self.head = self.embedding if head is None else head
        if unread := sorted(set(weights) - set(self.slots)):
            raise ValueError(
                f"training.rollout.engine: the torch sampler does not support the weights {unread[:5]}"
            )

    @torch.no_grad()
    def load(self, named_weights: Iterable[tuple[str, Tensor]]) -> None:
        """Replace every weight, by Hugging Face names; ValueError when one is missing or unknown."""
        loaded = set()
        for name, tensor in named_weights:
            if name not in self.slots:
                raise ValueError(f"torch sampler: unknown weight {name}")
            self.slots[name].copy_(tensor)
            loaded.add(name)
        if missing := set(self.slots) - loaded:
            raise ValueError(f"torch sampler: {len(missing)} weights were not given, such as {min(missing)}")

    def prefill(self, prompts: Tensor, cache: Cache, rows: Tensor) -> Tensor:
        """Read equally long prompts [n, length] into `rows` of the cache; returns last states [n, width]."""
        n, length = prompts.shape
        cos, sin = self.cos[:length], self.sin[:length]
        bands = {w: seen_in_window(length, w, self.device) for w in {*self.windows} if w and w < length}
        x = F.embedding(prompts, self.embedding)
        for index, layer in enumerate(self.layers):
            query, key, value = self._heads(layer, x, cos, sin)
            cache.kv[index, 0, rows, :, :length] = key
            cache.kv[index, 1, rows, :, :length] = value
            band = bands.get(layer.window or 0)
            mixed = F.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=band,
                is_causal=band is None,
                enable_gqa=self.n_kv_heads != self.n_heads,
            )
            x = self._finish(layer, x, mixed.transpose(1, 2).reshape(n, length, -1))
        return x[:, -1]

    def step(self, tokens: Tensor, positions: Tensor, cache: Cache, used: int) -> Tensor:
        """Append one token per row at its position; returns hidden states [rows, width].

        `tokens` and `positions` are [rows], one per row of the cache; every position is below `used`.
        """
        rows = torch.arange(len(tokens), device=self.device)
        width = min(-(-used // BLOCK) * BLOCK, cache.width)
        cos, sin = self.cos[positions][:, None, None], self.sin[positions][:, None, None]
        masks = {window: self._mask(positions, width, window) for window in {*self.windows}}
        x = F.embedding(tokens, self.embedding).unsqueeze(1)
        for index, layer in enumerate(self.layers):
            query, key, value = self._heads(layer, x, cos, sin)
            stored = cache.kv[index]
            stored[:, rows, :, positions] = torch.stack([key[:, :, 0], value[:, :, 0]], dim=1)
            keys, values = stored[..., :width, :].unbind()
            mixed = F.scaled_dot_product_attention(
                query,
                keys,
                values,
                attn_mask=masks[layer.window],
                enable_gqa=self.n_kv_heads != self.n_heads,
            )
            x = self._finish(layer, x, mixed.transpose(1, 2).reshape(len(tokens), 1, -1))
        return x[:, 0]

    def _mask(self, positions: Tensor, width: int, window: int | None) -> Tensor:
        """0 where the token at each of `positions` sees the cache, else -inf: [rows, 1, 1, width]."""
        ahead = torch.arange(width, device=self.device) - positions.unsqueeze(1)
        hidden = ahead > 0 if window is None else (ahead > 0) | (ahead <= -window)
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(hidden, float("-inf"))[:, None, None]

    def logits(self, hidden: Tensor, n_ids: int) -> Tensor:
        """[rows, width] -> [rows, n_ids], float32: of the ids below `n_ids`, which are tokens."""
        normed = F.rms_norm(hidden, (hidden.shape[-1],), self.norm, self.eps)
        return _product(normed, self.head)[:, :n_ids].float()

    def _heads(self, layer: Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values: [rows, heads, tokens, head size] each."""
        normed = F.rms_norm(x, (x.shape[-1],), layer.attention_norm, self.eps)
        stacked = _product(normed, layer.qkv, layer.qkv_bias)
        stacked = stacked.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)
        query, key, value = stacked.split_with_sizes([self.n_heads, self.n_kv_heads, self.n_kv_heads], dim=1)
        if layer.query_norm is not None:
            query = F.rms_norm(query, (self.head_dim,), layer.query_norm, self.eps)
            key = F.rms_norm(key, (self.head_dim,), layer.key_norm, self.eps)
            return _rotate(query, cos, sin), _rotate(key, cos, sin), value
        turned = _rotate(stacked[:, : self.n_heads + self.n_kv_heads], cos, sin)
        return turned[:, : self.n_heads], turned[:, self.n_heads :], value

    def _finish(self, layer: Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """The rest of a block after attention."""
        x = x + _product(mixed, layer.out, layer.out_bias)
        normed = F.rms_norm(x, (x.shape[-1],), layer.feed_norm, self.eps)
        gate, up = _product(normed, layer.gate_up).chunk(2, dim=-1)
        return x + _product(F.silu(gate) * up, layer.down)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    n_rows = x.shape[:-1].numel()
    if n_rows >= MIN_ROWS:
        return F.linear(x, weight, bias)
    flat = x.reshape(n_rows, -1)
    padded = torch.cat([flat, flat[:1].expand(MIN_ROWS - n_rows, -1)])
    return F.linear(padded, weight, bias)[:n_rows].view(*x.shape[:-1], -1)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [rows, heads, tokens, head size], to which `Decoder`'s cos and sin broadcast."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([second, first], dim=-1) * sin
