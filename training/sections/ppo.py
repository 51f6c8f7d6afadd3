"""Settings of the PPO update, the section [training.ppo]. Defaults are the paper's unless marked "ours".

"paper" is arXiv 2503.24290; "reference script" is playground/orz_7b_ppo.py in its authors' repository. What
the field has added to value-based PPO since is off by default: VC-PPO (arXiv 2503.01491) and VAPO (arXiv
2504.05118).
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from rewards.contracts.settings import Operation, Placement, Settings

Estimator = Literal["gae", "grpo", "rloo", "reinforce_pp"]
KLEstimator = Literal["k1", "k2", "k3"]


class PPOConfig(Settings):
    """The PPO update (paper, section 2.2 and equations 1 to 5)."""

    gamma: float = Field(1.0, ge=0, le=1)
    """Discount factor (paper, section 2.2)."""
    gae_lambda: float = Field(1.0, ge=0, le=1)
    """GAE lambda (paper, section 2.2). With gamma = lambda = 1, the advantage is return minus value."""
    critic_lambda: float | None = Field(None, ge=0, le=1)
    """GAE lambda of the critic's targets, where it differs from the policy's (VC-PPO, section 4.2; VAPO,
    section 4.1: 1.0, the whole return). Unset: gae_lambda, or 1 with adaptive_lambda."""
    adaptive_lambda: float | None = Field(None, gt=0)
    """Lambda of the policy by response length, in place of gae_lambda: 1 - 1 / (this times the tokens), at
    least 0 (VAPO, section 4.2: 0.05, which is lambda 0.9 for 200 tokens and 0.998 for 8,000). Unset: off."""
    critic_warmup_steps: int = Field(0, ge=0)
    """Steps at the beginning of the run that train the critic alone, on the whole returns of the base policy
    (VC-PPO, section 4.1; VAPO, section 5.1: 50). The policy's learning rate schedule begins after them."""
    critic_warmup_variance: float | None = Field(None, gt=0, le=1)
    """Ends that warm-up at the first step whose explained variance reaches this. Unset: all its steps."""
    positive_lm_coef: float = Field(0.0, ge=0)
    """Weight of a language-model loss on right responses: the mean of -log p over their tokens (VAPO, section
    4.3: 0.1). 0: off."""
    mask_truncated: bool = False
    """Leave responses that were cut off at the token limit out of all losses (DAPO, arXiv 2503.14476, section
    3.4: overlong filtering). They still count in the metrics."""
    advantages: Estimator = "gae"
    """Advantage estimator (paper, section 2.2: gae, with a critic). For ablations, without a critic: grpo and
    rloo compare the responses to a prompt; reinforce_pp whitens the rewards of the step."""
    clip_eps: float = Field(0.2, gt=0, lt=1)
    """Clip range of the policy ratio (paper, section 2.2)."""
    clip_eps_high: float | None = Field(None, gt=0)
    """Clip range above 1, for ablations (DAPO, arXiv 2503.14476, section 3.1: 0.28). Unset: clip_eps."""
    entropy_coef: float = Field(0.0, ge=0)
    """Weight of an entropy bonus, for ablations (paper, section 2.2: none)."""
    kl_coef: float = Field(0.0, ge=0)
    """Weight of the KL divergence from the base model, for ablations (paper, section 2.2: none). If it is
    above 0, the base model stays in memory."""
    kl_place: Literal["loss", "reward"] = "loss"
    """Where the KL term enters: added to the loss, or subtracted from the reward of each token."""
    kl_estimator: KLEstimator = "k3"
    """Estimator of the KL per token, see `training.losses.kl_estimate` (Schulman 2020)."""
    max_importance_weight: float | None = Field(None, gt=0)
    """Weight each token by its probability under the policy divided by that under the rollout engine, capped
    at this value: truncated importance sampling (Yao et al. 2025: 2). Unset: off."""
    value_clip_eps: float = Field(0.2, gt=0)
    """Clip range of a value's change from the old value (reference code)."""
    whiten_advantages: bool = True
    """Normalize advantages to zero mean and unit variance over all response tokens of the step (reference
    script: advantage_normalize). Not applied to grpo and rloo."""
    policy_minibatches: int = Field(1, ge=1)
    """Policy updates per step. 1: strictly on-policy (paper, section 2.3); more are for ablations."""
    critic_minibatches: int = Field(12, ge=1)
    """Critic updates per step (paper, section 2.3)."""
    micro_batch_tokens: Operation[int] = Field(16384, ge=1)
    """Tokens per forward pass, with a shared prompt counted once. Changes speed and memory, not the result
    (reference script: packing_max_len)."""
    logprob_chunk_tokens: Operation[int] = Field(1024, ge=1)
    """Tokens whose vocabulary logits are in memory at a time. Changes memory, not the result (ours)."""
    packing: Operation[Literal["auto", "packed", "padded"]] = "auto"
    """packed: all tokens of a micro-batch in one row, without padding, a shared prompt once. padded: a row
    for each response, as long as the longest, through the model's own attention; several times slower. auto:
    packed where the model's architecture is exact that way (`training.selfcheck` measures it), else padded.
    Changes speed and memory, not the result (ours)."""
    early_values: Placement[int] = Field(0, ge=0)
    """Compute critic values during sampling, for this many responses to a prompt at a time, as soon as all of
    them have ended. 0: after the rollout, for all responses. Needs the whole critic on each rank (ZeRO stage
    0 to 2). Changes speed and memory, and values by rounding only (ours)."""

    @model_validator(mode="after")
    def _check_kl(self) -> Self:
        if self.kl_coef and self.kl_place == "loss" and self.kl_estimator == "k1":
            raise ValueError("ppo.kl_estimator: k1 in the loss has no gradient on average; use k2 or k3")
        return self

    @model_validator(mode="after")
    def _check_value_based(self) -> Self:
        value_based = [
            name
            for name in ("critic_lambda", "adaptive_lambda", "critic_warmup_steps", "critic_warmup_variance")
            if getattr(self, name) != type(self).model_fields[name].default
        ]
        if value_based and not self.has_critic:
            raise ValueError(
                f"ppo.{value_based[0]} needs a critic: advantages = {self.advantages!r} has none"
            )
        if self.critic_warmup_variance and not self.critic_warmup_steps:
            raise ValueError("ppo.critic_warmup_variance ends a warm-up: set ppo.critic_warmup_steps as well")
        return self

    @property
    def target_lambda(self) -> float:
        """Lambda of the critic's targets."""
        if self.critic_lambda is not None:
            return self.critic_lambda
        return self.gae_lambda if self.adaptive_lambda is None else 1.0

    @property
    def has_critic(self) -> bool:
        return self.advantages == "gae"
