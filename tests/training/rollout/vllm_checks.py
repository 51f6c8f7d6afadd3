"""The real vLLM engine on a tiny model with a tied lm_head: sampling, stopping, and the sync of weights.

Run by test_vllm.py in a separate process; by hand: python -m pytest tests/training/rollout/vllm_checks.py
"""

import shutil

import pytest
import torch

from rewards.contracts.engine import Sampling
from rewards.contracts.files import read_json, write_json
from tests.training.conftest import STOP, tiny_config
from training.batching import Responses
from training.model import load_policy
from training.probe import OutOfSync, Probe
from training.ranks import Ranks
from training.rollout.proof import prove
from training.rollout.torch_sampler import TorchSampler

SAMPLING = Sampling(max_new_tokens=24, stop=STOP)
CPU = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def engine(tiny_base):
    from training.rollout.vllm import VllmEngine

    built = VllmEngine(
        tiny_base, precision="fp32", max_model_tokens=48, kv_cache_gib=0.25, gpu_memory_utilization=0.5
    )
    yield built
    built.close()


@pytest.fixture
def policy(engine, tiny_base):
    """The trainer's copy of the weights; the engine has the same ones before and after each test."""
    loaded = load_policy(tiny_base, "fp32", 1.0, 64)
    engine.load_weights(loaded.model.named_parameters())
    return loaded


@pytest.fixture(scope="module")
def prompts(engine, sums):
    return [engine.encode(f"{problem}<think>") for problem in sums["problem"].head(24)]


def mismatch(engine, policy, prompts) -> float:
    """Largest |log-prob difference| between engine and trainer over newly sampled responses."""
    completions = engine.generate(prompts, list(range(len(prompts))), SAMPLING, n_logprobs=len(prompts))
    responses = Responses.build(prompts, [c.tokens for c in completions], CPU.device)
    with torch.no_grad():
        ours, _ = policy(*responses.inputs(list(range(len(prompts))), pad=0))
    theirs = torch.tensor([value for c in completions for value in c.logprobs])
    return (ours - theirs).abs().max().item()


def perturb(policy) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


def test_a_seed_decides_a_response_in_any_order(engine, prompts):
    seeds = [1000 + i for i in range(len(prompts))]
    forward = engine.generate(prompts, seeds, SAMPLING)
    torch.manual_seed(12345)
    backward = engine.generate(prompts[::-1], seeds[::-1], SAMPLING)[::-1]
    assert [c.tokens for c in forward] == [c.tokens for c in backward]
    other = engine.generate(prompts, [seed + 1 for seed in seeds], SAMPLING)
    assert [c.tokens for c in forward] != [c.tokens for c in other]


def test_responses_keep_their_tags_and_say_how_they_ended(engine, prompts):
    completions = engine.generate(prompts, list(range(len(prompts))), SAMPLING)
    ended = [c for c in completions if not c.is_truncated]
    assert any(c.text.endswith("</answer>") for c in ended)
    assert all("<pad>" not in c.text and "<eos>" not in c.text for c in completions)
    cut = engine.generate(prompts, list(range(len(prompts))), Sampling(max_new_tokens=2, stop=STOP))
    assert all(len(c.tokens) <= 2 for c in cut)
    assert any(c.is_truncated for c in cut)


@pytest.mark.parametrize(
    "stop, penalties",
    [
        (STOP, {}),
        (("+",), {}),
        ((), {}),
        (STOP, {"repetition_penalty": 1.5, "presence_penalty": 0.5, "frequency_penalty": 0.3}),
    ],
)
def test_both_engines_write_the_same_response(engine, policy, prompts, tiny_base, stop, penalties):
    """Greedy, so that the tokens are the same; without a stop string the end token ends a response."""
    sampling = Sampling(24, temperature=0.0, stop=stop, **penalties)
    torch_sampler = TorchSampler(tiny_base, precision="fp32", max_model_tokens=48, kv_cache_gib=0.25)
    ours, theirs = (one.generate(prompts, [0] * len(prompts), sampling) for one in (torch_sampler, engine))
    assert ours == theirs
    assert any(c.tokens[-1] in torch_sampler.vocabulary.end_ids for c in theirs) or stop
    assert torch_sampler.encode("1+2=") == engine.encode("1+2=")


def test_one_most_likely_token_is_the_greedy_one(engine, prompts):
    greedy = engine.generate(prompts, [0] * len(prompts), Sampling(8, temperature=0.0))
    for cut in ({"top_k": 1}, {"min_p": 1.0}):
        found = engine.generate(prompts, [7] * len(prompts), Sampling(8, **cut))
        assert [one.tokens for one in found] == [one.tokens for one in greedy]


