"""The section [training]; sections/ has its longer parts. Defaults are the paper's unless marked "ours".

"paper" is arXiv 2503.24290; "reference script" is playground/orz_7b_ppo.py in its authors' repository.
"""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import ORZ_STOP, PromptConfig
from rewards.contracts.settings import Operation, Placement, Settings
from rewards.shaping import RewardTerms
from training.sections.model import ModelConfig
from training.sections.ppo import PPOConfig

Bos = Literal["tokenizer", "always", "never"]
CRITIC_HEAD = "value_head.safetensors"
"""File with the value head in the folder of a trained critic."""


class RolloutConfig(Settings):
    """Sampling of responses."""

    engine: Literal["vllm", "torch"] = "vllm"
    """Sampler: vLLM, or plain torch, which is several times faster for tiny models on a CPU (ours)."""
    prompts_per_step: int = Field(128, ge=1)
    """Prompts per step (paper, section 2.3; reference script: rollout_batch_size)."""
    samples_per_prompt: int = Field(64, ge=1)
    """Responses per prompt (paper, section 2.3; reference script: n_samples_per_prompt)."""
    max_prompt_tokens: int = Field(2048, ge=1)
    """Prompts longer than this are rejected before training (reference script: prompt_max_len)."""
    max_new_tokens: int = Field(8000, ge=1)
    """Longest response, in tokens (reference script: generate_max_len)."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature (paper, section 2.3)."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Probability mass of nucleus sampling; 1: all tokens (paper, section 2.3). Training accepts no other
    value: tokens outside the nucleus would have probability 0 in the samples and not in the policy, and the
    nucleus moves with every update. Evaluations have their own."""
    stop: tuple[str, ...] = ORZ_STOP
    """Strings that end a response and remain part of it (reference script: stop)."""
    bos: Bos = "tokenizer"
    """The beginning-of-sequence token before a prompt, in training, difficulty and evaluations. tokenizer: as
    the model's own tokenizer begins a text (Llama, Gemma and Mistral with one, Qwen without); always; never.
    Prompts of profile chat begin as the model's chat template writes them. (reference code: its template
    begins with it.)"""
    resample_rounds: int = Field(0, ge=0)
    """Dynamic sampling: prompts whose responses are all right or all wrong are replaced by others, up to this
    many times (DAPO, arXiv 2503.14476, section 3.2, until none agree). The metrics `discarded` and
    `accuracy_sampled` show the cost, and what `accuracy` would be without. 0: off."""
    probe_responses: Operation[int] = Field(16, ge=0)
    """Responses per step and engine whose log-probs are compared with the trainer's, to prove that engine
    and trainer have the same weights (ours)."""
    max_mismatch: float = Field(0.0, ge=0)
    """Largest mean |log-prob difference| of the probe, in nats; beyond it, rails.out_of_sync acts. 0: set by
    the precision, 1e-3 for fp32 and 0.1 for bf16 (ours)."""
    lag: Literal[0, 1] = 0
    """0: strictly on-policy (paper, section 2.3). 1: one step off-policy (Noukhovitch et al. 2024, arXiv
    2410.18252): the next step's responses are sampled during this step's update, by the policy before it, and
    weighted as ppo.max_importance_weight says."""
    gpu_memory_utilization: Operation[float] = Field(0.75, gt=0, le=1)
    """Share of GPU memory that vLLM may use (reference script: gpu_memory_utilization)."""
    kv_cache_gib: Operation[float] = Field(4.0, gt=0)
    """Size of the KV cache, in GiB, for the torch sampler and for vLLM on a CPU (ours)."""
    tensor_parallel: Placement[int] = Field(1, ge=1)
    """GPUs per vLLM engine (reference script: vllm_tensor_parallel_size)."""

    @field_validator("top_p")
    @classmethod
    def _check_top_p(cls, top_p: float) -> float:
        if top_p < 1:
            raise ValueError(
                f"rollout.top_p = {top_p:g}: PPO needs responses sampled from the whole policy; tokens "
                "outside the nucleus have probability 0 in the samples but not in the policy's "
                "log-probabilities. Set it to 1 (evals.top_p is another setting)"
            )
        return top_p

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.max_new_tokens, self.temperature, self.top_p, self.stop)


class OptimConfig(Settings):
    """AdamW and its learning rate schedule: linear warm-up, then constant (paper, section 2.3)."""

    lr: float = Field(ge=0)
    """Learning rate after warm-up."""
    warmup_steps: int = Field(50, ge=0)
    """Optimizer steps of linear warm-up (paper, section 2.3)."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW betas (paper, section 2.3)."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay (paper, section 2.3: none)."""
    final_lr: float | None = Field(None, ge=0)
    """Learning rate at the end of the annealing stage, reached linearly. Unset: no change (paper, section
    2.3: 3e-7 for the policy)."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are clipped to this norm (reference code: deepspeed gradient_clipping)."""


