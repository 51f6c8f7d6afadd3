"""The vocabulary head as the model itself uses it: scaled or capped logits, whatever its class computes."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

Project = Callable[[Tensor], Tensor]
"""Hidden states [tokens, width] -> logits [tokens, vocabulary]."""


class _States(BaseModelOutputWithPast):
    """The decoder's output with nothing but hidden states in it; whatever else a model asks for is None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class _Fixed:
    """Stands in for a module: a call is a call of `call`, attributes are the module's.

    Parts of it that contain `inner` stand in as well, for models that call `self.model.decoder`.
    """

    def __init__(self, call: Callable[..., Any], module: nn.Module, inner: nn.Module) -> None:
        self._call, self._module, self._inner = call, module, inner

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self._call(*inputs, **options)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        is_part = isinstance(found, nn.Module) and _holds(found, self._inner)
        return _Fixed(self._call, found, self._inner) if is_part else found


def own_logits(model: Any, hidden: Tensor, project: Project) -> Tensor:
    """The logits that `model` makes of the decoder's last hidden states [tokens, width].

    Runs the forward pass of the model's class with a decoder that returns `hidden` and a head that is
    `project`, so a scale, a cap, or a step before the head are the model's own. Works on a shallow copy: the
    model is not changed, and no hook of its modules runs.
    """
    decoder, head = decoder_of(model), model.get_output_embeddings()

    def decode(*_: Any, **__: Any) -> Any:
        return _States(last_hidden_state=hidden.unsqueeze(0))  # type: ignore[arg-type]

    shadow = copy.copy(model)
    shadow._modules = dict(model._modules)
    replaced = {}
    for name, module in model.named_children():
        if module is head:
            replaced[name] = _Fixed(project, module, module)
        elif _holds(module, decoder):
            replaced[name] = _Fixed(decode, module, decoder)
    if len(replaced) != 2:
        raise ValueError(f"{type(model).__name__}: a decoder and a head beside it are needed")
    for name, stand_in in replaced.items():
        del shadow._modules[name]
        shadow.__dict__[name] = stand_in
    ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
    return type(model).forward(shadow, input_ids=ids, use_cache=False).logits[0]


def decoder_of(model: Any) -> nn.Module:
    """The part of a causal language model below its head."""
    decoder = model.get_decoder()
    if decoder is not model:
        return decoder
    # A class whose base_model_prefix is not the name it uses (Llama 4).
    rest = [module for module in model.children() if module is not model.get_output_embeddings()]
    return rest[0] if len(rest) == 1 else model


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
