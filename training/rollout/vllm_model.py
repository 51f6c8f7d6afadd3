"""What vLLM's copy of a model needs: a start that says why not, classes of its own, fresh packed weights.

Imported after `training.rollout.vllm` has set vLLM's environment; vLLM itself is imported in the functions.
"""

import importlib
import re
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


def start_vllm(model: Path, **options: Any) -> Any:
    """Open `model` with vLLM; ValueError with the reason if vLLM does not run such a model here."""
    from vllm import LLM

    try:
        with _own_classes() as give_classes:
            llm = LLM(model=str(model), **options)
            llm.apply_model(give_classes)
            return llm
    except (
        ValueError,
        AssertionError,
        AttributeError,
        KeyError,
        TypeError,
        ImportError,
        NotImplementedError,
    ) as error:
        if found := re.search(r"derived max_model_len \(\w+=(\d+)", str(error)):
            raise ValueError(
                f"prompt and response may take {options['max_model_len']:,} tokens, the model "
                f"{int(found[1]):,} (config.json): lower max_new_tokens or max_prompt_tokens, under "
                "training.rollout or, for benchmarks, under evals"
            ) from error
        raise ValueError(
            f"training.rollout.engine: vLLM {_version()} does not start with {_architectures(model)}: "
            f'{_reason(model, error)}. Models that the torch sampler knows run with "torch"'
        ) from error


def is_recurrent(model: Path) -> bool:
    """Do layers of `model` keep a state of their own besides keys and values (Mamba, linear attention)?"""
    from vllm import EngineArgs

    try:
        config = EngineArgs(model=str(model)).create_model_config()
    except ValueError:
        return False  # The start says why.
    return bool(config.is_hybrid or config.is_attention_free)


def _version() -> str:
    from vllm import __version__

    return __version__


def _architectures(model: Path) -> str:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model)
    return ", ".join(config.architectures or [config.model_type])


def _reason(model: Path, error: Exception) -> str:
    """The last line that says something, and the package that is missing, if one is."""
    from vllm.model_executor.models import ModelRegistry

    for name in _architectures(model).split(", "):
        module = getattr(ModelRegistry.models.get(name), "module_name", None)
        try:
            if module is not None:
                importlib.import_module(module)
        except ImportError as missing:
            return f"{missing}; install the package"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("For further information", "1 validation error"))]
    return (told or [type(error).__name__])[0].split(" [type=")[0].rstrip(".")


@contextmanager
def _own_classes() -> Iterator[Any]:
    """Keep what vLLM does to transformers' classes from everybody else in this process.

    Models that vLLM does not implement itself (OLMo2, GPT-NeoX, StarCoder2) run through transformers' class,
    which vLLM changes in place, so that only vLLM can make instances of it. Yields a function that turns
    vLLM's instances in a model into a subclass with these changes; the classes are restored at the end.
    """
    from vllm.model_executor.models.transformers import base

    changed: dict[type, tuple[dict[str, Any], tuple[type, ...]]] = {}
    decorate = base.support_torch_compile

    def recording(*arguments: Any, **options: Any) -> Any:
        change = decorate(*arguments, **options)

        def apply(cls: type) -> type:
            changed.setdefault(cls, (dict(cls.__dict__), cls.__bases__))
            return change(cls)

        return apply

    def give_classes(model: torch.nn.Module) -> None:
        own = {cls: _subclass(cls, *before) for cls, before in changed.items()}
        for module in model.modules():
            if type(module) in own:
                module.__class__ = own[type(module)]

    base.support_torch_compile = recording
    try:
        yield give_classes
    finally:
        base.support_torch_compile = decorate
        for cls, (attributes, bases) in changed.items():
            cls.__bases__ = bases
            for name in _changes(cls, attributes):
                if name in attributes:
                    setattr(cls, name, attributes[name])
                else:
                    delattr(cls, name)


def _changes(cls: type, before: dict[str, Any]) -> list[str]:
    return [
        name for name, value in cls.__dict__.items() if before.get(name) is not value and name != "__doc__"
    ]


def _subclass(cls: type, before: dict[str, Any], bases: tuple[type, ...]) -> type:
    added = tuple(base for base in cls.__bases__ if base not in bases)
    attributes = {name: cls.__dict__[name] for name in _changes(cls, before)}
    forward = cls.__dict__.get("forward")
    if isinstance(forward, types.FunctionType):
        # vLLM exchanges the code of the class's `forward` for compiled code while it runs.
        own = types.FunctionType(
            forward.__code__, forward.__globals__, forward.__name__, forward.__defaults__, forward.__closure__
        )
        own.__kwdefaults__, own.__dict__ = forward.__kwdefaults__, dict(forward.__dict__)
        attributes["forward"] = own
    return type(cls.__name__, (cls, *added), attributes)


def sample_below(model: torch.nn.Module, n_ids: int) -> None:
    """Give ids from `n_ids` on, which no token has, the probability 0."""
    from vllm.model_executor.layers.logits_processor import LogitsProcessor

    found = [module for module in model.modules() if isinstance(module, LogitsProcessor)]
    if not found:
        raise ValueError(
            "training.rollout.engine: the model has more rows than its tokenizer has tokens, and vLLM "
            "computes its logits in a way of its own, where the rest cannot be left out"
        )

    def mask(module: torch.nn.Module, inputs: Any, logits: torch.Tensor | None) -> torch.Tensor | None:
        if logits is not None:
            logits[..., n_ids:] = float("-inf")
        return logits

    for module in found:
        module.register_forward_hook(mask)


def forget_cpu_experts(model: torch.nn.Module) -> None:
    """Let vLLM's CPU build set up its experts anew with the weights that follow.

    It computes with a packed copy, which it makes only if nothing has been set up before: after
    `reload_weights` the experts would be unpacked weights read as packed ones, 1.5 to 2.1 nats off.
    """
    for module in model.modules():
        method = getattr(module, "quant_method", None)
        if method is not None and getattr(method, "moe_kernel", None) is not None:
            method.moe_kernel = None


def check_cpu_experts(model: torch.nn.Module) -> None:
    """Raise ValueError when experts were not set up again: vLLM has then dropped their new weights."""
    for name, module in model.named_modules():
        method = getattr(module, "quant_method", None)
        if hasattr(method, "moe_kernel") and method is not None and method.moe_kernel is None:
            raise ValueError(
                f"training.rollout.engine: vLLM {_version()} on a CPU does not take new weights for the "
                f"experts of {type(model).__name__} ({name}), so it cannot follow the training; use a GPU or "
                "another model"
            )


def repack_cpu_linears(model: torch.nn.Module) -> None:
    """Rebuild the packed weight copies that vLLM's CPU build computes with.

    `reload_weights` repacks ordinary linear layers but silently leaves the packed copy of a tied lm_head
    stale: log-probabilities are then off by 0.2 to 0.45 nats.
    """
    from vllm.model_executor.layers.utils import dispatch_cpu_unquantized_gemm

    for module in model.modules():
        weight = getattr(module, "weight", None)
        if hasattr(module, "cpu_linear") and weight is not None and weight.ndim == 2 and weight.numel():
            dispatch_cpu_unquantized_gemm(module, remove_weight=False)
