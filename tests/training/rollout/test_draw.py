"""Tokens are sampled in proportion to the logits, with uniform and unrelated random numbers."""

import pytest
import torch

from rewards.contracts.engine import Sampling
from training.rollout.draw import draw_tokens, keep_nucleus, penalize, uniforms

SEEDS = torch.randint(0, 2**62, (20_000,), generator=torch.Generator().manual_seed(0))


def splitmix64(seed: int, place: int) -> float:
    """SplitMix64 with Python's integers, after the published code."""
    z = (seed + 0x9E3779B97F4A7C15 * (place + 1)) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return ((z ^ (z >> 31)) >> 11) / 2**53


@pytest.mark.parametrize("place", [0, 1, 7999])
def test_numbers_are_splitmix64(place):
    expected = [splitmix64(seed, place) for seed in SEEDS[:500].tolist()]
    assert uniforms(SEEDS[:500], place).tolist() == expected


def test_numbers_of_several_places_are_those_of_each():
    together = uniforms(SEEDS[:100].unsqueeze(1), torch.arange(16, 32))
    assert all(torch.equal(together[:, i], uniforms(SEEDS[:100], 16 + i)) for i in range(16))


def test_numbers_are_uniform_and_neighbors_are_unrelated():
    first, second = uniforms(SEEDS, 3), uniforms(SEEDS, 4)
    ordered, n = first.sort().values, len(SEEDS)
    distance = (ordered - torch.arange(n) / n).abs().max().item()
    assert distance < 1.63 / n**0.5  # Kolmogorov-Smirnov, 1 %
    for other in (second, uniforms(SEEDS + 1, 3)):
        assert abs(torch.corrcoef(torch.stack([first, other]))[0, 1].item()) < 4 / n**0.5


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_shares_follow_the_tempered_distribution(temperature):
    logits = torch.tensor([[2.0, -1.0, 0.5, float("-inf"), 1.0]]).expand(len(SEEDS), -1)
    expected = torch.softmax(logits[0].double() / temperature, -1)
    tokens, logprobs = draw_tokens(logits, uniforms(SEEDS, 0), Sampling(1, temperature))
    shares = torch.bincount(tokens, minlength=5).double() / len(SEEDS)
    assert (shares - expected).abs().max() < 5 * (0.25 / len(SEEDS)) ** 0.5
    assert shares[3] == 0
    assert torch.allclose(logprobs.double(), expected.log()[tokens], atol=1e-6)


def test_the_extreme_numbers_fall_on_tokens_that_exist():
    logits = torch.tensor([[float("-inf"), 0.0, 0.0, float("-inf")]]).expand(2, -1)
    tokens, _ = draw_tokens(logits, torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), Sampling(1))
    assert tokens.tolist() == [1, 2]


@pytest.mark.parametrize(
    "top_p, kept", [(0.49, {0}), (0.51, {0, 1}), (0.79, {0, 1}), (0.81, {0, 1, 2}), (0.99, {0, 1, 2, 3})]
)
def test_the_nucleus_is_the_fewest_tokens_with_the_mass(top_p, kept):
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(len(SEEDS), -1)
    assert set(torch.isfinite(keep_nucleus(logits[:1], top_p))[0].nonzero().flatten().tolist()) == kept
    tokens, logprobs = draw_tokens(logits, uniforms(SEEDS, 0), Sampling(1, top_p=top_p))
    assert set(tokens.tolist()) == kept
    mass = sum([0.5, 0.3, 0.15, 0.05][i] for i in kept)
    assert logprobs[tokens == 0][0].exp().item() == pytest.approx(0.5 / mass, rel=1e-5)


@pytest.mark.parametrize(
    "cut, kept",
    [
        ({"top_k": 1}, {0}),
        ({"top_k": 2}, {0, 1}),
        ({"top_k": 9}, {0, 1, 2, 3}),
        ({"min_p": 0.59}, {0, 1}),  # 0.3 is 0.6 of 0.5
        ({"min_p": 0.61}, {0}),
        ({"top_k": 3, "top_p": 0.53}, {0, 1}),  # of the three that are left, 0.5 is 0.526 of the mass
        ({"min_p": 0.2, "top_p": 0.52}, {0}),
    ],
)
def test_the_cuts_keep_what_they_say(cut, kept):
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(2000, -1)
    tokens, logprobs = draw_tokens(logits, uniforms(SEEDS[:2000], 0), Sampling(1, **cut))
    assert set(tokens.tolist()) == kept
    mass = sum([0.5, 0.3, 0.15, 0.05][i] for i in kept)
    assert logprobs[tokens == 0][0].exp().item() == pytest.approx(0.5 / mass, rel=1e-5)


def test_penalties_follow_prompt_and_response():
    logits, in_prompt = torch.tensor([[2.0, -2.0, 2.0, 1.0]]), torch.tensor([[True, True, False, False]])
    sampled = torch.tensor([[2, 2]])
    both = penalize(logits, in_prompt, sampled, Sampling(1, repetition_penalty=2.0))
    assert both.tolist() == [[1.0, -4.0, 1.0, 1.0]]
    own = penalize(logits, in_prompt, sampled, Sampling(1, presence_penalty=0.5, frequency_penalty=0.25))
    assert own.tolist() == [[2.0, -2.0, 1.0, 1.0]]
