"""Policy and critic compared with the full logits, computed row by row without padding or chunks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.base.tokenizer import build_tokenizer
from training.batching import Responses
from training.model import (
    Critic,
    Policy,
    ValueHead,
    build_scratch,
    load_critic,
    load_policy,
    recompute_activations,
    save_value_head,
    token_logprobs,
)
from training.packed.packing import rounded
from training.sections.model import ScratchConfig

SHAPE = ScratchConfig(hidden=32, n_layers=2, n_heads=1, intermediate=48, max_tokens=64)
N_VOCAB, PAD, EOS = 23, 0, 1
ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 2e-5
"""Log-probabilities are float32 by contract, whatever the weights are."""


@pytest.fixture
def model():
    """A random model with sharp distributions: at the usual initialization every token is equally likely."""
    model = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=0).eval().double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4)
    return model


def batch(sizes: list[tuple[int, int]], width: int = 0, seed: int = 2):
    """Right-padded rows of (prompt, response) lengths: input_ids, attention_mask, response_mask."""
    generator = torch.Generator().manual_seed(seed)
    width = max(width, *(p + r for p, r in sizes))
    input_ids = torch.full((len(sizes), width), PAD)
    attention, response = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
    for i, (n_prompt, n_response) in enumerate(sizes):
        end = n_prompt + n_response
        input_ids[i, :end] = torch.randint(2, N_VOCAB, (end,), generator=generator)
        attention[i, :end] = 1
        response[i, n_prompt:end] = 1
    return input_ids, attention, response


def whole_logits(model, input_ids, sizes, temperature):
    """Log-probabilities and entropies of the responses, one unpadded row and one token at a time, float64."""
    logprobs, entropies = [], []
    for row, (n_prompt, n_response) in zip(input_ids, sizes, strict=True):
        logits = model(input_ids=row[: n_prompt + n_response].unsqueeze(0)).logits[0] / temperature
        for position in range(n_prompt, n_prompt + n_response):
            distribution = torch.log_softmax(logits[position - 1], dim=-1)
            logprobs.append(distribution[row[position]])
            entropies.append(-(distribution.exp() * distribution).sum())
    return torch.stack(logprobs), torch.stack(entropies)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


SIZES = [(3, 7), (1, 12), (6, 1)]


@pytest.mark.parametrize("temperature", [1.0, 0.6], ids=["T=1", "T=0.6"])
@pytest.mark.parametrize("chunk_tokens", [1, 3, 20, 1000], ids=["1", "3", "exact", "larger"])
def test_scores_and_gradients_equal_the_whole_log_softmax(model, chunk_tokens, temperature):
    input_ids, attention, response = batch(SIZES)
    weight = torch.linspace(-1, 1, 20, dtype=torch.float64)
    logprobs, entropy = Policy(model, temperature, chunk_tokens)(input_ids, attention, response)
    found = gradients(model, (logprobs * weight + 0.1 * entropy).sum())

    expected_logprobs, expected_entropy = whole_logits(model, input_ids, SIZES, temperature)
    expected = gradients(model, (expected_logprobs * weight + 0.1 * expected_entropy).sum())
    assert expected_entropy.std() > 0.05
    assert logprobs.dtype == entropy.dtype == torch.float32
    assert torch.allclose(logprobs.double(), expected_logprobs, atol=TOLERANCE, rtol=0)
    assert torch.allclose(entropy.double(), expected_entropy, atol=TOLERANCE, rtol=0)
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= TOLERANCE * gradient.norm(), name


def test_the_head_is_called_once_a_pass_whatever_the_number_of_chunks(model):
    """Sharded, it gathers its weights in each call; nothing is called again in the backward pass."""
    calls = []
    head = model.get_output_embeddings()
    inputs = batch(SIZES)
    expected, _ = Policy(model, 1.0, 1000)(*inputs)
    expected_gradients = gradients(model, expected.square().sum())
    head.register_forward_pre_hook(lambda *_: calls.append(1))
    found, entropy = Policy(model, 1.0, 3)(*inputs)
    assert len(calls) == 1 and len(entropy) == 20
    found_gradients = gradients(model, found.square().sum())
    assert len(calls) == 1
    assert torch.allclose(found, expected, atol=1e-6, rtol=0)
    for name, gradient in expected_gradients.items():
        assert (found_gradients[name] - gradient).norm() <= TOLERANCE * gradient.norm(), name
    plain = torch.randn(2, SHAPE.hidden, dtype=head.weight.dtype)
    assert head(plain).shape == (2, N_VOCAB), "for anybody else it is the head of the model"


@pytest.mark.slow
def test_a_sharded_head_is_gathered_once_forward_and_once_backward():
    """Under real ZeRO-3: how often the head is fetched in a pass over eight chunks."""
    code = """
