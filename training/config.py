"""Settings of the model, of its supervised warm-up and of PPO. Defaults are the paper's unless a line says
so.

"paper" is arXiv 2503.24290; "reference script" is playground/orz_7b_ppo.py of its authors' repository.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import ORZ_STOP, PromptConfig
from rewards.contracts.settings import Settings
from rewards.shaping import RewardTerms

Estimator = Literal["gae", "grpo", "rloo", "reinforce_pp"]
KLEstimator = Literal["k1", "k2", "k3"]


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
    """GGUF file to dequantize: a path, or `package:NAME` for the one inside an installed Python package."""
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
    stop: tuple[str, ...] = ORZ_STOP
    """Strings that end a response; they are kept in it (reference script: stop)."""
    probe_responses: int = Field(16, ge=0)
    """Responses per step whose engine log-probs are compared with the trainer's: proof that weights are in
    sync."""
    max_mismatch: float = Field(0.0, ge=0)
    """Largest mean |log-prob difference| of the probe before the run stops; 0 derives it from the precision:
    1e-3 for fp32, 0.05 for bf16 (ours)."""
    lag: Literal[0, 1] = 0
    """0: strictly on-policy (paper, section 2.3). 1: the next step's responses are sampled beside this step's
    update, by the policy before it, and weighed by ppo.max_importance_weight (one step off-policy;
    Noukhovitch et al. 2024, arXiv 2410.18252)."""
    gpu_memory_utilization: float = Field(0.75, gt=0, le=1)
    """Share of GPU memory for vLLM (reference script: gpu_memory_utilization)."""
    kv_cache_gib: float = Field(4.0, gt=0)
    """KV cache of the torch sampler, and of vLLM on a CPU, GiB (ours)."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that share one vLLM engine (reference script: vllm_tensor_parallel_size)."""

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.max_new_tokens, self.temperature, self.top_p, self.stop)


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
    final_lr: float | None = Field(None, ge=0)
    """Learning rate at the end of the annealing stage, reached linearly; unset: it stays (paper, section 2.3:
    3e-7 for the policy)."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradient clipping (reference code: deepspeed gradient_clipping)."""


class PPOConfig(Settings):
    """The update (paper, section 2.2 and equations 1 to 5)."""

    gamma: float = Field(1.0, ge=0, le=1)
    """Discount (paper, section 2.2)."""
    gae_lambda: float = Field(1.0, ge=0, le=1)
    """GAE lambda; with gamma = lambda = 1 the advantage is the return minus the value (paper, section
    2.2)."""
    advantages: Estimator = "gae"
    """How responses are valued (paper, section 2.2: gae, with a critic). For ablations, without a critic:
    grpo and rloo compare the responses of a prompt, reinforce_pp whitens the rewards of the step."""
    clip_eps: float = Field(0.2, gt=0, lt=1)
    """Clip range of the policy ratio (paper, section 2.2)."""
    clip_eps_high: float | None = Field(None, gt=0)
    """Another clip range above 1, for ablations (DAPO, arXiv 2503.14476, section 3.1: 0.28)."""
    entropy_coef: float = Field(0.0, ge=0)
    """Weight of an entropy bonus, for ablations (paper, section 2.2: none)."""
    kl_coef: float = Field(0.0, ge=0)
    """Weight of the KL divergence from the base model, for ablations (paper, section 2.2: none). Above 0 the
    base model is kept in memory."""
    kl_place: Literal["loss", "reward"] = "loss"
    """Where that KL enters: added to the loss, or taken off the reward of each token."""
    kl_estimator: KLEstimator = "k3"
    """Its estimate per token, see `training.losses.kl_estimate` (Schulman 2020)."""
    max_importance_weight: float | None = Field(None, gt=0)
    """Weigh tokens by policy / rollout engine, at most this: truncated importance sampling against their
    mismatch (Yao et al. 2025: 2); unset: off."""
    value_clip_eps: float = Field(0.2, gt=0)
    """Clip range of the value change (reference code)."""
    whiten_advantages: bool = True
    """Zero mean, unit variance over all response tokens of the step (reference script:
    advantage_normalize)."""
    policy_minibatches: int = Field(1, ge=1)
    """Policy updates per step; 1 is strictly on-policy (paper, section 2.3), more are for ablations."""
    critic_minibatches: int = Field(12, ge=1)
    """Critic updates per step (paper, section 2.3)."""
    micro_batch_tokens: int = Field(16384, ge=1)
    """Tokens per forward pass, shared prompts counted once; changes speed and memory, not the result
    (reference script: packing_max_len)."""
    logprob_chunk_tokens: int = Field(1024, ge=1)
    """Tokens whose vocabulary logits exist at once; changes memory, not the result (ours)."""
    early_values: int = Field(0, ge=0)
    """Compute the critic's values of so many responses to a prompt together as soon as all of them have
    ended, while others still grow; 0: of all after the rollout. Needs a critic that is whole on each rank
    (ZeRO 0 to 2); changes speed and memory, and values by rounding only (ours)."""

    @model_validator(mode="after")
    def _check_kl(self) -> Self:
        if self.kl_coef and self.kl_place == "loss" and self.kl_estimator == "k1":
            raise ValueError("ppo.kl_estimator: k1 in the loss has no gradient on average; use k2 or k3")
        return self

    @property
    def has_critic(self) -> bool:
        return self.advantages == "gae"


