"""The learning rate schedule and the clipped step, computed by hand."""

import copy
import math

import pytest
import torch
from torch import nn

from tests.training.test_update import ALONE, PlainEngine
from training.config import OptimConfig
from training.engines import _update, full_state, learning_rate, optimizer_step


@pytest.mark.parametrize(
    "warmup_steps, optimizer_step, share",
    [
        (50, 0, 0.02),
        (50, 24, 0.5),
        (50, 48, 0.98),
        (50, 49, 1.0),
        (50, 50, 1.0),
        (50, 100_000, 1.0),
        (4, 2, 0.75),
        (1, 0, 1.0),
        (0, 0, 1.0),
        (0, 7, 1.0),
    ],
)
def test_warm_up_is_linear_and_then_the_rate_is_constant(warmup_steps, optimizer_step, share):
    optim = OptimConfig(lr=3e-6, warmup_steps=warmup_steps)
    assert learning_rate(optim, optimizer_step) == pytest.approx(3e-6 * share, rel=1e-12)


def test_the_critic_warms_up_in_optimizer_steps_not_in_ppo_steps():
    # Twelve critic updates per step: the fifth step (updates 48 to 59) reaches the full rate.
    optim, per_step = OptimConfig(lr=5e-6), 12
    last = [learning_rate(optim, (step - 1) * per_step + per_step - 1) for step in range(1, 7)]
    assert last == pytest.approx([1.2e-6, 2.4e-6, 3.6e-6, 4.8e-6, 5e-6, 5e-6], rel=1e-12)


def test_annealing_is_linear_to_the_final_rate_and_only_where_there_is_one():
    optim = OptimConfig(lr=1e-6, warmup_steps=2, final_lr=3e-7)
    rates = [learning_rate(optim, k, n_main=10, n_anneal=4) for k in (9, 10, 11, 12, 13)]
    assert rates == pytest.approx([1e-6, 8.25e-7, 6.5e-7, 4.75e-7, 3e-7], rel=1e-9)
    assert learning_rate(optim, 13) == 1e-6
    stays = OptimConfig(lr=1e-6, warmup_steps=0)
    assert learning_rate(stays, 13, n_main=10, n_anneal=4) == 1e-6


def test_full_state_is_a_copy():
    weight = torch.nn.Parameter(torch.ones(2))
    state = full_state([("w", weight)])
    with torch.no_grad():
        weight.zero_()
    assert state["w"].tolist() == [1.0, 1.0] and not state["w"].requires_grad


def test_a_rank_that_keeps_nothing_still_takes_part_in_gathering():
    gathered = []

    def weights():
        for name in ("a", "b"):
            gathered.append(name)
            yield name, torch.ones(1)

    assert full_state(weights(), keeps=False) == {}
    assert gathered == ["a", "b"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(bad):
    module = torch.nn.Linear(2, 1, bias=False)
    engine = PlainEngine(module)
    before = module.weight.detach().clone()

    def loss_of(rows):
        loss = module(torch.tensor([[1.0, bad if rows == [1] else 2.0]])).sum()
        return loss, loss.detach().unsqueeze(0)

    norm, _ = optimizer_step(engine, [[0], [1]], loss_of, 0.1, 1.0, ALONE)
    assert not math.isfinite(norm)
    assert torch.equal(module.weight, before) and module.weight.grad is None
    norm, _ = optimizer_step(engine, [[0]], loss_of, 0.1, 1.0, ALONE)
    assert norm == pytest.approx(5**0.5) and not torch.equal(module.weight, before)


@pytest.mark.parametrize("max_grad_norm, share", [(1e9, 1.0), (5.0, 1.0), (2.0, 0.4)])
def test_a_gradient_longer_than_the_limit_is_shortened_to_it(max_grad_norm, share):
    module = torch.nn.Linear(2, 1, bias=False)
    before = module.weight.detach().clone()

    def loss_of(rows):
        loss = module(torch.tensor([[3.0, 4.0]])).sum()
        return loss, loss.detach().unsqueeze(0)

    norm, _ = optimizer_step(PlainEngine(module), [[0]], loss_of, 0.1, max_grad_norm, ALONE)
    assert norm == pytest.approx(5.0)
    moved = before - module.weight.detach()
    assert torch.allclose(moved, 0.1 * share * torch.tensor([[3.0, 4.0]]), rtol=1e-5)


def test_the_function_under_adamw_moves_weights_as_the_method_does():
    """Three updates, the first of which makes the moments; also after they were loaded."""
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 3))
    ours, theirs = copy.deepcopy(start), copy.deepcopy(start)
    options = {"lr": 0.1, "betas": (0.9, 0.95), "weight_decay": 0.01, "fused": True}
    by_function, by_method = (torch.optim.AdamW(module.parameters(), **options) for module in (ours, theirs))
    for _ in range(3):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        _update(by_function, [*ours.parameters()])
        by_method.step()
        by_function.load_state_dict(copy.deepcopy(by_function.state_dict()))
        pairs = [*zip(ours.parameters(), theirs.parameters(), strict=True)]
        assert all(torch.equal(one, other) for one, other in pairs)
    assert not torch.equal(ours[0].weight, start[0].weight)
    assert by_function.state[ours[0].weight]["step"] == 3
