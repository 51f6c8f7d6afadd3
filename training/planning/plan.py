"""Plan of a run: estimated memory per GPU by part, tokens and FLOPs per step, and disk.

Computed from the model's dimensions alone. In bf16, training needs 2 bytes per weight, 2 per gradient and 12
of optimizer state (fp32 master copy and two moments; Rajbhandari et al. 2020, section 3.1), sharded according
to the ZeRO stage.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.config import TrainingConfig
from training.planning.shape import Shape, find_shape

GIB = 2**30
CONTEXT_BYTES, NCCL_BYTES, GRAPH_BYTES = 0.8 * GIB, 1.0 * GIB, 1.0 * GIB
"""Assumed: a process' CUDA context and cuBLAS workspace; NCCL's buffers; vLLM's captured graphs.

With them the plan for 1.5B on one H200 was 1.7 % below the measured peak (bench/gpu); NCCL was not measured.
"""
MAX_BUCKET = 200_000_000
"""Elements of a communication bucket, as in training.engines."""
LIVE_PARAMETERS = 1_000_000_000
"""DeepSpeed's default for stage3_max_live_parameters."""
DISK_BYTES_S = 1e9
"""Assumed: what a shared file system takes from all ranks together."""
LIBRARY_BYTES = 0.6 * GIB
"""Memory of a process that has only imported torch, transformers and DeepSpeed (measured on a CPU)."""


@dataclass(frozen=True, slots=True)
class Plan:
    n_parameters: int
    rows: list[tuple[str, float, str, str]]
    """(part, amount, unit, how it was computed)"""
    peak_gib: float

    def table(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, schema=["part", "amount", "unit", "how"], orient="row")


def prompt_copies(
    n_samples: int,
    n_parts: int,
    response_tokens: np.ndarray | float,
    micro_batch_tokens: int,
    *,
    is_drawn: bool = True,
) -> np.ndarray:
    """How many times a pass computes a prompt, on average, when its `n_samples` responses have
    `response_tokens` in total.

    Once in each of `n_parts` parts; if the parts are minibatches into which responses are drawn at random
    (`is_drawn`), once in each that contains any of them. And once more wherever its responses continue in
    another micro-batch (`training.batching.micro_batches`); a cut between two prompts costs nothing.
    """
    n_held = n_parts * (1 - (1 - 1 / n_parts) ** n_samples) if is_drawn else n_parts
    cuts = np.asarray(response_tokens) / micro_batch_tokens * (1 - n_held / n_samples)
    return np.minimum(n_samples, n_held + cuts)