class DeepSpeedConfig(Settings):
    """Sharding and precision."""

    zero_stage: Literal[0, 1, 2, 3] = 3
    """ZeRO stage (reference script: zero_stage)."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Weights and activations in training and rollout; fp32 on a CPU (reference script: bf16)."""
    n_ranks: int = Field(1, ge=1)
    """Processes, one per GPU: on this machine, or over all hosts of `hostfile`."""
    hostfile: str | None = None
    """File with a line `HOST slots=GPUS` for each machine; DeepSpeed's launcher then starts the ranks there
    over ssh. Project and runs lie under the same paths on all (reference script: a Ray cluster)."""
    hpz_ranks: int = Field(1, ge=1)
    """ZeRO-3: ranks, those of one machine, that share a second copy of the weights, so that gathering stays
    inside the machine (ZeRO++, arXiv 2306.10209, section 3.2); 1: off."""
    offload_optimizer: bool = False
    """Keep optimizer states in CPU memory (reference script: adam_offload)."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass (reference code)."""


class AnnealConfig(Settings):
    """A last stage on hard prompts with a falling learning rate (paper, section 2.3)."""

    n_steps: int = Field(0, ge=0)
    """PPO steps after the main run; 0: none (paper, section 2.3: 100 for the 32B model)."""
    hard_below: float = Field(4 / 64, gt=0, le=1)
    """Prompts solved in a smaller share of their latest responses are hard (paper, section 2.3: fewer than 4
    of 64)."""


Action = Literal["skip", "warn", "checkpoint_and_stop"]


class RailConfig(Settings):
    """One safety rail, see `training.rails`."""

    action: Action
    """skip the step's update, warn, or checkpoint_and_stop."""
    limit: float = Field(ge=0)
    """The value beyond which a step counts."""
    n_steps: int = Field(1, ge=1)
    """Steps in a row that must count before the action is taken."""


