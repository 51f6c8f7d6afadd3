"""Weights leave the trainer as the checkpoint had them: names, shapes, buffers, bit for bit."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM

from bench.parts.families import make_family, perturb
from training.saving.names import checkpoint_weights, plan_groups


def trained(model):
    """A model below the prefix "model.", as the actor has it, without ZeRO."""
    module = torch.nn.Module()
    module.model = model
    return SimpleNamespace(module=module, zero_optimization_stage=lambda: 0)


@pytest.mark.parametrize(
    "family", ["llama", "mixtral", "qwen2-moe", "deepseek-v3", "granite-moe", "gpt-neox"]
)
def test_names_and_values_are_those_of_a_checkpoint(family, tmp_path):
    make_family(family, tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    perturb(model, 3, 0.1)
    model.save_pretrained(tmp_path / "saved")
    expected = load_file(tmp_path / "saved" / "model.safetensors")
    found = dict(checkpoint_weights(trained(model), "model."))
    assert set(found) == set(expected) == set(load_file(tmp_path / "base" / "model.safetensors"))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    groups = plan_groups(trained(model), "model.")
    assert sum(group.n_bytes for group in groups) == sum(tensor.nbytes for tensor in expected.values())
    assert any(group.is_converted for group in groups) == (set(found) != set(dict(model.named_parameters())))


def test_the_routers_bias_is_among_them(tmp_path):
    backbone = AutoModel.from_pretrained(make_family("deepseek-v3", tmp_path))
    assert not any("e_score_correction_bias" in name for name, _ in backbone.named_parameters())
    found = dict(checkpoint_weights(trained(backbone), "model."))
    bias = next(tensor for name, tensor in found.items() if name.endswith("e_score_correction_bias"))
    assert bias.abs().max() > 0
