"""A toy of a model's architecture: its own configuration shrunk, with random weights.

What decides how rows may be laid out is kept: every kind of layer, the shape of a head, the attention and its
scales. Limits that only long sequences reach (windows, chunks, caps) are lowered until short ones reach them.
"""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedConfig

MOST_PARAMETERS = 60_000_000
"""Largest toy."""
WINDOW, CAP = 8, 4.0
"""A window in tokens, shorter than the toy's rows, and a soft cap that its scores reach."""
N_TOKENS, WIDTH, WIDE, N_EXPERTS, N_STATES = 512, 128, 64, 8, 16
"""Vocabulary; width of the residual stream, of feed-forward layers; experts; state of recurrent layers."""
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")


class NoToy(ValueError):
    """No small model of this architecture can be made; the text says why."""


def make_toys(config: PreTrainedConfig, seed: int = 0) -> tuple[Any, Any]:
    """A causal language model and a backbone for the critic, each with weights of its own, fp32, on the CPU.

    Tries the smallest toy first: some architectures tie sizes together that are shrunk apart. NoToy when none
    can be built and run.
    """
    reasons: list[str] = []
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        try:
            candidates = list(toy_configs(config))
        except Exception as error:
            raise NoToy(f"{type(config).__name__}: {type(error).__name__}: {error}") from error
        for candidate in candidates:
            try:
                with torch.device("meta"):
                    size = sum(p.numel() for p in _build(AutoModelForCausalLM, candidate).parameters())
                if size > MOST_PARAMETERS:
                    reasons.append(f"{size / 1e6:,.0f} million parameters are too many for a toy")
                    continue
                toys = []
                for kind, number in ((AutoModelForCausalLM, seed), (AutoModel, seed + 1)):
                    torch.manual_seed(number)
                    toy = _build(kind, candidate).eval()
                    sharpen(toy)
                    with torch.no_grad():
                        toy(input_ids=torch.tensor([[2, 3, 4]]), use_cache=False)
                    toys.append(toy)
                return toys[0], toys[1]
            # Sizes that do not go together raise anything; the next candidate is closer to the model.
            except Exception as error:  # noqa: BLE001
                reasons.append(f"{type(error).__name__}: {error}")
    raise NoToy(f"no toy of {type(config).__name__} can be made: {reasons[-1] if reasons else 'no sizes'}")


def _build(kind: Any, config: PreTrainedConfig) -> Any:
    return kind.from_config(copy.deepcopy(config), dtype=torch.float32, attn_implementation="eager")


def toy_configs(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """Shrunk copies of `config`, the smallest first."""
    n_layers = layers_needed(config)
    for thins, narrows, width in (
        (True, True, WIDTH),
        (True, True, None),
        (True, False, None),
        (False, False, None),
    ):
        toy = copy.deepcopy(config)
        if hasattr(toy, "quantization_config"):
            del toy.quantization_config
        for part in {id(part): part for part in (toy, toy.get_text_config())}.values():
            _cut_layers(part, n_layers)
            _lower_limits(part)
            _shrink_vocabulary(part)
            if thins:
                _thin(part)
            if narrows:
                _narrow(part, width)
        for name in ("num_hidden_layers", "depth"):
            if hasattr(getattr(toy, "vision_config", None), name):
                setattr(toy.vision_config, name, 1)
        yield toy


def layers_needed(config: PreTrainedConfig) -> int:
    """How many of the first layers have among them every kind of layer of the model; at least two."""
    total = config.get_text_config().num_hidden_layers
    with torch.device("meta"):
        model: Any = AutoModel.from_config(copy.deepcopy(config))
    stacks = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == total]
    if not stacks:
        return total
    first: dict[Any, int] = {}
    for index, layer in enumerate(stacks[0]):
        first.setdefault(_kind(layer), index)
    return min(total, max(2, max(first.values()) + 1))


def _kind(layer: nn.Module) -> tuple[Any, ...]:
    """What tells layers of a model apart: the classes of their parts, and the switches in them."""
    seen = []
    for name, part in layer.named_modules():
        switches = {
            key: value
            for key, value in vars(part).items()
            if isinstance(value, bool | str | int | None) and "idx" not in key and "layer_id" not in key
        }
        seen.append((name, type(part).__name__, tuple(sorted(switches.items(), key=lambda item: item[0]))))
    return tuple(seen)


def _numbers(config: PreTrainedConfig) -> list[tuple[str, Any]]:
    """Settings that are numbers, or lists of one per layer."""
    return [
        (name, value)
        for name, value in list(vars(config).items())
        if not isinstance(value, bool)
        and (isinstance(value, int | float) or isinstance(value, list) and value and type(value[0]) is int)
    ]


def _cap(config: PreTrainedConfig, name: str, value: Any, most: float) -> None:
    setattr(config, name, [min(v, most) for v in value] if isinstance(value, list) else min(value, most))


