"""Rotary embeddings whose frequencies depend on length: fixed for a run, so rows do not depend on others."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config

from training.rope import pin_rope

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 1}
SIZES |= {"num_key_value_heads": 1, "vocab_size": 50, "pad_token_id": 0, "bos_token_id": None}


def model(kind: str):
    """Frequencies change beyond 32 tokens."""
    rope = {"rope_theta": 1e4, "rope_type": kind, "original_max_position_embeddings": 32}
    if kind == "longrope":
        factors = {
            "short_factor": [1.0 + 0.1 * i for i in range(16)],
            "long_factor": [2.0 + i for i in range(16)],
        }
        longest = {"max_position_embeddings": 128, "original_max_position_embeddings": 32}
        config = Phi3Config(**SIZES, **longest, rope_parameters=rope | factors)
    else:
        config = LlamaConfig(**SIZES, max_position_embeddings=32, rope_parameters=rope | {"factor": 2.0})
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made


IDS = torch.randint(2, 50, (1, 60), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model, n: int):
    return model(input_ids=IDS[:, :n], use_cache=False).logits[0, :20]


@pytest.mark.parametrize("kind, context", [("longrope", 32), ("longrope", 60), ("dynamic", 32)])
def test_a_rows_numbers_do_not_depend_on_its_length(kind, context):
    free, pinned = model(kind), model(kind)
    pin_rope(pinned, context)
    short, long = logits(free, 20), logits(free, 60)
    assert (short - long).abs().max() > 0.1, "transformers' own depend on it"
    # Short contexts have the frequencies of short rows, long ones those of long rows, whatever is asked.
    expected = long if context > 32 else short
    for n in (20, 60, 20):
        assert torch.allclose(logits(pinned, n), expected, atol=1e-4)


def test_dynamic_frequencies_beyond_their_length_are_refused_and_others_left_alone():
    with pytest.raises(ValueError, match="beyond 32 tokens, and 33 are asked for"):
        pin_rope(model("dynamic"), 33)
    plain = model("linear")
    before = logits(plain, 60)
    pin_rope(plain, 10_000)
    assert torch.equal(logits(plain, 60), before)