class RailsConfig(Settings):
    """Conditions that a run must not pass in silence (ours)."""

    not_finite: RailConfig = RailConfig(action="checkpoint_and_stop", limit=0, n_steps=3)
    """Updates with a gradient that is not finite; each is left out, this acts when they go on."""
    reward_stuck: RailConfig = RailConfig(action="warn", limit=0, n_steps=10)
    """Mean reward within `limit` of 0 or 1."""
    truncated: RailConfig = RailConfig(action="warn", limit=0.5, n_steps=10)
    """Share of responses cut at the token limit: their length explodes."""
    verifier_timeouts: RailConfig = RailConfig(action="skip", limit=0.05)
    """Share of answers that could not be compared in time: their rewards would be wrong."""
    disk: RailConfig = RailConfig(action="checkpoint_and_stop", limit=1.0)
    """GiB free where the run is written, checkpoints included."""
    out_of_sync: Literal["warn", "stop"] = "stop"
    """When the probe finds other weights in the rollout engine; `stop` keeps the last checkpoint."""


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
    n_steps: int = Field(1000, ge=0)
    """PPO steps (paper, figure 1: more than 1,000); 0: only the annealing stage, on the prompts as given."""
    rollout: RolloutConfig = RolloutConfig()
    """Sampling of responses."""
    ppo: PPOConfig = PPOConfig()
    """The update."""
    actor: OptimConfig = OptimConfig(lr=1e-6, final_lr=3e-7)
    """Optimizer of the policy (paper, section 2.3: 1e-6, at the end of annealing 3e-7)."""
    critic: OptimConfig = OptimConfig(lr=5e-6)
    """Optimizer of the critic (paper, section 2.3: 5e-6)."""
    deepspeed: DeepSpeedConfig = DeepSpeedConfig()
    """Sharding and precision."""
    reward_terms: RewardTerms = RewardTerms()
    """Terms added to the binary reward for ablations (paper, section 2.2: none)."""
    save_every: int = Field(50, ge=1)
    """Steps between resumable checkpoints and model exports (reference script: save_interval)."""
    keep_checkpoints: int = Field(2, ge=1)
    """Resumable checkpoints kept (ours)."""
    keep_best: int = Field(1, ge=0)
    """Model exports kept for the best rewards beside the last one, means over the steps since the export
    before (ours)."""
    anneal: AnnealConfig = AnnealConfig()
    """Annealing stage."""
    rails: RailsConfig = RailsConfig()
    """Safety rails."""
    eval_every: int = Field(0, ge=0)
    """Steps between evaluations on the run's benchmarks, in place; 0: only before and after (reference
    script: eval_interval)."""
    tracker: Literal["none", "wandb", "trackio"] = "none"
    """Where metrics go beside the run folder and TensorBoard."""
    seed: int = 0
    """Seed of data order, sampling and initialization."""

    @property
    def total_steps(self) -> int:
        """Steps of the main run and the annealing stage."""
        return self.n_steps + self.anneal.n_steps

    @model_validator(mode="after")
    def _check_batches(self) -> Self:
        if not self.total_steps:
            raise ValueError("nothing to do: n_steps and anneal.n_steps are both 0")
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
        if self.rollout.lag:
            self._check_lag()
        if self.ppo.early_values and (
            self.rollout.lag or self.deepspeed.zero_stage == 3 or not self.ppo.has_critic
        ):
            raise ValueError(
                "ppo.early_values reads the critic while the engine samples: it needs one "
                '(ppo.advantages = "gae") that is whole on each rank (deepspeed.zero_stage 0 to 2) and that '
                "is not being trained meanwhile (rollout.lag = 0)"
            )
        if self.anneal.n_steps and self.actor.final_lr is None:
            raise ValueError("anneal.n_steps needs actor.final_lr, the rate at its end (paper: 3e-7)")
        per_rank = n_responses // self.deepspeed.n_ranks
        for name in ("policy_minibatches", "critic_minibatches"):
            if getattr(self.ppo, name) > per_rank:
                raise ValueError(f"ppo.{name} must be at most the {per_rank} responses per rank and step")
        if self.ppo.advantages in ("grpo", "rloo") and self.rollout.samples_per_prompt < 2:
            raise ValueError(f"ppo.advantages = {self.ppo.advantages!r} needs 2 samples_per_prompt or more")
        context = self.rollout.max_prompt_tokens + self.rollout.max_new_tokens
        if self.model.scratch is not None and context > self.model.scratch.max_tokens:
            raise ValueError(
                f"rollout.max_prompt_tokens + max_new_tokens ({context}) exceeds "
                f"model.scratch.max_tokens ({self.model.scratch.max_tokens})"
            )
        return self

    def _check_lag(self) -> None:
        """Sampling ahead needs a correction, a probe that expects the policy to have moved, and an engine of
        its own on each rank."""
        if self.ppo.max_importance_weight is None or not self.rollout.max_mismatch:
            raise ValueError(
                "rollout.lag = 1 samples with the policy before the last update: set "
                "ppo.max_importance_weight (2.0) to correct for it, and rollout.max_mismatch (0.5) to how "
                "far a step may move"
            )
        if self.rollout.tensor_parallel > 1 or self.anneal.n_steps:
            raise ValueError("rollout.lag = 1 does not go with rollout.tensor_parallel or anneal.n_steps")
