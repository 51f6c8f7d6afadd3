"""Actor and critic as DeepSpeed engines, and the optimizer step over micro-batches."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from training.config import DeepSpeedConfig, OptimConfig
from training.ranks import Ranks

MAX_BUCKET = 200_000_000
"""Elements of a communication bucket."""


@contextmanager
def sharded_loading(config: DeepSpeedConfig) -> Iterator[None]:
    """Let transformers shard a ZeRO-3 model while reading it, so that no rank ever has the whole model."""
    if config.zero_stage < 3:
        yield
        return
    from transformers.integrations import HfDeepSpeedConfig

    settings = {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": {"stage": 3},
        "bf16": {"enabled": config.precision == "bf16"},
    }
    held = HfDeepSpeedConfig(settings)  # transformers finds it as long as it is referenced
    yield
    del held


def build_engine(module: nn.Module, optim: OptimConfig, config: DeepSpeedConfig) -> Any:
    """Wrap `module` and an AdamW optimizer in a DeepSpeed engine."""
    import deepspeed

    optimizer = torch.optim.AdamW(
        module.parameters(),
        lr=optim.lr,
        betas=optim.betas,
        weight_decay=optim.weight_decay,
        fused=True,
    )
    # DeepSpeed allocates its buckets in full: by default 2 GB each, however small the model.
    n_elements = sum(getattr(p, "ds_numel", p.numel()) for p in module.parameters())
    bucket = min(MAX_BUCKET, n_elements + n_elements % 2)  # must be even
    zero: dict[str, Any] = {
        "stage": config.zero_stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    if config.zero_stage == 3 and config.hpz_ranks > 1:
        zero["zero_hpz_partition_size"] = config.hpz_ranks
    if config.offload_optimizer:
        # Pinned: otherwise the copies would not overlap with the backward pass.
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    # In bf16, sums over a thousand micro-batches lose small terms (reference code: grad_accum_dtype).
    sums_in_fp32 = config.precision == "bf16" and config.zero_stage > 0
    is_whole = config.precision == "fp32" and config.zero_stage == 0
    settings = {
        "data_types": {"grad_accum_dtype": "fp32" if sums_in_fp32 else None},
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        # 0 is off: without ZeRO, `optimizer_step` clips with the norm it has already computed.
        "gradient_clipping": 0.0 if is_whole else optim.max_grad_norm,
        "zero_optimization": zero,
        "bf16": {"enabled": config.precision == "bf16"},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    engine, *_ = deepspeed.initialize(model=module, optimizer=optimizer, config=settings)
    if engine.world_size == 1 and is_plain(engine):
        # With one rank there is nothing to sum; DeepSpeed would still flatten, reduce and copy all gradients.
        engine.enable_backward_allreduce = False
    return engine


def is_plain(engine: Any) -> bool:
    """No ZeRO, fp32: the parameters have their full gradients, and the optimizer is torch's own."""
    return isinstance(engine.optimizer, torch.optim.Optimizer)


def is_alone(engine: Any, ranks: Ranks) -> bool:
    """True for one rank with whole fp32 parameters, which DeepSpeed has nothing to do for.

    It needs no hooks, timers or reduction; on a tiny model they take 5 % of an update.
    """
    return ranks.world == 1 and is_plain(engine)


def forward_of(engine: Any, ranks: Ranks) -> Callable[..., Any]:
    """What computes a forward pass: the engine, or its module where the engine is alone."""
    return engine.module.forward if is_alone(engine, ranks) else engine


def build_frozen(module: nn.Module, config: DeepSpeedConfig, device: torch.device) -> Any:
    """A model that is not trained: moved to the device whole, or sharded like the trained ones (ZeRO-3)."""
    module.requires_grad_(False)
    if config.zero_stage < 3:
        return module.to(device)
    import deepspeed

    settings = {
        "train_micro_batch_size_per_gpu": 1,
        "zero_optimization": {"stage": 3},
        "bf16": {"enabled": config.precision == "bf16"},
    }
    engine, *_ = deepspeed.initialize(model=module, config=settings)
    return engine