class DeepSpeedConfig(Settings):
    """Sharding and precision."""

    zero_stage: Placement[Literal[0, 1, 2, 3]] = 3
    """ZeRO stage (reference script: zero_stage)."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Data type of weights and activations, in training and rollout; use fp32 on a CPU (reference script:
    bf16)."""
    n_ranks: Placement[int] = Field(1, ge=1)
    """Training processes, one per GPU: on this machine, or over all hosts in `hostfile`."""
    hostfile: Operation[str | None] = None
    """File with a line `HOST slots=GPUS` for each machine, or "slurm" for the nodes of the allocation. The
    ranks are started there through `remote_shell`. Project, environment and runs must have the same paths on
    all machines; `reasoner-zero doctor --hostfile FILE` checks them (reference script: a Ray cluster)."""
    remote_shell: Operation[str] = (
        "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
    )
    """Command that runs another one on a machine of `hostfile`, whose name takes the place of {host} or comes
    last: ssh, `srun --overlap --nodes=1 --ntasks=1 --nodelist={host}`, or `kubectl exec -i {host} --`. The
    default becomes srun for hostfile = "slurm"."""
    min_ranks: Placement[int | None] = Field(None, ge=1)
    """Fewest ranks to go on with when machines are lost and training restarts. Unset: n_ranks, so that it
    waits for all machines (ours; torchrun: --nnodes MIN:MAX)."""
    timeout_hours: Operation[float] = Field(6.0, gt=0)
    """Longest wait of one rank for another, in hours: for the longest response, a save, an export. A rank
    that dies is noticed at once (ours; torch's own limit is 10 minutes)."""
    hpz_ranks: Placement[int] = Field(1, ge=1)
    """ZeRO-3: number of ranks, all of one machine, that share a second copy of the weights, so that gathering
    stays inside the machine (ZeRO++, arXiv 2306.10209, section 3.2). 1: off."""
    offload_optimizer: Placement[bool] = False
    """Keep optimizer states in CPU memory (reference script: adam_offload)."""
    gradient_checkpointing: Operation[bool] = True
    """Recompute activations in the backward pass (reference code)."""


class AnnealConfig(Settings):
    """A final stage on hard prompts with a falling learning rate (paper, section 2.3)."""

    n_steps: int = Field(0, ge=0)
    """PPO steps after the main run. 0: no annealing (paper, section 2.3: 100 for the 32B model)."""
    hard_below: float = Field(4 / 64, gt=0, le=1)
    """A prompt is hard if a smaller share of its latest responses is correct (paper, section 2.3: fewer than
    4 of 64)."""


Action = Literal["skip", "warn", "checkpoint_and_stop"]


class RailConfig(Settings):
    """One guardrail, see `training.rails`."""

    action: Action
    """skip: leave out the step's update. warn: log a line. checkpoint_and_stop: save the state and end the
    run."""
    limit: float = Field(ge=0)
    """Threshold; what it applies to is given below for each guardrail."""
    n_steps: int = Field(1, ge=1)
    """Consecutive steps beyond the limit before the action is taken."""


class RailsConfig(Settings):
    """Guardrails: conditions checked at every step, each of which warns, skips or stops (ours)."""

    not_finite: RailConfig = RailConfig(action="checkpoint_and_stop", limit=0, n_steps=3)
    """Updates with a gradient that is not finite. Each such update is skipped; this acts when more than
    `limit` of them occur in each of `n_steps` steps."""
    reward_stuck: RailConfig = RailConfig(action="warn", limit=0, n_steps=10)
    """Mean reward within `limit` of 0 or 1."""
    truncated: RailConfig = RailConfig(action="warn", limit=0.5, n_steps=10)
    """Share of responses cut off at the token limit."""
    verifier_timeouts: RailConfig = RailConfig(action="skip", limit=0.05)
    """Share of answers that the verifier could not compare in time, so that their rewards may be wrong."""
    disk: RailConfig = RailConfig(action="checkpoint_and_stop", limit=1.0)
    """Disk space, in GiB, that the next checkpoint and export would leave where the run is written; acts
    below `limit`."""
    out_of_sync: Literal["warn", "stop"] = "stop"
    """When the probe finds that the rollout engine has other weights than the trainer. warn: log a line.
    stop: end the run; the last checkpoint remains."""


