"""Rotary embeddings whose frequencies depend on the length of a batch, fixed for the context of a run.

transformers chooses the frequencies of `longrope` and `dynamic` by the longest row of each call, so a row's
numbers would depend on its neighbours; vLLM chooses them once, by the longest sequence it is opened for.
"""

from collections.abc import Iterator
from typing import Any

from torch import nn
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

PINNED = "pinned"
"""A type of rotary embedding that transformers never recomputes."""


def rope_settings(config: PreTrainedConfig) -> Iterator[dict[str, Any]]:
    """The rotary settings of a model: one, one for each type of layer, or none."""
    found = getattr(config.get_text_config(), "rope_parameters", None) or {}
    for settings in found.values() if _is_nested(found) else [found]:
        if isinstance(settings, dict) and settings.get("rope_type"):
            yield settings


def _is_nested(settings: dict[str, Any]) -> bool:
    return bool(settings) and all(isinstance(value, dict) or value is None for value in settings.values())


def check_rope(config: PreTrainedConfig, context_tokens: int) -> None:
    """Raise ValueError when sequences of `context_tokens` need frequencies that depend on their length."""
    text = config.get_text_config()
    for settings in rope_settings(config):
        if "dynamic" not in settings["rope_type"]:
            continue
        known = settings.get("original_max_position_embeddings") or text.max_position_embeddings
        if context_tokens > known:
            raise ValueError(
                f"{settings['rope_type']} rotary embeddings change with the length of a sequence beyond "
                f"{known:,} tokens, and {context_tokens:,} are asked for. Lower to {known:,} in all "
                "training.rollout.max_prompt_tokens + max_new_tokens (and the evaluations' max_new_tokens), "
                'or set rope_type to "yarn" or "linear" in the model\'s config.json'
            )


def pin_rope(model: nn.Module, context_tokens: int) -> None:
    """Fix the frequencies to those for sequences of up to `context_tokens`; ValueError as `check_rope`."""
    for module in model.modules():
        types = getattr(module, "rope_type", None)
        config = getattr(module, "config", None)
        if config is None or not isinstance(types, str | dict):
            continue
        check_rope(config, context_tokens)
        names: list[str | None] = [None] if isinstance(types, str) else [*types]
        for name in names:
            kind = types if isinstance(types, str) else types[name]
            if kind == "longrope":
                _pin_longrope(module, config, name, context_tokens)
            if kind == "longrope" or "dynamic" in kind:
                if name is None:
                    module.rope_type = PINNED  # type: ignore[assignment]
                else:
                    module.rope_type = {**module.rope_type, name: PINNED}  # type: ignore[assignment, dict-item]


def _pin_longrope(module: Any, config: PreTrainedConfig, name: str | None, context_tokens: int) -> None:
    settings = config.rope_parameters if name is None else config.rope_parameters[name]
    original = settings["original_max_position_embeddings"]
    longest = original + 1 if context_tokens > original else original
    place = "inv_freq" if name is None else f"{name}_inv_freq"
    buffer = getattr(module, place)
    frequencies, _ = ROPE_INIT_FUNCTIONS["longrope"](config, buffer.device, seq_len=longest, layer_type=name)
    module.register_buffer(place, frequencies.to(buffer.dtype), persistent=False)