def train_flops(
    config: TrainingConfig, shape: Shape, n_prompt_tokens: float, n_response_tokens: float
) -> float:
    """FLOPs of one step's update for these mean lengths: forward, backward and recomputation passes."""
    n_prompts, n_samples = config.rollout.prompts_per_step, config.rollout.samples_per_prompt
    n_scored = n_prompts * n_samples * n_response_tokens
    squares = n_prompts * n_samples * (n_prompt_tokens + n_response_tokens) ** 2

    def one_pass(n_parts: int, is_policy: bool, is_drawn: bool = True) -> float:
        budget = config.ppo.micro_batch_tokens
        copies = prompt_copies(n_samples, n_parts, n_samples * n_response_tokens, budget, is_drawn=is_drawn)
        n_tokens = n_prompts * float(copies) * n_prompt_tokens + n_scored
        return shape.forward_flops(n_tokens, squares, n_scored if is_policy else None)

    ppo, update = config.ppo, 4 if config.deepspeed.gradient_checkpointing else 3
    # The policy update also gives the old log-probabilities, unless more updates need them beforehand.
    flops = one_pass(1, True) * ((ppo.policy_minibatches > 1) + (ppo.kl_coef > 0))
    flops += one_pass(ppo.policy_minibatches, True) * update
    # Log-probabilities are recomputed in the backward pass in any case (training.model.Policy).
    flops += 2 * shape.n_vocab * shape.hidden * n_scored * (4 - update)
    if ppo.has_critic:
        n_values = -(-n_samples // (ppo.early_values or n_samples))
        flops += one_pass(n_values, False, is_drawn=False) + one_pass(ppo.critic_minibatches, False) * update
    return flops


def layer_bytes(config: TrainingConfig, shape: Shape) -> float:
    """Peak bytes of one layer's activations in a pass over a full micro-batch, without gradients."""
    inner = shape.n_heads * shape.head_dim + 2 * shape.n_kv_heads * shape.head_dim
    width = 2 if config.deepspeed.precision == "bf16" else 4
    return config.ppo.micro_batch_tokens * (6 * shape.hidden + 2 * inner + 3 * shape.intermediate) * width


def training_parts(config: TrainingConfig, shape: Shape, n_gpus: int) -> list[tuple[str, float, str]]:
    """Memory per GPU during the update: (part, bytes, how it was computed)."""
    settings, n = config.deepspeed, shape.n_parameters
    zero, width = settings.zero_stage, 2 if settings.precision == "bf16" else 4
    states = 12 if width == 2 else 8
    n_models = 2 if config.ppo.has_critic else 1

    def share(stage: int) -> int:
        return n_gpus if zero >= stage else 1

    tokens = config.ppo.micro_batch_tokens
    kept = float(shape.n_layers * tokens * shape.hidden * width)
    working = layer_bytes(config, shape)
    if not settings.gradient_checkpointing:
        kept, working = shape.n_layers * working, 0.0
    chunk = min(config.ppo.logprob_chunk_tokens, tokens)
    # DeepSpeed sums bf16 gradients in fp32 when it shards them.
    sums = 4 if width == 4 or zero > 0 else width
    parts = [
        (
            "weights, actor and critic",
            n_models * n * width / share(3),
            f"{n_models} x {width} bytes, ZeRO-{zero}",
        ),
        ("gradients, larger of the two", n * sums / share(2), f"{sums} bytes, ZeRO-{zero}"),
        (
            "optimizer, actor and critic",
            0.0 if settings.offload_optimizer else n_models * n * states / share(1),
            "on the CPU" if settings.offload_optimizer else f"{n_models} x {states} bytes, ZeRO-{zero}",
        ),
    ]
    if zero == 3 and settings.hpz_ranks > 1:
        second = n_models * n * width / settings.hpz_ranks
        parts.append(("second copy of the shards", second, f"hpZ over {settings.hpz_ranks} GPUs"))
    if config.ppo.kl_coef:
        parts.append(("base model for the KL term", n * width / share(3), f"{width} bytes, ZeRO-{zero}"))
    return [
        *parts,
        ("activations", kept + working, f"{tokens:,} tokens per micro-batch"),
        ("logits", 3.0 * chunk * shape.n_vocab * 4, f"{chunk:,} tokens per chunk, fp32"),
    ]


def other_parts(config: TrainingConfig, shape: Shape, n_gpus: int) -> list[tuple[str, float, str]]:
    """Memory per GPU beside what the model's dimensions decide: (part, bytes, where it comes from).

    Rules of thumb and DeepSpeed's settings; see CONTEXT_BYTES for how near their sum came on a GPU.
    """
    settings, width = config.deepspeed, 2 if config.deepspeed.precision == "bf16" else 4
    parts = [("CUDA context, cuBLAS", CONTEXT_BYTES, "assumed, once per process")]
    if n_gpus > 1:
        parts.append(("NCCL", NCCL_BYTES, "assumed: buffers of the trainer's and the engine's groups"))
    n = shape.n_parameters
    bucket = min(MAX_BUCKET, n)
    if settings.zero_stage:
        parts.append(
            ("communication buckets", 2.0 * bucket * width, "reduce and gather, see training.engines")
        )
    if settings.zero_stage == 3 and n_gpus > 1:
        live = min(n, LIVE_PARAMETERS) * width
        parts.append(("live parameters", float(live), "gathered at a time: stage3_max_live_parameters"))
    if config.rollout.engine == "vllm":
        parts.append(("CUDA graphs", GRAPH_BYTES, "assumed; stay while vLLM sleeps"))
    return parts


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes that a run writes, over all ranks."""

    checkpoint: float
    """fp32 weights and two Adam moments, 12 bytes a weight, of actor and critic."""
    export: float
    """Both models in the precision of training."""
    most: float
    """The most at a time: kept checkpoints and exports, and one of each that is being written."""


def disk_of(config: TrainingConfig, shape: Shape) -> Disk:
    n_models = 2 if config.ppo.has_critic else 1
    checkpoint = 12.0 * shape.n_parameters * n_models
    export = float(shape.n_parameters * n_models * (2 if config.deepspeed.precision == "bf16" else 4))
    most = (config.keep_checkpoints + 1) * checkpoint + (config.keep_best + 2) * export
    return Disk(checkpoint, export, most)


def make_plan(config: TrainingConfig, *, n_gpus: int, gpu_gib: float, shape: Shape | None = None) -> Plan:
    """Memory, disk and arithmetic of `config` on `n_gpus` GPUs, with responses half as long as the limit.

    How long it takes is the simulator's to say (`training.planning.simulator`). `shape` of the model, if its
    dimensions are not to be looked up.
    """
    shape, rollout = shape or find_shape(config), config.rollout
    n, width = shape.n_parameters, 2 if config.deepspeed.precision == "bf16" else 4
    parts = training_parts(config, shape, n_gpus)
    others = other_parts(config, shape, n_gpus)
    sizes = {name: size for name, size, _ in parts}
    training = sum(sizes.values()) + sum(size for _, size, _ in others)
    engine_weights = n * width / rollout.tensor_parallel
    fleeting = ("gradients, larger of the two", "activations", "logits")
    resident = sum(size for name, size in sizes.items() if name not in fleeting)
    kept = sum(size for name, size, _ in others if name in ("NCCL", "communication buckets"))
    early = layer_bytes(config, shape) if config.ppo.early_values else 0.0
    # vLLM counts its context and graphs into its share, and gives the cache what its weights leave.
    kv = max(0.0, rollout.gpu_memory_utilization * gpu_gib * GIB - engine_weights)
    n_responses = rollout.prompts_per_step * rollout.samples_per_prompt
    n_prompt, n_response = rollout.max_prompt_tokens / 4, rollout.max_new_tokens / 2
    flops = train_flops(config, shape, n_prompt, n_response)
    disk = disk_of(config, shape)
    sampling = resident + kept + early + engine_weights + kv
    rows = [(what, size / GIB, "GiB", how) for what, size, how in (*parts, *others)]
    rows += [
        ("training peak", training / GIB, "GiB", "sum of the above, while vLLM sleeps"),
        ("vLLM weights", engine_weights / GIB, "GiB", f"tensor parallel {rollout.tensor_parallel}"),
        ("vLLM KV cache", kv / GIB, "GiB", f"{kv / shape.kv_bytes_per_token:,.0f} tokens"),
        ("resident while sampling", resident / GIB, "GiB", "the trainer's weights and optimizer"),
        *([("early values", early / GIB, "GiB", "one critic pass during sampling")] if early else []),
        ("sampling peak", sampling / GIB, "GiB", "vLLM's share, the trainer's, its buckets and NCCL"),
        (
            "tokens per step",
            n_responses * (n_prompt + n_response),
            "",
            f"{n_responses:,} responses, half as long as the limit",
        ),
        *(
            [
                (
                    "responses sampled, at most",
                    n_responses * (1 + rollout.resample_rounds),
                    "",
                    f"dynamic sampling, up to {rollout.resample_rounds} rounds",
                )
            ]
            if rollout.resample_rounds
            else []
        ),
        ("training", flops / 1e15, "PFLOP", "forward and backward passes of all networks"),
        ("a checkpoint", disk.checkpoint / GIB, "GiB", "fp32 weights and moments, shared out over the ranks"),
        (
            "written in",
            disk.checkpoint / DISK_BYTES_S,
            "s",
            f"at {DISK_BYTES_S / 1e9:g} GB/s for all ranks together, beside the next steps",
        ),
        ("host memory of a save", disk.checkpoint / n_gpus / GIB, "GiB", "per rank: the copy being written"),
        ("an export", disk.export / GIB, "GiB", "actor and critic, files of 5 GB"),
        ("disk of the run", disk.most / GIB, "GiB", f"{config.keep_checkpoints} + 1 checkpoints, exports"),
    ]
    return Plan(n, rows, max(training, sampling) / GIB)


def why_not(
    config: TrainingConfig, shape: Shape, *, gpu_gib: float | None, n_gpus: int, free_bytes: float
) -> str | None:
    """Why a run cannot fit on GPUs of `gpu_gib` and a disk with `free_bytes`, with what to change; None when
    it can. Without a GPU (None), only the disk is checked."""
    disk = disk_of(config, shape)
    if disk.most > free_bytes:
        return (
            f"the run needs {disk.most / GIB:.1f} GiB of disk for checkpoints and exports, and "
            f"{free_bytes / GIB:.1f} GiB are free; free some, or lower training.keep_checkpoints or keep_best"
        )
    if gpu_gib is None:
        return None
    plan = make_plan(config, n_gpus=n_gpus, gpu_gib=gpu_gib, shape=shape)
    if plan.peak_gib <= gpu_gib:
        return None
    return (
        f"the plan says {plan.peak_gib:.1f} GiB per GPU, and each has {gpu_gib:.1f}; lower "
        "training.rollout.gpu_memory_utilization or training.ppo.micro_batch_tokens, set "
        "training.deepspeed.offload_optimizer, or use more GPUs (reasoner-zero plan shows each part)"
    )


def compare_with_run(
    config: TrainingConfig, metrics: pl.DataFrame, timings: pl.DataFrame, n_prompt_tokens: float
) -> pl.DataFrame:
    """Compare the plan with a finished run (METRIC and TIMING frames).

    A plan knows no speeds. FLOP/s and tokens/s are therefore measured on the first half of the steps, and
    predict the second half from its response lengths. Columns: part, planned, measured, unit, error_percent.
    """
    shape, rollout = find_shape(config), config.rollout
    both = metrics.join(timings, on="step").sort("step")
    n_responses = rollout.prompts_per_step * rollout.samples_per_prompt
    lengths = both["response_tokens"].to_list()
    flops = [train_flops(config, shape, n_prompt_tokens, length) for length in lengths]
    update_s = (both["forward_s"] + both["critic_s"] + both["policy_s"]).to_list()
    rollout_s = both["rollout_s"].to_list()
    half = both.height // 2
    rate = sum(flops[:half]) / sum(update_s[:half])
    decoded = [n_responses * length for length in lengths]
    tokens_per_s = sum(decoded[:half]) / sum(rollout_s[:half])
    n_later = both.height - half
    memory = sum(size for _, size, _ in training_parts(config, shape, config.deepspeed.n_ranks))
    peaks = timings.select(pl.col("device_memory_bytes", "memory_bytes").max().cast(pl.Float64)).row(0)
    on_device, of_process = peaks
    if not on_device:  # On a CPU the measurement is of the whole process, and the engine does not sleep.
        cache = rollout.kv_cache_gib * GIB if rollout.engine == "vllm" else 0.0
        memory += LIBRARY_BYTES + cache + shape.n_parameters * 4
    rows = [
        ("response length", rollout.max_new_tokens / 2, sum(lengths) / len(lengths), "tokens"),
        (
            "update, second half",
            sum(flops[half:]) / rate / n_later,
            sum(update_s[half:]) / n_later,
            "s per step",
        ),
        (
            "rollout, second half",
            sum(decoded[half:]) / tokens_per_s / n_later,
            sum(rollout_s[half:]) / n_later,
            "s per step",
        ),
        ("peak memory", memory / GIB, (on_device or of_process) / GIB, "GiB"),
    ]
    frame = pl.DataFrame(rows, schema=["part", "planned", "measured", "unit"], orient="row")
    return frame.with_columns(((pl.col("planned") / pl.col("measured") - 1) * 100).alias("error_percent"))