def learning_rate(optim: OptimConfig, optimizer_step: int, n_main: int = 0, n_anneal: int = 0) -> float:
    """Linear warm-up, then constant, then in the annealing stage linear to `final_lr` (paper, section 2.3).

    `optimizer_step` counts from 0; the annealing stage is the `n_anneal` updates after the first `n_main`.
    Differs from the reference code, whose warm-up starts at 0: here the first update already moves the
    weights.
    """
    if n_anneal and optimizer_step >= n_main and optim.final_lr is not None:
        share = (optimizer_step - n_main + 1) / n_anneal
        return optim.lr + (optim.final_lr - optim.lr) * share
    return optim.lr * min(1.0, (optimizer_step + 1) / max(1, optim.warmup_steps))


def optimizer_step(
    engine: Any,
    micro: list[list[int]],
    loss_of: Callable[[list[int]], tuple[Tensor, Tensor]],
    lr: float,
    max_grad_norm: float,
    ranks: Ranks,
    before_step: Callable[[], None] | None = None,
) -> tuple[float, Tensor]:
    """One optimizer step over the micro-batches of all ranks.

    `loss_of(rows)` returns the loss, which is a sum over tokens divided by the token count of the whole
    minibatch on all ranks, and a vector of sums to log. DeepSpeed averages over ranks; a factor undoes that.
    Returns the gradient norm before clipping, and the sum of the vectors over this rank's micro-batches. A
    norm that is not finite means that the step was skipped. Ranks with fewer micro-batches repeat one with
    weight zero, because sharded engines communicate in every backward pass. `before_step` runs just before
    the weights change; by raising it prevents the step.
    """
    for group in engine.optimizer.param_groups:
        group["lr"] = lr
    n_micro = ranks.max(len(micro))
    logged: list[Tensor] = []
    for index in range(n_micro):
        engine.set_gradient_accumulation_boundary(index == n_micro - 1)
        is_real = index < len(micro)
        loss, sums = loss_of(micro[index] if is_real else micro[-1])
        if is_alone(engine, ranks):
            loss.backward()
        else:
            engine.backward(loss * (float(ranks.world) if is_real else 0.0))
        if is_real:
            logged.append(sums.detach().double())
    if before_step is not None:
        before_step()
    total = torch.stack(logged).sum(0)
    if not is_plain(engine):
        engine.step()  # Clips, and leaves the weights unchanged when a gradient is not finite.
        return float(engine.get_global_grad_norm()), total
    # DeepSpeed's own step collects all parameters again, which costs a tiny model a sixth of its time.
    optimizer = engine.optimizer
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
    length = float(norm)
    if math.isfinite(length):
        # Else the factor, limit / (norm + 1e-6) and at most 1, is exactly 1.
        if length + 1e-6 > 0.999 * max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, max_grad_norm, norm)
        _update(optimizer, parameters)
    for parameter in parameters:
        parameter.grad = None
    return length, total


def _update(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> None:
    """`optimizer.step()`. The AdamW of `build_engine`, once it has its moments, calls the function under it:
    the method's preparations take as long as the arithmetic of a tiny model."""
    states = [optimizer.state[parameter] for parameter in parameters]
    if type(optimizer) is not torch.optim.AdamW or not all(states):
        optimizer.step()
        return

    def of_each(name: str) -> list[Tensor]:
        return [state[name] for state in states]

    [group] = optimizer.param_groups
    grads: Any = [parameter.grad for parameter in parameters]
    with torch.no_grad():
        adamw(
            parameters,
            grads,
            of_each("exp_avg"),
            of_each("exp_avg_sq"),
            [],
            of_each("step"),
            fused=True,
            amsgrad=False,
            maximize=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
        )


def named_weights(engine: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the full weights whose names start with `prefix`, which is removed from the names.

    Gathers ZeRO-3 shards one parameter at a time.
    Every rank must run the iterator to its end: gathering is collective.
    """
    sharded = engine.zero_optimization_stage() == 3
    for name, parameter in engine.module.named_parameters():
        if not name.startswith(prefix):
            continue
        if not sharded:
            yield name.removeprefix(prefix), parameter.data
            continue
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter]):
            yield name.removeprefix(prefix), parameter.data.clone()


def full_state(weights: Iterable[tuple[str, Tensor]], keeps: bool = True) -> dict[str, Tensor]:
    """Copy weights to the CPU; a rank that does not keep them still runs the iterator to its end."""
    return {name: tensor.detach().cpu().clone() for name, tensor in weights if keeps}
