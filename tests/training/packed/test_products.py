"""Products and their gradients beside torch's own."""

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from training.packed import products


@pytest.mark.parametrize("has_onednn", [products.HAS_ONEDNN, False])
@pytest.mark.parametrize(("m", "n", "k"), [(7, 5, 12), (7, 12, 5), (1, 3, 3), (64, 48, 16)])
def test_products_are_torchs(m, n, k, has_onednn, monkeypatch):
    monkeypatch.setattr(products, "HAS_ONEDNN", has_onednn)
    x, weight, bias, grad = torch.randn(m, k), torch.randn(n, k), torch.randn(n), torch.randn(m, n)
    assert torch.allclose(products.product(x, weight, bias), linear(x, weight, bias), atol=1e-5)
    assert torch.allclose(products.product(grad, weight.t()), grad @ weight, atol=1e-5)
    found = products.outer(grad, x)
    assert torch.allclose(found, grad.t() @ x, atol=1e-5)
    assert found.is_contiguous()


def test_a_large_plain_layer_is_computed_faster_with_the_same_gradients(monkeypatch):
    monkeypatch.setattr(products, "LARGE", 100)
    layer = nn.Linear(12, 30, bias=False)
    fast = products.faster_linear(layer)
    assert fast != layer.forward
    found = []
    for forward in (layer.forward, fast):
        x = torch.linspace(-1, 1, 60).view(5, 12).requires_grad_()
        output = forward(x)
        found.append((output, *torch.autograd.grad(output.square().sum(), [x, layer.weight])))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_other_layers_keep_their_forward_pass(monkeypatch):
    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    sharded = nn.Linear(40, 30, bias=False)
    sharded.weight.ds_id = 0
    small = nn.Linear(40, 30, bias=False)
    assert products.faster_linear(small) == small.forward  # Fewer weights than LARGE.
    monkeypatch.setattr(products, "LARGE", 100)
    for layer in (nn.Linear(40, 30), Scaled(40, 30, bias=False), sharded):
        assert products.faster_linear(layer) == layer.forward