import torch, deepspeed
from deepspeed.runtime.zero import partitioned_param_coordinator
Coordinator = partitioned_param_coordinator.PartitionedParameterCoordinator
from training.config import DeepSpeedConfig, OptimConfig
from training.sections.model import ScratchConfig
from training.engines import build_engine, sharded_loading
from training.model import Policy, build_scratch
from training.ranks import join_ranks
join_ranks()
shape = ScratchConfig(hidden=32, n_layers=1, n_heads=1, intermediate=32, max_tokens=64)
model = build_scratch(shape, 40, 0, 1, seed=0)
model.config.tie_word_embeddings = False
model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
policy = Policy(model, 1.0, 4)
engine = build_engine(policy, OptimConfig(lr=0.1), DeepSpeedConfig(zero_stage=3, precision="fp32"))
head, fetched, fetch = policy.model.lm_head, [], Coordinator.fetch_sub_module
def count(self, module, forward):
    fetched.append(forward) if module is head else None
    return fetch(self, module, forward)
Coordinator.fetch_sub_module = count
ids, mask, response = torch.randint(2, 40, (1, 40)), torch.ones(1, 40), torch.ones(1, 40)
response[:, :8] = 0
logprobs, entropy = engine(ids, mask, response)
assert len(logprobs) == 32
engine.backward(logprobs.sum())
print("fetched", fetched)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "fetched [True, False]" in done.stdout, done.stdout[-500:] + done.stderr[-2000:]


def test_a_prompt_that_several_responses_follow_is_computed_once_and_changes_nothing(model):
    """Gradients and scores compared with one row at a time; two of the prompts differ only in length."""
    prompts = [[5, 6, 7], [5, 6, 7], [5, 6, 7], [5, 6], [5, 6], [6]]
    responses = [[5, 6], [8, 9, 3, 4] * 5, [7, 1], [2], [9, 9, 9, 9, 9], [6] * 16]
    rows = Responses.build(prompts, responses, torch.device("cpu"))
    backbone = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=1).model.eval()
    critic = Critic(backbone, ValueHead(SHAPE.hidden, torch.float32))
    weight = torch.linspace(-1, 2, 46)
    for network, embedding in (
        (Policy(model.float(), 1.0, 4), model.get_input_embeddings()),
        (critic, backbone.embed_tokens),
    ):

        def scores(group, network=network):
            output = network(*rows.inputs(group, pad=0))
            return output[0] if isinstance(output, tuple) else output

        alone = torch.cat([scores([row]) for row in range(6)])
        expected = gradients(network, (alone * weight).sum())
        seen = []
        handle = embedding.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        together = scores([*range(6)])
        handle.remove()
        assert seen[0].shape == (1, rounded(3 + 2 + 1 + 46))  # 60 tokens with every prompt repeated.
        assert torch.allclose(together, alone, atol=1e-6)
        found = gradients(network, (together * weight).sum())
        for name, gradient in expected.items():
            assert (found[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_padding_does_not_change_a_rows_numbers(model):
    policy = Policy(model, 1.0, 8)
    narrow = policy(*batch(SIZES))
    wide = policy(*batch(SIZES, width=40))
    other_pad = batch(SIZES, width=40)
    other_pad[0][other_pad[1] == 0] = 7
    for found in (wide, policy(*other_pad)):
        assert torch.allclose(found[0], narrow[0], atol=1e-6)
        assert torch.allclose(found[1], narrow[1], atol=1e-6)


def test_a_response_token_depends_on_what_came_before_it_only(model):
    input_ids, attention, response = batch([(3, 7)])
    policy = Policy(model, 1.0, 4)
    before, _ = policy(input_ids, attention, response)
    changed = input_ids.clone()
    changed[0, 8] = 2 + (changed[0, 8] - 1) % (N_VOCAB - 2)
    after, _ = policy(changed, attention, response)
    # Position 8 is the sixth response token: the first five stay, it and the rest move.
    assert torch.allclose(after[:5], before[:5], atol=1e-6)
    assert (after[5:] - before[5:]).abs().min() > 1e-4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 8)), min_size=1, max_size=5))
def test_the_mask_picks_the_response_tokens_in_row_order(sizes):
    """The head receives the state before each response token, and nothing else."""
    input_ids, attention, response = batch(sizes)
    policy = Policy(build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=0).eval(), 1.0, 5)
    seen = []

    def record(module, inputs, output):
        seen.append(inputs[0])

    hidden = policy.model.get_decoder()(input_ids=input_ids, attention_mask=attention).last_hidden_state
    handle = policy.model.get_output_embeddings().register_forward_hook(record)
    with torch.no_grad():
        logprobs, entropy = policy(input_ids, attention, response)
    handle.remove()
    expected = [
        hidden[row, position - 1]
        for row, (n_prompt, n_response) in enumerate(sizes)
        for position in range(n_prompt, n_prompt + n_response)
    ]
    assert len(logprobs) == len(entropy) == sum(n_response for _, n_response in sizes)
    (received,) = seen  # In one call, however many chunks it is cut into there.
    assert torch.allclose(received, torch.stack(expected), atol=1e-6)


