"""Decoder layers with written-out backward passes, beside a slow loop and beside transformers' own."""

import pytest
import torch
from torch.nn.functional import silu
from transformers import (
    LlamaConfig,
    LlamaModel,
    MistralConfig,
    MistralModel,
    Qwen2Config,
    Qwen2Model,
    Qwen3Config,
    Qwen3Model,
)

from training.batching import Responses
from training.model import recompute_activations, states_before
from training.packed.layers import fuse_layers, is_fused
from training.packed.packing import PACKED, pack

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
PROMPTS = [[3, 4, 5, 6]] * 3 + [[7, 8, 9]] * 2
WINDOWED = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
MODELS = {
    "llama": lambda: LlamaModel(LlamaConfig(**SIZES)),
    "llama, biases": lambda: LlamaModel(LlamaConfig(**SIZES, attention_bias=True)),
    "mistral, window": lambda: MistralModel(MistralConfig(**SIZES, sliding_window=5)),
    "qwen2": lambda: Qwen2Model(Qwen2Config(**SIZES)),
    "qwen2, window in one layer": lambda: Qwen2Model(Qwen2Config(**SIZES, **WINDOWED)),
}


def make(name):
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    model.set_attn_implementation(PACKED.attention)
    for parameter in model.parameters():
        if parameter.dim() == 1:  # Norms and biases begin as ones and zeros.
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def some_responses():
    torch.manual_seed(1)
    tokens = [torch.randint(2, 40, (n,)).tolist() for n in (5, 30, 9, 1, 17)]
    return Responses.build(PROMPTS, tokens, torch.device("cpu")).inputs(list(range(5)), 0)


def states_and_gradients(model, inputs):
    model.zero_grad()
    states = states_before(model, PACKED, *inputs)
    torch.manual_seed(2)
    (states * torch.randn_like(states)).sum().backward()
    # The gradient of the keys' bias is 0 but for rounding.
    named = {name: p.grad.clone() for name, p in model.named_parameters() if "k_proj.bias" not in name}
    return states.detach(), named


