"""Settings of the model, of its supervised warm-up and of PPO. Defaults are the paper's unless a line says
so.

"paper" is arXiv 2503.24290; "reference script" is playground/orz_7b_ppo.py of its authors' repository.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from rewards.prompts import PromptConfig
from rewards.settings import Settings


class ScratchConfig(Settings):
    """A tiny Llama-shaped model with a character tokenizer, made on the spot (demo and tests)."""

    hidden: int = Field(64, ge=1)
    """Width of the residual stream."""
    n_layers: int = Field(3, ge=1)
    """Number of transformer blocks."""
    n_heads: int = Field(2, ge=1)
    """Attention heads; hidden / n_heads must be a head size vLLM knows (32, 64, 80, 96, 128, ...)."""
    intermediate: int = Field(192, ge=1)
    """Width of the feed-forward layers."""
    max_tokens: int = Field(128, ge=1)
    """Longest sequence, in tokens."""

    @model_validator(mode="after")
    def _check_head_size(self) -> Self:
        if self.hidden % self.n_heads or (self.hidden // self.n_heads) % 32:
            raise ValueError(f"hidden / n_heads must be a multiple of 32, got {self.hidden} / {self.n_heads}")
        return self


class CorpusPhase(Settings):
    """One phase of the supervised warm-up: which kinds of responses it shows, and for how long."""

    n_steps: int = Field(ge=0)
    """Optimizer steps."""
    careful: float
    """Share of responses that work the problem out (the curated row's solution)."""
    quick: float
    """Share of responses that answer at once."""
    quick_correct: float = Field(0.15, ge=0, le=1)
    """Share of the quick responses whose answer is right."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if self.careful < 0 or self.quick < 0 or self.careful + self.quick > 1:
            raise ValueError(f"careful + quick must be in [0, 1], got {self.careful} + {self.quick}")
        return self


class WarmupConfig(Settings):
    """Short supervised training that gives a base model its two ways to answer; the rest is unformatted
    junk."""

    phases: tuple[CorpusPhase, ...] = ()
    """Phases in order; the learning rate decays to a tenth over each."""
    batch_size: int = Field(128, ge=1)
    """Responses per optimizer step."""
    lr: float = Field(3e-3, gt=0)
    """Peak learning rate (AdamW)."""


class ModelConfig(Settings):
    """Where the base model comes from: a folder or hub id, a GGUF file, or from scratch."""

    path: str | None = None
    """Folder in Hugging Face format, or a hub id."""
    revision: str | None = None
    """Hub revision; unset: the current one, which the manifest then records."""
    gguf: str | None = None
    """GGUF file to dequantise: a path, or `package:NAME` for the one inside an installed Python package."""
    scratch: ScratchConfig | None = None
    """Make a tiny model instead."""
    warmup: WarmupConfig | None = None
    """Supervised warm-up before PPO; ORZ has none (paper, section 2.1: straight on the base model)."""

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        origins = [name for name in ("path", "gguf", "scratch") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError(f"set exactly one of path, gguf, scratch; got {origins or 'none'}")
        if self.warmup is not None and self.scratch is None:
            raise ValueError(
                "warmup writes demonstrations for the scratch model only; remove it or set scratch"
            )
        return self


class RolloutConfig(Settings):
    """Sampling of responses."""

    engine: Literal["vllm", "torch"] = "vllm"
    """What samples: vLLM, or torch alone with a static cache, several times faster for tiny models on a CPU
    (ours)."""
    prompts_per_step: int = Field(128, ge=1)
    """Prompts per step (paper, section 2.3; reference script: rollout_batch_size)."""
    samples_per_prompt: int = Field(64, ge=1)
    """Responses per prompt (paper, section 2.3; reference script: n_samples_per_prompt)."""
    max_prompt_tokens: int = Field(2048, ge=1)
    """Longer prompts are set aside before training (reference script: prompt_max_len)."""
    max_new_tokens: int = Field(8000, ge=1)
    """Response limit (reference script: generate_max_len)."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature (paper, section 2.3)."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus mass (paper, section 2.3)."""
    stop: tuple[str, ...] = ("User:", "Human:", "Assistant:", "</answer>")
    """Strings that end a response; they are kept in it (reference script: stop)."""
    probe_responses: int = Field(16, ge=0)
    """Responses per step whose engine log-probs are compared with the trainer's: proof that weights are in
    sync."""
    max_mismatch: float = Field(0.0, ge=0)
    """Largest mean |log-prob difference| of the probe before the run stops; 0 derives it from the precision:
    1e-3 for fp32, 0.05 for bf16 (ours)."""
    gpu_memory_utilization: float = Field(0.75, gt=0, le=1)
    """Share of GPU memory for vLLM (reference script: gpu_memory_utilization)."""
    kv_cache_gib: float = Field(4.0, gt=0)
    """KV cache of the torch sampler, and of vLLM on a CPU, GiB (ours)."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that share one vLLM engine (reference script: vllm_tensor_parallel_size)."""


class OptimConfig(Settings):
    """AdamW and its schedule: linear warm-up, then constant (paper, section 2.3)."""

    lr: float = Field(ge=0)
    """Learning rate after warm-up."""
    warmup_steps: int = Field(50, ge=0)
    """Optimizer steps of linear warm-up (paper, section 2.3)."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW betas (paper, section 2.3)."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay (paper, section 2.3: none)."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradient clipping (reference code: deepspeed gradient_clipping)."""


class PPOConfig(Settings):
    """The update (paper, section 2.2 and equations 1 to 5)."""

    gamma: float = Field(1.0, ge=0, le=1)
    """Discount (paper, section 2.2)."""
    gae_lambda: float = Field(1.0, ge=0, le=1)
    """GAE lambda; with gamma = lambda = 1 the advantage is the return minus the value (paper, section
    2.2)."""
    clip_eps: float = Field(0.2, gt=0, lt=1)
    """Clip range of the policy ratio (paper, section 2.2)."""
    value_clip_eps: float = Field(0.2, gt=0)
    """Clip range of the value change (reference code)."""
    whiten_advantages: bool = True
    """Zero mean, unit variance over all response tokens of the step (reference script:
    advantage_normalize)."""
    policy_minibatches: int = Field(1, ge=1)
    """Policy updates per step; 1 is strictly on-policy (paper, section 2.3)."""
    critic_minibatches: int = Field(12, ge=1)
    """Critic updates per step (paper, section 2.3)."""
    micro_batch_tokens: int = Field(16384, ge=1)
    """Padded tokens per forward pass; changes speed and memory, not the result (ours)."""
    logprob_chunk_tokens: int = Field(1024, ge=1)
    """Tokens whose vocabulary logits exist at once; changes memory, not the result (ours)."""


class DeepSpeedConfig(Settings):
    """Sharding and precision."""

    zero_stage: Literal[0, 1, 2, 3] = 3
    """ZeRO stage (reference script: zero_stage)."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Weights and activations in training and rollout; fp32 on a CPU (reference script: bf16)."""
    n_ranks: int = Field(1, ge=1)
    """Processes on this machine, one per GPU."""
    offload_optimizer: bool = False
    """Keep optimizer states in CPU memory (reference script: adam_offload)."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass (reference code)."""


class TrainingConfig(Settings):
    """The PPO stage."""

    model: ModelConfig
    """The base model."""
    prompt: PromptConfig = PromptConfig()
    """How problems are put to the model."""
    sources: tuple[str, ...] = ()
    """Train on these sources of the prompt set only; empty: all."""
    subjects: tuple[str, ...] = ()
    """Train on these subjects only; empty: all."""
    n_steps: int = Field(1000, ge=1)
    """PPO steps (paper, figure 1: more than 1,000)."""
    rollout: RolloutConfig = RolloutConfig()
    """Sampling of responses."""
    ppo: PPOConfig = PPOConfig()
    """The update."""
    actor: OptimConfig = OptimConfig(lr=1e-6)
    """Optimizer of the policy (paper, section 2.3: 1e-6)."""
    critic: OptimConfig = OptimConfig(lr=5e-6)
    """Optimizer of the critic (paper, section 2.3: 5e-6)."""
    deepspeed: DeepSpeedConfig = DeepSpeedConfig()
    """Sharding and precision."""
    save_every: int = Field(50, ge=1)
    """Steps between resumable checkpoints and model exports (reference script: save_interval)."""
    keep_checkpoints: int = Field(2, ge=1)
    """Resumable checkpoints kept (ours)."""
    seed: int = 0
    """Seed of data order, sampling and initialisation."""

    @model_validator(mode="after")
    def _check_batches(self) -> Self:
        n_responses = self.rollout.prompts_per_step * self.rollout.samples_per_prompt
        if self.rollout.prompts_per_step % self.deepspeed.n_ranks:
            raise ValueError(
                f"rollout.prompts_per_step ({self.rollout.prompts_per_step}) must be divisible by "
                f"deepspeed.n_ranks ({self.deepspeed.n_ranks})"
            )
        if self.deepspeed.n_ranks % self.rollout.tensor_parallel:
            raise ValueError(
                f"deepspeed.n_ranks ({self.deepspeed.n_ranks}) must be divisible by "
                f"rollout.tensor_parallel ({self.rollout.tensor_parallel})"
            )
        if self.rollout.engine == "torch" and self.rollout.tensor_parallel > 1:
            raise ValueError('rollout.tensor_parallel needs rollout.engine = "vllm"')
        per_rank = n_responses // self.deepspeed.n_ranks
        for name in ("policy_minibatches", "critic_minibatches"):
            if getattr(self.ppo, name) > per_rank:
                raise ValueError(f"ppo.{name} must be at most the {per_rank} responses per rank and step")
        context = self.rollout.max_prompt_tokens + self.rollout.max_new_tokens
        if self.model.scratch is not None and context > self.model.scratch.max_tokens:
            raise ValueError(
                f"rollout.max_prompt_tokens + max_new_tokens ({context}) exceeds "
                f"model.scratch.max_tokens ({self.model.scratch.max_tokens})"
            )
        return self