def test_a_stop_string_of_ordinary_characters_is_kept(engine, prompts):
    completions = engine.generate(prompts, list(range(len(prompts))), Sampling(24, stop=("+",)))
    assert any(c.text.endswith("+") and c.finish_reason == "stop" for c in completions)


def test_candidates_get_the_models_own_log_probabilities(engine, policy, prompts):
    candidates = [[8, 9], [10], [11, 8, 12]]
    found = engine.next_logprobs(prompts[:3], candidates)
    for prompt, tokens, values in zip(prompts, candidates, found, strict=False):
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([prompt])).logits[0, -1]
        expected = torch.log_softmax(logits, -1)[tokens]
        assert values == pytest.approx(expected.tolist(), abs=1e-5)


def test_progress_counts_every_response(engine, prompts):
    seen = []
    engine.generate(prompts, list(range(len(prompts))), SAMPLING, on_progress=seen.append)
    assert sum(seen) == len(prompts)


def test_engine_and_trainer_agree(engine, policy, prompts):
    assert mismatch(engine, policy, prompts) < 1e-5


def test_new_weights_reach_every_layer_and_the_tied_head(engine, policy, prompts):
    perturb(policy)
    assert mismatch(engine, policy, prompts) > 0.1
    engine.load_weights(policy.model.named_parameters())
    assert mismatch(engine, policy, prompts) < 1e-5


def test_a_stale_head_is_caught_by_the_probe(engine, policy, prompts, monkeypatch, tiny_base):
    import training.rollout.vllm

    if not engine.is_cpu:
        pytest.skip("the packed copy that goes stale exists in vLLM's CPU build only")
    perturb(policy)
    monkeypatch.setattr(training.rollout.vllm, "repack_cpu_linears", lambda model: None)
    engine.load_weights(policy.model.named_parameters())
    completions = engine.generate(prompts, list(range(len(prompts))), SAMPLING, n_logprobs=8)
    responses = Responses.build(prompts, [c.tokens for c in completions], CPU.device)
    with torch.no_grad():
        flat, _ = policy(*responses.inputs(list(range(len(prompts))), pad=0))
    logprobs = torch.zeros(responses.mask.shape)
    logprobs[responses.mask] = flat
    probe = Probe(responses.mask, [c.logprobs for c in completions], tiny_config(), CPU)
    with pytest.raises(OutOfSync, match="step 7: the rollout engine does not have the trained weights"):
        probe.check(7, logprobs)


def test_an_engine_that_computes_another_model_is_refused_before_the_first_response(engine, policy):
    prove(engine, lambda *rows: policy(*rows)[0], 1e-4, CPU.device)
    perturb(policy)
    with pytest.raises(ValueError, match="vLLM does not compute this model as transformers does: with equal"):
        prove(engine, lambda *rows: policy(*rows)[0], 1e-4, CPU.device)


def test_each_response_is_handed_over_when_it_ends_and_the_longest_may_go_first(engine, prompts):
    seeds, seen = list(range(len(prompts))), {}
    expected = [float(index % 5) for index in range(len(prompts))]
    found = engine.generate(
        prompts, seeds, SAMPLING, n_logprobs=3, on_completion=seen.__setitem__, expected_tokens=expected
    )
    assert [seen[index] for index in range(len(prompts))] == found
    assert [c.logprobs is not None for c in found] == [index < 3 for index in range(len(prompts))]
    assert [c.tokens for c in engine.generate(prompts, seeds, SAMPLING)] == [c.tokens for c in found]


@pytest.mark.parametrize(
    ("changes", "n_tokens"),
    [
        ({}, 48),
        ({"max_position_embeddings": 47}, 47),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 24}}, 48),
        ({"rope_scaling": {"rope_type": "linear", "factor": 3.0}}, 144),
    ],
)
def test_more_tokens_than_the_model_has_positions_are_refused_by_name(changes, n_tokens, tiny_base, tmp_path):
    from training.rollout.vllm import VllmEngine

    folder = shutil.copytree(tiny_base, tmp_path / "model")
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {"max_position_embeddings": 48} | changes)
    with pytest.raises(ValueError, match=f"may take {n_tokens + 1} tokens, the model {n_tokens} "):
        VllmEngine(
            folder,
            precision="fp32",
            max_model_tokens=n_tokens + 1,
            kv_cache_gib=0.25,
            gpu_memory_utilization=0.5,
        )
