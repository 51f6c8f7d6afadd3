"""Where the fp32 weights and Adam moments of this rank are inside a DeepSpeed engine, by parameter.

ZeRO stage 1 and 2 cut one long vector of all parameters into as many parts as there are ranks, stage 3 cuts
each parameter, and stage 0 cuts nothing. A fragment is a stretch of one parameter, so a checkpoint of
fragments loads on any number of ranks and any stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")
KINDS = ("weight", *MOMENTS)


@dataclass(frozen=True, slots=True)
class Fragment:
    """Elements `start` to `start + numel` of the flattened parameter `name`: those of `flat` from `at` on."""

    name: str
    start: int
    numel: int
    flat: Tensor
    """What the optimizer updates: a vector of several fragments, or the parameter itself."""
    at: int
    owner: int
    """The rank that saves it; without sharding every rank has all fragments."""

    def part(self, tensor: Tensor) -> Tensor:
        """This fragment's stretch of `flat` or of a moment of the same shape, as a view."""
        return tensor.detach().view(-1).narrow(0, self.at, self.numel)


def fragments(engine: Any, rank: int, world: int) -> list[Fragment]:
    """All fragments that this rank has, in the order of the parameters."""
    named = [(name, p) for name, p in engine.module.named_parameters() if p.requires_grad]
    optimizer = engine.optimizer
    if isinstance(optimizer, torch.optim.Optimizer):
        return [
            Fragment(name, 0, parameter.numel(), parameter, 0, index % world)
            for index, (name, parameter) in enumerate(named)
        ]
    if engine.zero_optimization_stage() == 3:
        return [*_of_stage_3(optimizer, named, rank)]
    if engine.zero_optimization_stage() in (1, 2):
        return [*_of_stage_1_and_2(optimizer, named, rank)]
    return [*_of_master_copies(optimizer, named, world)]


def _of_stage_3(optimizer: Any, named: list[tuple[str, Any]], rank: int) -> Iterator[Fragment]:
    for name, parameter in named:
        group, at, padded = optimizer.grad_position[optimizer.get_param_id(parameter)]
        start = padded * torch.distributed.get_rank(optimizer._get_param_partition_group(parameter))
        numel = min(padded, parameter.ds_numel - start)
        if numel > 0:
            yield Fragment(name, start, numel, optimizer.fp32_partitioned_groups_flat[group], at, rank)


def _of_stage_1_and_2(optimizer: Any, named: list[tuple[str, Any]], rank: int) -> Iterator[Fragment]:
    flats = getattr(optimizer, "single_partition_of_fp32_groups", None)
    if flats is None:  # BF16_Optimizer, which DeepSpeed takes for bf16 in stage 1.
        flats = optimizer.fp32_groups_flat_partition
    for name, parameter in named:
        mapping = parameter._hp_mapping
        if mapping is not None:  # None: all of the parameter is on other ranks.
            start, place = mapping.lp_fragment_address.start, mapping.get_hp_fragment_address()
            yield Fragment(name, start, place.numel, flats[mapping.param_group_index], place.start, rank)


def _of_master_copies(optimizer: Any, named: list[tuple[str, Any]], world: int) -> Iterator[Fragment]:
    """bf16 without ZeRO: every rank has an fp32 copy of every parameter."""
    places = {
        id(low): high
        for lows, highs in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True)
        for low, high in zip(lows, highs, strict=True)
    }
    for index, (name, parameter) in enumerate(named):
        yield Fragment(name, 0, parameter.numel(), places[id(parameter)], 0, index % world)


def _adam(engine: Any) -> Any:
    """The torch optimizer inside DeepSpeed's."""
    optimizer = engine.optimizer
    return optimizer if isinstance(optimizer, torch.optim.Optimizer) else optimizer.optimizer


def adam_step(engine: Any) -> int:
    """Optimizer steps so far; those that were skipped do not count."""
    steps = [state["step"] for state in _adam(engine).state.values() if "step" in state]
    return int(max((float(step) for step in steps), default=0.0))


def tensors(engine: Any, fragment: Fragment) -> dict[str, Tensor]:
    """Views of the fragment's weights and, once the optimizer has run, of its moments, by kind."""
    state = _adam(engine).state.get(fragment.flat, {})
    found = {"weight": fragment.part(fragment.flat)}
    return found | {kind: fragment.part(state[kind]) for kind in MOMENTS if kind in state}


def set_adam_step(engine: Any, step: int, flats: list[Tensor]) -> None:
    """Give the optimizer a state of `step` steps, with empty moments to be filled in."""
    adam = _adam(engine)
    for flat in flats:
        adam.state[flat] = {
            "step": torch.tensor(float(step), dtype=torch.float32, device=flat.device),
            **{kind: torch.zeros_like(flat, memory_format=torch.preserve_format) for kind in MOMENTS},
        }


def use_loaded(engine: Any) -> None:
    """Copy the fp32 weights into those that the model computes with; every rank calls it."""
    optimizer = engine.optimizer
    if isinstance(optimizer, torch.optim.Optimizer):
        return  # They are the same.
    stage = engine.zero_optimization_stage()
    if stage in (1, 2):
        optimizer.update_lp_params()
    elif stage == 0:
        for lows, highs in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True):
            for low, high in zip(lows, highs, strict=True):
                low.data.copy_(high.data)
    else:
        optimizer.checkpoint_event_prologue()  # Parameters that are kept whole are cut again.
        for low, high in zip(
            optimizer.fp16_partitioned_groups_flat, optimizer.fp32_partitioned_groups_flat, strict=True
        ):
            if high.numel():
                low.data.copy_(high.data)
        for low, parts in zip(
            optimizer.fp16_partitioned_groups_flat, optimizer.fp16_partitioned_groups, strict=True
        ):
            for part, values in zip(parts, optimizer.unflatten(low, parts), strict=True):
                part.data = values.data
        optimizer.checkpoint_event_epilogue()
