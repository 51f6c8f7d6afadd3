"""A Llama-like decoder layer over packed tokens as two functions with written-out backward passes.

transformers computes a layer in some forty small operations, each of them a node of autograd's graph. In a
small model, and on a GPU wherever kernels are shorter than their launches, these cost more than the matrix
products. Here a layer is one function before attention and one after it, and matrices that share an input are
multiplied together. The numbers are those of transformers' layer up to rounding (about 1e-7 in float32).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from training.head import decoder_of
from training.packed.packing import Packing, attend_places
from training.packed.products import outer, product

MODEL_TYPES = ("llama", "mistral", "qwen2")
"""Types whose layers are norm, attention, norm and a feed-forward network gated by SiLU, and nothing else."""

PARTS = frozenset(
    [
        *("input_layernorm.weight", "post_attention_layernorm.weight"),
        *(f"self_attn.{name}_proj.weight" for name in "qkvo"),
        *(f"mlp.{name}_proj.weight" for name in ("gate", "up", "down")),
    ]
)
BIASES = frozenset(f"self_attn.{name}_proj.bias" for name in "qkv")
OUT_BIAS = "self_attn.o_proj.bias"

Grad = Tensor | None


def fuse_layers(model: Any) -> None:
    """Let the layers of `model` compute packed tokens here, if they are of a type known here.

    Whatever else they are asked for, transformers computes. Parameters, their names, and hooks on whole
    layers stay what they are; the parts of a layer are not called, so their hooks do not run. With ZeRO-3,
    which gathers weights in these hooks, all stays with transformers.
    """
    config, decoder = model.config.get_text_config(), decoder_of(model)
    if config.model_type not in MODEL_TYPES or config.hidden_act != "silu":
        return
    layers: Any = decoder.layers
    if len(layers) == config.num_hidden_layers and all(_is_known(layer) for layer in layers):
        for layer, window in zip(layers, layer_windows(config), strict=True):
            layer.forward = partial(_forward, layer, layer.forward, window)


def _is_known(layer: nn.Module) -> bool:
    """Whether a layer has the weights that are computed with here and no others, all of them whole."""
    weights = dict(layer.named_parameters())
    is_whole = not any(hasattr(weight, "ds_id") for weight in weights.values())
    return is_whole and weights.keys() - {OUT_BIAS} in (PARTS, PARTS | BIASES)


def is_fused(decoder: Any) -> bool:
    """Whether `fuse_layers` has changed the layers of `decoder`."""
    layers = getattr(decoder, "layers", None) or [None]
    return getattr(getattr(layers[0], "forward", None), "func", None) is _forward


def run_fused(decoder: Any, ids: Tensor, position_ids: Tensor, packing: Packing) -> Tensor:
    """Last hidden states [tokens, width] of a fused decoder for ids and positions [1, tokens].

    What the forward pass of its class does, less the masks that packed rows have no use for.
    """
    x = decoder.embed_tokens(ids)
    position_embeddings = decoder.rotary_emb(x, position_ids=position_ids)
    for layer in decoder.layers:
        x = layer(x, position_embeddings=position_embeddings, packing=packing)
    return decoder.norm(x)[0]


def layer_windows(config: Any) -> list[int | None]:
    """The window of each layer as transformers' classes apply it; None: the layer has none."""
    kinds = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None) if config.model_type != "llama" else None
    if kinds is None or config.model_type == "mistral":
        return [window] * config.num_hidden_layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def _forward(
    layer: Any,
    plain: Callable[..., Tensor],
    window: int | None,
    hidden_states: Tensor,
    *,
    position_embeddings: tuple[Tensor, Tensor],
    packing: Packing | None = None,
    **options: Any,
) -> Tensor:
    """[1, tokens, width] -> [1, tokens, width]."""
    if packing is None:
        return plain(hidden_states, position_embeddings=position_embeddings, **options)
    x, attention, feed = hidden_states[0], layer.self_attn, layer.mlp
    parts = attention.q_proj, attention.k_proj, attention.v_proj
    n_heads, n_shared, _ = n_of = [len(part.weight) // attention.head_dim for part in parts]
    cos, sin = (each[0].unsqueeze(1) for each in position_embeddings)
    heads = _Heads.apply(
        x,
        *_norm_of(layer.input_layernorm),
        cos,
        sin,
        packing.sources,
        n_heads + n_shared,
        *(part.weight for part in parts),
        *(part.bias for part in parts),
    )
    query, key, value = heads.split_with_sizes(n_of, dim=1)
    mixed = attend_places(query, key, value, packing, attention.scaling, window)
    after = _Rest.apply(
        x,
        mixed.flatten(1),
        packing.firsts,
        attention.o_proj.weight,
        attention.o_proj.bias,
        *_norm_of(layer.post_attention_layernorm),
        feed.gate_proj.weight,
        feed.up_proj.weight,
        feed.down_proj.weight,
    )
    return after.unsqueeze(0)


def _norm_of(module: Any) -> tuple[nn.Parameter, float]:
    return module.weight, module.variance_epsilon


class _Heads(Function):
    """Norm, projections, rotary embedding: [tokens, width] -> [places, query + key + value heads, size]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        norm: Tensor,
        eps: float,
        cos: Tensor,
        sin: Tensor,
        sources: Tensor,
        n_turned: int,
        *weights: Tensor,
    ) -> Tensor:
        """cos, sin: [tokens, 1, size]. `weights`: of queries, keys and values, and their biases or None."""
        matrices, biases = weights[:3], weights[3:]
        unit, scale = _normalize(x, eps)
        bias = None if biases[0] is None else torch.cat(biases)
        made = product(unit * norm, torch.cat(matrices), bias).view(len(x), -1, cos.shape[-1])
        heads = torch.empty_like(made)
        _turn(made[:, :n_turned], cos, sin, heads[:, :n_turned])
        heads[:, n_turned:] = made[:, n_turned:]
        ctx.save_for_backward(unit, scale, norm, cos, sin, sources, *matrices)
        ctx.n_turned, ctx.has_bias = n_turned, bias is not None
        return heads.flatten(1).index_select(0, sources).view(-1, *heads.shape[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Grad, ...]:  # type: ignore[override]
        unit, scale, norm, cos, sin, sources, *matrices = ctx.saved_tensors
        of_heads = _add_up(grad.flatten(1), sources, len(unit)).view(len(unit), *grad.shape[1:])
        turned = of_heads[:, : ctx.n_turned]
        turned.copy_(_turn(turned, cos, -sin, torch.empty_like(turned)))
        of_made, sizes = of_heads.flatten(1), [len(matrix) for matrix in matrices]
        of_matrices = outer(of_made, unit * norm).split(sizes)
        of_biases = of_made.sum(0).split(sizes) if ctx.has_bias else (None,) * 3
        of_x, of_norm = _normalize_back(product(of_made, torch.cat(matrices).t()), unit, scale, norm)
        return of_x, of_norm, None, None, None, None, None, *of_matrices, *of_biases


class _Rest(Function):
    """What follows attention: output projection, norm and feed-forward network, each with its residual."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        mixed: Tensor,
        firsts: Tensor,
        out: Tensor,
        out_bias: Tensor | None,
        norm: Tensor,
        eps: float,
        gate: Tensor,
        up: Tensor,
        down: Tensor,
    ) -> Tensor:
        """x: [tokens, width]; mixed: [places, heads * size]; returns [tokens, width]."""
        found = mixed.index_select(0, firsts)
        middle = product(found, out, out_bias).add_(x)
        unit, scale = _normalize(middle, eps)
        both = product(unit * norm, torch.cat([gate, up]))
        gated, raised = both.chunk(2, dim=-1)
        opened = F.silu(gated)
        inner = opened * raised
        ctx.save_for_backward(found, firsts, unit, scale, both, opened, inner, out, norm, gate, up, down)
        ctx.n_places, ctx.has_bias = len(mixed), out_bias is not None
        return product(inner, down).add_(middle)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Grad, ...]:  # type: ignore[override]
        found, firsts, unit, scale, both, opened, inner, out, norm, gate, up, down = ctx.saved_tensors
        gated, raised = both.chunk(2, dim=-1)
        of_inner = product(grad, down.t())
        of_gated = torch.ops.aten.silu_backward(of_inner * raised, gated)
        of_both = torch.cat([of_gated, of_inner * opened], dim=-1)
        of_gate, of_up = outer(of_both, unit * norm).split([len(gate), len(up)])
        of_x, of_norm = _normalize_back(product(of_both, torch.cat([gate, up]).t()), unit, scale, norm)
        of_x += grad
        of_mixed = _add_up(product(of_x, out.t()), firsts, ctx.n_places)
        of_bias = of_x.sum(0) if ctx.has_bias else None
        of_out, of_down = outer(of_x, found), outer(grad, inner)
        return of_x, of_mixed, None, of_out, of_bias, of_norm, None, of_gate, of_up, of_down