@pytest.mark.parametrize("recomputes", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("name", MODELS)
def test_layers_compute_what_transformers_does(name, recomputes):
    model, inputs = make(name), some_responses()
    if recomputes:
        recompute_activations(model)
    expected, wanted = states_and_gradients(model, inputs)
    fuse_layers(model)
    assert is_fused(model)
    found, gradients = states_and_gradients(model, inputs)
    assert not torch.equal(found, expected)  # They are other operations.
    assert (found - expected).abs().max() < 3e-6
    for name, gradient in wanted.items():
        assert (gradients[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-6, name


def test_without_packing_the_layers_are_transformers_own():
    model = make("llama")
    ids = torch.arange(3, 20).unsqueeze(0)
    with torch.no_grad():
        expected = model(ids, use_cache=False).last_hidden_state
        fuse_layers(model)
        assert torch.equal(model(ids, use_cache=False).last_hidden_state, expected)


def adapted():
    model = LlamaModel(LlamaConfig(**SIZES))
    model.layers[1].self_attn.q_proj.adapter = torch.nn.Linear(32, 4)
    return model


def sharded():
    model = LlamaModel(LlamaConfig(**SIZES))
    for index, parameter in enumerate(model.parameters()):
        parameter.ds_id = index  # As ZeRO-3 marks what it has cut up.
    return model


OTHERS = {
    "norms of queries and keys": lambda: Qwen3Model(Qwen3Config(**SIZES, head_dim=8)),
    "another activation": lambda: LlamaModel(LlamaConfig(**SIZES, hidden_act="gelu")),
    "biases of the feed-forward network": lambda: LlamaModel(LlamaConfig(**SIZES, mlp_bias=True)),
    "an adapter": adapted,
    "ZeRO-3": sharded,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_stay_as_they_are(name):
    model = OTHERS[name]()
    fuse_layers(model)
    assert not is_fused(model)
    assert all(layer.forward.__func__ is type(layer).forward for layer in model.layers)


def test_only_a_fused_decoder_gets_rounded_lengths():
    ids, attention, response = some_responses()
    lengths = [pack(ids, attention, response, torch.float32, rounds)[0].shape[1] for rounds in (False, True)]
    assert lengths[1] == 80 and lengths[0] < 80
    seen = []
    model = make("llama")
    model.embed_tokens.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    with torch.no_grad():
        states_before(model, PACKED, ids, attention, response)
        fuse_layers(model)
        states_before(model, PACKED, ids, attention, response)
    assert seen == lengths


def slow_layer(layer, x, cos, sin, window):
    """One sequence [tokens, width], by the formulas, in the dtype of x."""

    def norm(module, x):
        return x / (x.square().mean(-1, keepdim=True) + module.variance_epsilon).sqrt() * module.weight

    def heads(part):
        return (normed @ part.weight.T + part.bias).view(len(x), -1, attention.head_dim)

    def turn(x):
        first, second = x.chunk(2, dim=-1)
        return x * cos[:, None] + torch.cat([-second, first], dim=-1) * sin[:, None]

    attention, feed = layer.self_attn, layer.mlp
    normed = norm(layer.input_layernorm, x)
    query, key, value = turn(heads(attention.q_proj)), turn(heads(attention.k_proj)), heads(attention.v_proj)
    rows = []
    for place in range(len(x)):
        first = 0 if window is None else max(0, place - window + 1)
        for head in range(query.shape[1]):
            shared = head * key.shape[1] // query.shape[1]
            weights = (key[first : place + 1, shared] @ query[place, head] * attention.scaling).softmax(0)
            rows.append(weights @ value[first : place + 1, shared])
    mixed = torch.stack(rows).view(len(x), -1)
    middle = x + mixed @ attention.o_proj.weight.T + attention.o_proj.bias
    normed = norm(layer.post_attention_layernorm, middle)
    opened = silu(normed @ feed.gate_proj.weight.T) * (normed @ feed.up_proj.weight.T)
    return middle + opened @ feed.down_proj.weight.T


@pytest.mark.parametrize("window", [None, 3])
def test_gradients_match_a_slow_loop_in_float64(window):
    model = make("llama, biases").double()
    model.config.sliding_window, model.config.model_type = window, "mistral" if window else "llama"
    fuse_layers(model)
    layer = model.layers[0]
    ids, attention, response = some_responses()
    tokens, _, arguments = pack(ids, attention, response, torch.float64)
    positions = arguments["position_ids"][0]
    angles = torch.outer(torch.arange(64).double(), torch.rand(4).double()).repeat(1, 2)
    cos, sin = angles.cos(), angles.sin()
    torch.manual_seed(3)
    table = torch.randn(50, 64, 32, dtype=torch.float64, requires_grad=True)  # A vector for token and place.
    x = table[tokens[0], positions].unsqueeze(0)
    turned = (cos[positions].unsqueeze(0), sin[positions].unsqueeze(0))
    found = layer.forward(x, position_embeddings=turned, packing=arguments["packing"])[0]
    lengths = attention.sum(1).tolist()
    whole = [
        slow_layer(layer, table[row[:n], torch.arange(n)], cos[:n], sin[:n], window)
        for row, n in zip(ids, lengths, strict=True)
    ]
    # Packed tokens: each row's response, and the prompt of the first row that has it.
    starts = [0 if row in (0, 3) else len(PROMPTS[row]) for row in range(5)]
    expected = torch.cat([states[start:] for states, start in zip(whole, starts, strict=True)])
    assert (found - expected).abs().max() < 1e-9
    weights = torch.randn_like(expected)
    inputs = [table, *layer.parameters()]
    wanted = torch.autograd.grad((expected * weights).sum(), inputs)
    gradients = torch.autograd.grad((found * weights).sum(), inputs)
    for one, other in zip(gradients, wanted, strict=True):
        assert (one - other).abs().max() < 1e-9
