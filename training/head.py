"""The vocabulary head as the model itself uses it: scaled and capped logits, whatever its class does to them."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import MoeModelOutputWithPast

Project = Callable[[Tensor], Tensor]
"""Hidden states [tokens, width] -> logits [tokens, vocabulary]."""


class _Fixed(nn.Module):
    """Stands in for a module of the model and calls a function instead; it has the module's weight."""

    def __init__(self, call: Callable[..., Any], module: nn.Module) -> None:
        super().__init__()
        self.call = call
        self.__dict__["weight"] = getattr(module, "weight", None)  # Models read its data type.

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.call(*inputs, **options)


def own_logits(model: Any, hidden: Tensor, project: Project) -> Tensor:
    """The logits that `model` makes of the decoder's last hidden states [tokens, width].

    Runs the forward pass of the model's class with a decoder that returns `hidden` and a head that is
    `project`, so a scale, a cap, or a step before the head are the model's own. Works on a shallow copy: the
    model is not changed, and no hook of its modules runs.
    """
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    places = {name: module for name, module in model.named_children() if _holds(module, decoder)}
    if not places or not any(module is head for module in model.children()):
        raise ValueError(
            f"{type(model).__name__}: decoder and head are not where causal language models have them"
        )

    def decode(*_: Any, **__: Any) -> Any:
        return MoeModelOutputWithPast(last_hidden_state=hidden.unsqueeze(0), router_logits=())

    shadow = copy.copy(model)
    shadow._modules = dict(model._modules)
    for name, module in model.named_children():
        if name in places:
            shadow._modules[name] = _Fixed(decode, module)
        elif module is head:
            shadow._modules[name] = _Fixed(project, module)
    ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
    return type(model).forward(shadow, input_ids=ids, use_cache=False).logits[0]


def _holds(module: nn.Module, wanted: nn.Module) -> bool:
    return any(inner is wanted for inner in module.modules())


def is_bare(model: Any) -> bool:
    """Whether the model's logits are its head's output, unchanged; asked with numbers, not with weights."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 8, generator=generator)
    given = torch.randn(3, 8, generator=generator) * 40  # Beyond the usual caps.
    seen: list[Tensor] = []

    def project(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return given.view(*x.shape[:-1], -1)

    try:
        with torch.no_grad():
            found = own_logits(model, hidden, project)
    except (RuntimeError, IndexError):  # It works with widths of its own: not the plain case.
        return False
    return torch.equal(found.float(), given) and len(seen) == 1 and torch.equal(seen[0][0], hidden)