class TrainingConfig(Settings):
    """The PPO stage."""

    model: ModelConfig
    """The base model."""
    prompt: PromptConfig = PromptConfig()
    """How a problem becomes a prompt."""
    sources: tuple[str, ...] = ()
    """Train only on these sources of the prompt set. Empty: all."""
    subjects: tuple[str, ...] = ()
    """Train only on these subjects. Empty: all."""
    n_steps: int = Field(1000, ge=0)
    """PPO steps of the main run (paper, figure 1: more than 1,000). 0: only the annealing stage, on all
    prompts."""
    rollout: RolloutConfig = RolloutConfig()
    """Sampling of responses."""
    ppo: PPOConfig = PPOConfig()
    """The PPO update."""
    actor: OptimConfig = OptimConfig(lr=1e-6, final_lr=3e-7)
    """Optimizer of the policy (paper, section 2.3: 1e-6, and 3e-7 at the end of annealing)."""
    critic: OptimConfig = OptimConfig(lr=5e-6)
    """Optimizer of the critic (paper, section 2.3: 5e-6)."""
    critic_path: str | None = None
    """Folder of a trained critic to begin with, such as exports/step-001000/critic of another run with the
    same tokenizer; it may have another size. Unset: the base model with a value head of zeros (paper, section
    2.2)."""
    deepspeed: DeepSpeedConfig = DeepSpeedConfig()
    """Sharding and precision."""
    reward_terms: RewardTerms = RewardTerms()
    """Terms added to the binary reward for ablations (paper, section 2.2: none)."""
    save_every: Operation[int] = Field(50, ge=1)
    """Steps between resumable checkpoints and model exports (reference script: save_interval)."""
    keep_checkpoints: Operation[int] = Field(2, ge=1)
    """Number of resumable checkpoints kept, the newest ones (ours)."""
    keep_best: Operation[int] = Field(1, ge=0)
    """Number of model exports kept besides the last one: those with the highest mean reward since the export
    before (ours)."""
    keep_state_days: Operation[float | None] = Field(30.0, ge=0)
    """Days for which a finished training keeps its newest checkpoint, from which more steps can follow (raise
    n_steps and say --resume). 0: not at all. Unset: for ever (ours)."""
    must_fit: Operation[bool] = True
    """Refuse to start when the plan says that memory or disk cannot suffice (`reasoner-zero plan`). False:
    try all the same (ours)."""
    restarts: Operation[int] = Field(3, ge=0)
    """Restarts from the newest checkpoint, after a growing pause, when a process or machine is lost. The
    count begins anew with each further checkpoint. What would fail again (a guardrail, a wrong setting, a
    full disk) ends the run at once (ours)."""
    anneal: AnnealConfig = AnnealConfig()
    """Annealing stage."""
    rails: RailsConfig = RailsConfig()
    """Guardrails."""
    eval_every: int = Field(0, ge=0)
    """Steps between evaluations on the run's benchmarks during training. 0: only before and after training
    (reference script: eval_interval)."""
    tracker: Operation[Literal["none", "wandb", "trackio"]] = "none"
    """Experiment tracker that gets the metrics, besides the run folder and TensorBoard."""
    seed: int = 0
    """Seed of data order, sampling and initialization."""

    @property
    def base_seed(self) -> int:
        """Seed of a base model made from scratch."""
        return self.seed if self.model.seed is None else self.model.seed

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
        if self.rollout.resample_rounds and (
            self.rollout.lag or self.rollout.tensor_parallel > 1 or self.ppo.early_values
        ):
            raise ValueError(
                "rollout.resample_rounds cannot be combined with rollout.lag, rollout.tensor_parallel > 1 "
                "or ppo.early_values"
            )
        if self.critic_path is not None and not self.ppo.has_critic:
            raise ValueError(f"critic_path: ppo.advantages = {self.ppo.advantages!r} has no critic")
        if self.rollout.resample_rounds and self.rollout.samples_per_prompt < 2:
            raise ValueError(
                "rollout.resample_rounds compares responses: samples_per_prompt must be 2 or more"
            )
        if self.ppo.critic_warmup_steps and self.ppo.critic_warmup_steps >= self.n_steps:
            raise ValueError(
                f"ppo.critic_warmup_steps ({self.ppo.critic_warmup_steps}) must be fewer than n_steps "
                f"({self.n_steps}), or the policy is never trained"
            )
        if self.ppo.early_values and (
            self.rollout.lag or self.deepspeed.zero_stage == 3 or not self.ppo.has_critic
        ):
            raise ValueError(
                "ppo.early_values reads the critic while the engine samples: it needs a critic "
                '(ppo.advantages = "gae") that is whole on each rank (deepspeed.zero_stage 0 to 2) and '
                "not trained at the same time (rollout.lag = 0)"
            )
        if self.anneal.n_steps and self.actor.final_lr is None:
            raise ValueError("anneal.n_steps needs actor.final_lr, the final learning rate (paper: 3e-7)")
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
        """Sampling ahead needs an off-policy correction, a probe limit that allows for the update in between,
        and a separate engine on each rank."""
        if self.ppo.max_importance_weight is None or not self.rollout.max_mismatch:
            raise ValueError(
                "rollout.lag = 1 samples with the policy before the last update: set "
                "ppo.max_importance_weight (for example 2.0) to correct for it, and rollout.max_mismatch "
                "(for example 0.5) to how far one update may move the policy"
            )
        if self.rollout.tensor_parallel > 1 or self.anneal.n_steps:
            raise ValueError(
                "rollout.lag = 1 cannot be combined with rollout.tensor_parallel > 1 or anneal.n_steps > 0"
            )
