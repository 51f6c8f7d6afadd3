"""Matrix products, in float32 on a CPU by oneDNN.

oneDNN uses AVX-512 on every processor that has it. MKL, torch's default, does not on AMD's, and takes up to
twice as long. A kernel is made for each new shape, so callers round their number of rows (`packing.rounded`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


LARGE = 1 << 20
"""Weights of a layer from which on a new kernel for every number of rows costs next to nothing."""


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias, without a gradient: [m, k], [n, k] -> [m, n]."""
    if _is_for_onednn(x):
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


def outer(grad: Tensor, x: Tensor) -> Tensor:
    """grad.T @ x, the gradient of a weight: [m, n], [m, k] -> [n, k]."""
    if _is_for_onednn(x) and grad.shape[1] > x.shape[1]:  # It copies its first factor: the smaller one.
        return product(x.t(), grad.t()).t().contiguous()
    return product(grad.t(), x.t())


def faster_linear(layer: Any) -> Callable[[Tensor], Tensor]:
    """The forward pass of `layer` for x [m, k]: by `product`, if it is plain and large enough."""
    weight = layer.weight
    is_plain = type(layer) is nn.Linear and layer.bias is None and not hasattr(weight, "ds_id")
    return partial(_apply, weight) if is_plain and weight.numel() >= LARGE else layer.forward


def _apply(weight: Tensor, x: Tensor) -> Tensor:
    return _Product.apply(x, weight)


class _Product(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        return product(grad, weight.t()), outer(grad, x)


def _is_for_onednn(x: Tensor) -> bool:
    return HAS_ONEDNN and x.device.type == "cpu" and x.dtype is torch.float32