def test_uniform_and_certain_distributions_by_hand():
    # Two tokens with logits 0 and 0: log 1/2 and entropy log 2. With logits 0 and 40: certainty.
    for logits, logprob, entropy in (([0.0, 0.0], -0.6931472, 0.6931472), ([0.0, 40.0], 0.0, 0.0)):
        head = torch.nn.Linear(1, 2)
        with torch.no_grad():
            head.weight.zero_()
            head.bias.copy_(torch.tensor(logits))
        found = token_logprobs(torch.zeros(1, 1), head, torch.tensor([1]), temperature=1.0)
        assert found[0].item() == pytest.approx(logprob, abs=1e-6)
        assert found[1].item() == pytest.approx(entropy, abs=1e-6)


@pytest.fixture
def folder(tmp_path):
    """A scratch model on disk, in Hugging Face format."""
    build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=3).save_pretrained(tmp_path)
    build_tokenizer(["0123456789+=?a"]).save_pretrained(tmp_path)
    return tmp_path


def test_a_new_critic_says_zero_everywhere_and_learns(folder):
    critic = load_critic(folder, "fp32")
    values = critic(*batch(SIZES))
    assert values.shape == (20,) and not values.any()
    (values - 1).pow(2).sum().backward()
    assert critic.head.weight.grad.norm() > 0


def test_a_critics_values_are_its_head_on_the_state_before_each_token(folder):
    critic = load_critic(folder, "fp32")
    with torch.no_grad():
        critic.head.weight.copy_(torch.linspace(-1, 1, SHAPE.hidden).unsqueeze(0))
        critic.head.bias.fill_(0.25)
        values = critic(*batch(SIZES, width=30))
        expected = []
        for row, (n_prompt, n_response) in zip(batch(SIZES)[0], SIZES, strict=True):
            states = critic.backbone(input_ids=row[: n_prompt + n_response].unsqueeze(0)).last_hidden_state[0]
            weight, bias = critic.head.weight[0], critic.head.bias[0]
            expected += [
                (states[t - 1] * weight).sum() + bias for t in range(n_prompt, n_prompt + n_response)
            ]
    assert torch.allclose(values, torch.stack(expected), atol=TOLERANCE)


def test_the_value_head_computes_in_float32_whatever_its_weights(folder):
    """1.30078125, the sum of two bfloat16 numbers, is none itself: a head in bf16 would round it."""
    critic = load_critic(folder, "bf16")
    with torch.no_grad():
        critic.head.weight.zero_()
        critic.head.weight[0, 0] = 1.0
        critic.head.bias.fill_(1.0)
    state = torch.zeros(1, SHAPE.hidden, dtype=torch.bfloat16)
    state[0, 0] = 0.30078125
    value = critic.head(state)
    assert value.dtype == torch.float32 and value.item() == 1.30078125
    assert torch.tensor(1.30078125).bfloat16().item() != 1.30078125


def test_a_saved_value_head_loads_back(folder):
    generator = torch.Generator().manual_seed(4)
    state = {"weight": torch.randn(1, SHAPE.hidden, generator=generator), "bias": torch.tensor([0.5])}
    save_value_head(state, folder)
    critic = load_critic(folder, "fp32")
    assert torch.equal(critic.head.weight, state["weight"])
    assert torch.equal(critic.head.bias, state["bias"])
    assert isinstance(critic, Critic) and critic(*batch(SIZES)).std() > 0


@pytest.mark.parametrize("precision, dtype", [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_the_one_asked_for_and_scores_stay_float32(folder, precision, dtype):
    policy, critic = load_policy(folder, precision, 1.0, 64), load_critic(folder, precision)
    assert {p.dtype for m in (policy, critic) for p in m.parameters()} == {dtype}
    with torch.no_grad():
        outputs = [*policy(*batch(SIZES)), critic(*batch(SIZES))]
    assert {output.dtype for output in outputs} == {torch.float32}


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone():
    torch.manual_seed(99)
    before = torch.get_rng_state()
    first = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=5).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    second = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=5).state_dict()
    other = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=6).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_a_scratch_model_ties_its_head_to_its_embeddings():
    model = build_scratch(SHAPE, N_VOCAB, PAD, EOS, seed=0)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_recomputing_activations_runs_each_layer_twice_and_changes_no_gradient(folder):
    found = []
    for recomputes in (False, True):
        policy, n_forward = load_policy(folder, "fp32", 1.0, 4), []
        if recomputes:
            recompute_activations(policy.model)
        for layer in policy.model.get_decoder().layers:
            layer.register_forward_pre_hook(lambda *_, seen=n_forward: seen.append(1))
        logprobs, _ = policy(*batch(SIZES))
        found.append(gradients(policy, logprobs.square().sum()))
        assert len(n_forward) == SHAPE.n_layers * (2 if recomputes else 1)
        assert not any(m.training for m in policy.modules() if type(m).__name__ == "LlamaAttention")
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
