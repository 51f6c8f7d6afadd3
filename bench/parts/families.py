"""Tiny random models of many families, made with transformers' own configuration classes.

    folder = make_family("mistral-window", Path("/tmp/models"))

Every model has the head size 32, which vLLM's CPU kernels support, two to four layers, and weights random
enough that a mistake of one token or layer shows in the log-probabilities.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from training.base.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer(["0123456789+-*/=?.,: abcdefghijklmnopqrstuvwxyz"])
N_TOKENS = len(TOKENIZER)
WINDOW = 16
CONTEXT = 128

PLAIN = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": CONTEXT,
}
ENDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
MIXED = ["linear_attention", "full_attention"]


def _family(config: str, *, like: dict[str, Any] = PLAIN, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        settings = {"vocab_size": N_TOKENS, **ENDS, **like, **options}
        return getattr(transformers, config)(**settings)

    return make


ROPE = {"rope_theta": 10000.0}
LLAMA3 = ROPE | {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 32,
}
DELTA = {
    "linear_num_key_heads": 1,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 32,
}
LATENT = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "n_group": 2,
    "topk_group": 1,
    "q_lora_rank": 32,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 16,
    "v_head_dim": 32,
    "num_key_value_heads": 2,
    "first_k_dense_replace": 1,
}
MAMBA = {
    "mamba_d_ssm": 64,
    "mamba_n_heads": 2,
    "mamba_d_head": 32,
    "mamba_n_groups": 1,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
}

FAMILIES: dict[str, Callable[[], Any]] = {
    "llama": _family("LlamaConfig"),
    "llama3-rope": _family("LlamaConfig", rope_parameters=LLAMA3),
    "llama-dynamic": _family("LlamaConfig", rope_parameters=ROPE | {"rope_type": "dynamic", "factor": 2.0}),
    "qwen2": _family("Qwen2Config"),
    "qwen2.5-padded": _family("Qwen2Config", vocab_size=N_TOKENS + 40, tie_word_embeddings=True),
    "qwen3": _family("Qwen3Config", head_dim=32),
    "qwen2-moe": _family("Qwen2MoeConfig", **MOE, shared_expert_intermediate_size=32),
    "qwen3-moe": _family("Qwen3MoeConfig", **MOE, head_dim=32),
    "qwen3.5": _family("Qwen3_5TextConfig", **DELTA, layer_types=MIXED, head_dim=32),
    "qwen3-next": _family(
        "Qwen3NextConfig",
        **DELTA,
        **MOE,
        layer_types=MIXED,
        head_dim=32,
        shared_expert_intermediate_size=32,
    ),
    "mistral": _family("MistralConfig", sliding_window=None, head_dim=32),
    "mistral-window": _family("MistralConfig", sliding_window=WINDOW, head_dim=32),
    "mixtral": _family("MixtralConfig", num_local_experts=4, sliding_window=None, head_dim=32),
    "phi": _family("PhiConfig", num_key_value_heads=2),
    "phi3": _family("Phi3Config", sliding_window=None),
    "gemma": _family("GemmaConfig", head_dim=32),
    "gemma2": _family("Gemma2Config", head_dim=32, sliding_window=WINDOW),
    "gemma3": _family(
        "Gemma3TextConfig",
        head_dim=32,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "olmo": _family("OlmoConfig"),
    "olmo2": _family("Olmo2Config"),
    "olmo3": _family(
        "Olmo3Config", sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"]
    ),
    "olmoe": _family("OlmoeConfig", num_experts=4, num_experts_per_tok=2),
    "falcon": _family("FalconConfig", num_key_value_heads=2, alibi=False),
    "falcon-h1": _family("FalconH1Config", **MAMBA, lm_head_multiplier=0.5),
    "nemotron": _family("NemotronConfig", head_dim=32),
    "granite": _family(
        "GraniteConfig", logits_scaling=8.0, embedding_multiplier=6.0, residual_multiplier=0.5
    ),
    "granite-moe": _family(
        "GraniteMoeConfig", num_local_experts=4, num_experts_per_tok=2, logits_scaling=4.0
    ),
    "cohere": _family("CohereConfig", logit_scale=0.25),
    "cohere2": _family("Cohere2Config", logit_scale=0.25, sliding_window=WINDOW, head_dim=32),
    "opt": _family("OPTConfig", ffn_dim=96, word_embed_proj_dim=64, dropout=0.1),
    "gpt2": _family("GPT2Config", like={}, n_embd=64, n_layer=2, n_head=2, n_positions=CONTEXT),
    "gpt-neox": _family("GPTNeoXConfig"),
    "starcoder2": _family("Starcoder2Config", sliding_window=None),
    "stablelm": _family("StableLmConfig"),
    "smollm3": _family("SmolLM3Config", no_rope_layers=[1, 0]),
    "lfm2": _family(
        "Lfm2Config",
        layer_types=["conv", "full_attention"],
        block_auto_adjust_ff_dim=False,
        conv_dim=64,
        block_dim=64,
    ),
    "deepseek-v3": _family("DeepseekV3Config", **LATENT, n_shared_experts=1, topk_method="noaux_tc"),
    "gpt-oss": _family(
        "GptOssConfig",
        num_local_experts=4,
        num_experts_per_tok=2,
        head_dim=32,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=ROPE | YARN,
    ),
    "glm4": _family("Glm4Config", head_dim=32),
    "exaone4": _family("Exaone4Config", sliding_window=None, layer_types=["full_attention"] * 2),
    "minicpm3": _family(
        "MiniCPM3Config",
        scale_emb=2,
        dim_model_base=32,
        num_key_value_heads=2,
        q_lora_rank=32,
        kv_lora_rank=32,
        qk_rope_head_dim=16,
        qk_nope_head_dim=16,
        v_head_dim=32,
    ),
}
"""Family -> its configuration. MiniCPM 1 and 2 bring their own code, which is not part of transformers."""

CI = ("qwen2.5-padded", "mistral-window", "qwen2-moe", "mixtral", "falcon-h1", "granite", "falcon", "olmo2")
"""The families of the tests: padded vocabulary, window, experts, other names, hybrid, scaled head, own
attention, and one that vLLM serves through transformers."""


def make_family(name: str, folder: Path, seed: int = 0) -> Path:
    """Write the random model and its tokenizer to `folder`; the same seed gives the same weights."""
    config = FAMILIES[name]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    perturb(model, seed, 0.1)
    model.save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder


@torch.no_grad()
def perturb(model: nn.Module, seed: int, scale: float) -> None:
    """Add noise to every parameter and persistent floating-point buffer, by name: the same in any order."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            generator = torch.Generator().manual_seed(seed * 1_000_003 + sum(map(ord, name)))
            tensor.add_(torch.randn(tensor.shape, generator=generator) * scale)