def _normalize(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x over its root mean square [tokens, width], and the factor [tokens, 1], at least in float32."""
    wide = _wide(x)
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    scale = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return (wide * scale).to(x.dtype), scale


def _normalize_back(grad: Tensor, unit: Tensor, scale: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the weights, given that of `unit * norm`."""
    grad, unit_, norm_ = _wide(grad), _wide(unit), _wide(norm)
    both = grad * unit_
    share = (both @ norm_).unsqueeze(-1).div_(unit.shape[-1])
    of_x = torch.addcmul(grad * norm_, unit_, share, value=-1).mul_(scale)
    return of_x.to(unit.dtype), both.sum(0).to(norm.dtype)


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _turn(x: Tensor, cos: Tensor, sin: Tensor, out: Tensor) -> Tensor:
    """Rotary embedding of x [tokens, heads, size] into `out`; with -sin its inverse, which is its transpose.

    Both halves of `cos` are the same, and of `sin`.
    """
    half = x.shape[-1] // 2
    torch.mul(x, cos, out=out)
    out[..., :half].addcmul_(x[..., half:], sin[..., :half], value=-1)
    out[..., half:].addcmul_(x[..., :half], sin[..., half:])
    return out


def _add_up(grad: Tensor, rows: Tensor, n: int) -> Tensor:
    """The gradient of `x[rows]` for x [n, width]: sums over repeated rows, in their order."""
    return torch.ops.aten.embedding_dense_backward(grad, rows, n, -1, False)
