"""Weights under the names and in the shapes of a checkpoint, for exports and for the rollout engine.

transformers renames weights when it reads a checkpoint, and packs a layer's experts into one tensor. What
leaves the trainer goes the same way back, by transformers' own conversion, a few tensors at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    rename_source_key,
    revert_weight_conversion,
)

from training.engines import named_weights


@dataclass(frozen=True, slots=True)
class Group:
    """Weights of the trainer that one conversion reads together; nearly always a single one."""

    names: tuple[str, ...]
    n_bytes: int
    is_converted: bool
    """Their names or shapes in a checkpoint are others."""


def plan_groups(engine: Any, prefix: str) -> list[Group]:
    """All parameters of the model below `prefix`, and its persistent buffers, in the order of
    `checkpoint_weights`; gathers nothing."""
    model = getattr(engine.module, prefix.removesuffix("."))
    sizes = {
        name: getattr(tensor, "ds_numel", tensor.numel()) * tensor.itemsize for name, tensor in _stored(model)
    }
    renamings, converters = _reversed_conversions(model)
    members: dict[str, list[str]] = {}
    patterns: dict[str, str | None] = {}
    for name in sizes:
        target, pattern = rename_source_key(name, renamings, converters, reverse=True)
        members[target] = [*members.pop(target, []), name]  # Last: it is whole when its last weight has come.
        patterns[target] = pattern
    return [
        Group(
            tuple(names),
            sum(sizes[name] for name in names),
            patterns[target] is not None or names != [target],
        )
        for target, names in members.items()
    ]


def checkpoint_weights(engine: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Yield all weights and persistent buffers below `prefix` as a checkpoint has them: (name, tensor).

    Gathers ZeRO-3 shards as it goes. Every rank must run the iterator to its end: gathering is collective.
    """
    return chain.from_iterable(converted_groups(engine, prefix))


def converted_groups(engine: Any, prefix: str) -> Iterator[list[tuple[str, Tensor]]]:
    """Yield the same by `plan_groups`, each as one list."""
    model = getattr(engine.module, prefix.removesuffix("."))
    group_of = {name: group for group in plan_groups(engine, prefix) for name in group.names}
    waiting: dict[str, Tensor] = {}
    for name, tensor in chain(named_weights(engine, prefix), _buffers(model).items()):
        group = group_of[name]
        waiting[name] = tensor
        if any(member not in waiting for member in group.names):
            continue
        found = {member: waiting.pop(member) for member in group.names}
        if group.is_converted:
            with torch.no_grad():
                found = revert_weight_conversion(model, found)
        yield list(found.items())


def _buffers(model: Any) -> dict[str, Tensor]:
    """Buffers that a checkpoint has: persistent ones, such as the bias of a router."""
    return {
        f"{place}.{name}" if place else name: buffer
        for place, module in model.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name not in module._non_persistent_buffers_set
    }


def _stored(model: Any) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from _buffers(model).items()


def _reversed_conversions(model: Any) -> tuple[list[WeightRenaming], list[WeightConverter]]:
    """What `revert_weight_conversion` does to the names, in its order."""
    conversions = getattr(model, "_weight_conversions", None) or []
    reverse = [conversion.reverse_transform() for conversion in conversions[::-1]]
    return (
        [entry for entry in reverse if isinstance(entry, WeightRenaming)],
        [entry for entry in reverse if isinstance(entry, WeightConverter)],
    )