def _cut_layers(config: PreTrainedConfig, n: int) -> None:
    total = vars(config).get("num_hidden_layers") or getattr(config, "num_hidden_layers", None)
    if not total or total <= n:
        return
    for name, value in list(vars(config).items()):
        if isinstance(value, list | tuple) and len(value) == total:
            setattr(config, name, value[:n])
    config.num_hidden_layers = n


def _lower_limits(config: PreTrainedConfig) -> None:
    for name, value in _numbers(config):
        if name in ("sliding_window", "attention_chunk_size", "sliding_window_size", "window_size"):
            _cap(config, name, value, WINDOW)
        elif "softcap" in name or "soft_cap" in name:
            _cap(config, name, value, CAP)


def _shrink_vocabulary(config: PreTrainedConfig) -> None:
    for name, value in _numbers(config):
        if "vocab_size" in name:
            _cap(config, name, value, N_TOKENS)
        elif name.endswith(("_token_id", "_token_index")):
            ids = value if isinstance(value, list) else [value]
            if max(ids) >= N_TOKENS:
                setattr(config, name, 0)


def _thin(config: PreTrainedConfig) -> None:
    """Narrow feed-forward layers, few experts, small states of recurrent layers."""
    n_groups = vars(config).get("n_group") or 1
    for name, value in _numbers(config):
        if "intermediate_size" in name or name.startswith("ffn_") or name == "n_inner":
            _cap(config, name, value, WIDE)
        elif name in ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"):
            _cap(config, name, value, max(2 * n_groups, 2 * _most_chosen(config), N_EXPERTS))
        elif "chunk_size" in name or name.endswith("d_state") or name in ("ssm_state_size", "state_size"):
            _cap(config, name, value, N_STATES)


def _most_chosen(config: PreTrainedConfig) -> int:
    """Experts that a token chooses."""
    chosen = [v for name, v in _numbers(config) if "per_tok" in name or "top_k" in name or "topk" in name]
    return max((v for v in chosen if isinstance(v, int) and v <= 64), default=1)


def _narrow(config: PreTrainedConfig, width: int | None) -> None:
    """Fewer heads of the same size, and a residual stream of `width`, or as wide as the heads together."""
    known = vars(config)
    n_heads, hidden = getattr(config, "num_attention_heads", None), getattr(config, "hidden_size", None)
    if not isinstance(n_heads, int) or not isinstance(hidden, int):
        if width and isinstance(hidden, int):  # No attention at all.
            config.hidden_size = width
            if isinstance(known.get("num_heads"), int) and "expand" in known:
                config.num_heads = max(1, width * config.expand // config.head_dim)
        return
    places = [name for name in KV_HEADS if isinstance(getattr(config, name, None), int)]
    n_kv = getattr(config, places[0]) if places else n_heads
    head_dim = known.get("head_dim") or hidden // n_heads
    for name in places:
        setattr(config, name, min(n_kv, 2) if n_heads > n_kv else min(n_heads, 4))
    n_shared = n_heads // n_kv
    config.num_attention_heads = min(n_kv, 2) * min(n_shared, 2) if n_shared > 1 else min(n_heads, 4)
    config.hidden_size = width or config.num_attention_heads * head_dim
    _narrow_recurrent(config, hidden)
    for name, value in _numbers(config):
        if value == hidden and name.endswith(("_dim", "_size")) and "vocab" not in name:
            setattr(config, name, config.hidden_size)


def _narrow_recurrent(config: PreTrainedConfig, hidden: int) -> None:
    """Fewer heads of Mamba and linear attention layers, whose sizes depend on each other."""
    known = vars(config)
    size = known.get("mamba_d_head") or known.get("mamba_head_dim")
    if isinstance(size, int):
        inner = config.hidden_size * (known.get("mamba_expand") or known.get("expand") or 1)
        if known.get("mamba_d_ssm"):
            inner = config.mamba_d_ssm = 2 * size
        for name in ("mamba_n_heads", "n_mamba_heads", "mamba_num_heads"):
            if name in known and inner >= size:
                setattr(config, name, inner // size)
        for name in ("mamba_n_groups", "mamba_ngroups", "n_groups"):
            if name in known:
                setattr(config, name, 1)
    if isinstance(known.get("linear_num_value_heads"), int):
        n_shared = config.linear_num_value_heads // config.linear_num_key_heads
        config.linear_num_key_heads, config.linear_num_value_heads = 1, min(n_shared, 2)


@torch.no_grad()
def sharpen(model: Any) -> None:
    """Scale random weights so that scores and distributions are sharp: a mistake of one token then shows.

    As they are initialized, most models give every token nearly the same probability.
    """
    head = model.get_output_embeddings()
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    embeddings -= {id(getattr(head, "weight", None))}  # Tied to the head, they would make logits huge.
    for parameter in model.parameters():
        if not parameter.is_floating_point():
            continue
        if parameter.ndim < 2:
            parameter.add_(torch.randn_like(parameter) * 0.1)
        elif parameter.std() > 0:
            wanted = 1.0 if id(parameter) in embeddings else 1.5 * parameter.shape[-1] ** -0.5
            parameter.mul_(wanted / parameter.std())
