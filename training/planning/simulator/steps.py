"""Simulation of one PPO step, phase by phase, and of a whole run: seconds, idle time, days and cost.

    found = simulate_run(config, Cluster(32, Machine.of_gpu(320, 2.4, 100)), PAPER["Qwen/Qwen2.5-7B"])

The phases are those of training.train.run_step; responses are assigned to ranks and engines as in
training.rollout.batches.Rollouts.sample.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl

from training.config import TrainingConfig
from training.planning.plan import GIB, make_plan
from training.planning.shape import Shape, find_shape
from training.planning.simulator.decoding import decode, decode_wave
from training.planning.simulator.lengths import Lengths
from training.planning.simulator.machine import Cluster, decode_work, prefill_work
from training.planning.simulator.update import early_values_left, update_seconds

Sharing = Literal["none", "groups", "responses"]
N_KNOTS = 12
"""Number of steps of a run that are simulated; the others are interpolated."""
AGREEING = 0.4
"""Share of prompts whose responses all agree, so that dynamic sampling replaces them (assumed)."""
TAIL = 0.9
"""The tail of a rollout begins when this share of the responses has ended."""


@dataclass(frozen=True, slots=True)
class Step:
    """One simulated step. Shares refer to the step's time on all devices."""

    step: int
    response_tokens: float
    truncated: float
    rollout_s: float
    reward_s: float
    forward_s: float
    critic_s: float
    policy_s: float
    sync_s: float
    step_s: float
    waiting: float
    """Share of time in which a device waits for a slower one."""
    tail: float
    """Share of the rollout's time that is left when 90% of the responses have ended."""
    tokens_per_s: float
    """Response tokens per second of rollout, all engines together."""


def simulate_step(
    config: TrainingConfig,
    cluster: Cluster,
    lengths: np.ndarray,
    prompts: np.ndarray,
    step: int = 1,
    *,
    sharing: Sharing = "groups",
    agreeing: float = AGREEING,
) -> Step:
    """Simulate a step with responses of `lengths` [prompts, samples] tokens to prompts of `prompts` tokens.

    `sharing` is what ranks exchange before the update: "groups", all responses to a prompt together, as
    `training.balance` does; "none"; or single "responses", which would give all ranks equal work. `agreeing`
    is the share of prompts that dynamic sampling replaces in each of its rounds.
    """
    if len(lengths) % cluster.n_gpus:
        raise ValueError(
            f"{len(lengths)} prompts per step cannot be split evenly among {cluster.n_gpus} GPUs"
        )
    shape, machine = find_shape(config), cluster.machine
    ends = rollout_ends(config, cluster, shape, lengths, prompts)
    again_s, n_again = resampled(config, cluster, shape, lengths, prompts, agreeing)
    rollout_s = float(ends.max()) + again_s
    # As in `Rollouts.sample`: prompts go to ranks in turn, each with all its responses.
    owners = np.arange(len(lengths)) % cluster.n_gpus
    reward_s = (lengths.size + n_again) / cluster.n_gpus * machine.reward_s
    if sharing == "groups":
        from training.balance import assign

        owners = np.array(assign((prompts + lengths.sum(1)).tolist(), cluster.n_gpus))
    ranks = [lengths[owners == rank] for rank in range(cluster.n_gpus)]
    asked = [prompts[owners == rank] for rank in range(cluster.n_gpus)]
    phases = np.array(
        [update_seconds(config, cluster, shape, p, rank) for p, rank in zip(asked, ranks, strict=True)]
    )
    if sharing == "responses":
        phases = np.broadcast_to(phases.mean(0), phases.shape)
    if config.ppo.early_values:
        left = early_values_left(config, cluster, shape, lengths, prompts, ends)
        phases = phases + np.stack([left, 0 * left, 0 * left], axis=1)
    forward_s, critic_s, policy_s = (float(s) for s in phases.max(0))
    # Every rank gathers the whole policy from the others' shards, then writes it into its engine.
    weights = shape.n_parameters * machine.width
    sync_s = weights / machine.link_bytes_s + 2 * weights * machine.copy_byte_s + machine.step_s
    step_s = rollout_s + reward_s + forward_s + critic_s + policy_s + sync_s
    idle = (ends.max() - ends.max(1)).mean() + (phases.max(0) - phases.mean(0)).sum()
    in_order = np.sort(ends.ravel())
    return Step(
        step,
        float(lengths.mean()),
        float((lengths >= config.rollout.max_new_tokens).mean()),
        rollout_s,
        reward_s,
        forward_s,
        critic_s,
        policy_s,
        sync_s,
        step_s,
        waiting=float(idle) / step_s,
        tail=1 - float(in_order[int(TAIL * (ends.size - 1))] / ends.max()),
        tokens_per_s=float(lengths.sum()) / rollout_s,
    )


def resampled(
    config: TrainingConfig,
    cluster: Cluster,
    shape: Shape,
    lengths: np.ndarray,
    prompts: np.ndarray,
    agreeing: float,
) -> tuple[float, int]:
    """Seconds of the rounds of dynamic sampling after the first, and how many responses they sample."""
    seconds, n_responses, left = 0.0, 0, float(len(lengths))
    for _ in range(config.rollout.resample_rounds):
        left *= agreeing
        # Every engine has some of them: as many prompts as engines at least.
        n_prompts = -(-round(left) // cluster.n_gpus) * cluster.n_gpus
        if not n_prompts:
            break
        seconds += float(rollout_ends(config, cluster, shape, lengths[:n_prompts], prompts[:n_prompts]).max())
        n_responses += round(left) * lengths.shape[1]
    return seconds, n_responses


def rollout_ends(
    config: TrainingConfig, cluster: Cluster, shape: Shape, lengths: np.ndarray, prompts: np.ndarray
) -> np.ndarray:
    """When each response ends, in seconds since its engine started: [engines, responses per engine]."""
    machine, rollout = cluster.machine, config.rollout
    shared = rollout.tensor_parallel
    n_engines = cluster.n_gpus // shared
    own = np.stack([lengths[engine::n_engines] for engine in range(n_engines)])
    asked = np.stack([prompts[engine::n_engines] for engine in range(n_engines)])
    n_samples = lengths.shape[1]
    requests, repeated = own.reshape(n_engines, -1), np.repeat(asked, n_samples, axis=1)
    prefill = prefill_work(shape, machine.width, asked) / shared
    prefill_s = machine.decode.seconds(prefill)
    work = decode_work(shape, machine.width, shared)
    if rollout.engine == "torch":
        limit = rollout.max_new_tokens
        waves = [decode_wave(p, r, limit) for p, r in zip(repeated, requests, strict=True)]
        seconds = machine.decode.seconds(np.array(waves) @ work)
        # Steps of a wave get cheaper as it goes on; for the end of each response their mean is enough.
        return prefill_s[:, None] + seconds[:, None] * requests / requests.max(1, keepdims=True)
    fixed, row, context = machine.decode.seconds(work).tolist()
    row += machine.stop_token_s * bool(rollout.stop)
    exchange = 2 * shape.n_layers * machine.exchange_s * (shared > 1)
    weights = shape.n_parameters * machine.width / shared
    free = rollout.gpu_memory_utilization * cluster.gpu_gib * GIB - weights
    kv_tokens = free * shared / (2 * machine.width * shape.n_layers * shape.n_kv_heads * shape.head_dim)
    if kv_tokens <= 0:
        raise ValueError(f"the weights leave no room for a KV cache in {cluster.gpu_gib:g} GiB")
    fresh = np.arange(requests.shape[1]) % n_samples == 0
    ends = [
        decode(
            own_prompts,
            own_lengths,
            fresh,
            rows=cluster.max_sequences,
            kv_tokens=kv_tokens,
            step=(fixed + exchange, row, context),
            prefill_token_s=float(prefill_s.sum() / asked.sum()),
        )
        for own_prompts, own_lengths in zip(repeated, requests, strict=True)
    ]
    return np.stack(ends)


@dataclass(frozen=True, slots=True)
class Run:
    """A simulated run."""

    steps: list[Step]
    """The simulated steps, evenly spaced."""
    days: float
    cost: float
    """GPU hours times the price of one."""
    memory_gib: float
    """Peak memory per GPU, from the plan."""

    def table(self) -> pl.DataFrame:
        return pl.DataFrame([asdict(step) for step in self.steps])

    def mean(self, name: str) -> float:
        """Mean of a column over the simulated steps; for `waiting`, weighted by their time."""
        steps = self.table()
        weights = steps["step_s"].to_numpy() if name == "waiting" else None
        return float(np.average(steps[name].to_numpy(), weights=weights))


def simulate_run(
    config: TrainingConfig,
    cluster: Cluster,
    lengths: Lengths,
    *,
    n_prompt_tokens: float = 256.0,
    gpu_hour_cost: float = 0.0,
    n_knots: int = N_KNOTS,
    sharing: Sharing = "groups",
    agreeing: float = AGREEING,
) -> Run:
    """Simulate `n_knots` steps of the run that `config` describes, and interpolate the whole run from them.

    `n_prompt_tokens` is the mean length of a prompt. The critic's warm-up updates no policy. ValueError for a
    layout that does not fit the cluster.
    """
    rollout = config.rollout
    if cluster.n_gpus % rollout.tensor_parallel:
        raise ValueError(
            f"{cluster.n_gpus} GPUs cannot be split into engines of {rollout.tensor_parallel} "
            "(training.rollout.tensor_parallel)"
        )
    shape = find_shape(config)
    knots = np.unique(np.linspace(1, config.total_steps, n_knots).round().astype(int))
    batch = rollout.prompts_per_step, rollout.samples_per_prompt
    prompts = np.full(rollout.prompts_per_step, round(n_prompt_tokens))
    steps = [
        simulate_step(
            config,
            cluster,
            lengths.sample(step, *batch, rollout.max_new_tokens, config.seed),
            prompts,
            int(step),
            sharing=sharing,
            agreeing=agreeing,
        )
        for step in knots
    ]
    numbers = np.arange(1, config.total_steps + 1)
    everything = np.interp(numbers, knots, [step.step_s for step in steps]).sum()
    warmup = numbers[: config.ppo.critic_warmup_steps]
    everything -= np.interp(warmup, knots, [step.policy_s for step in steps]).sum()
    memory = make_plan(config, n_gpus=cluster.n_gpus, gpu_gib=cluster.gpu_gib, shape=shape).peak_gib
    hours = float(everything) / 3600
    return Run(steps, hours / 24, hours * cluster.n_gpus * gpu_hour_cost, memory)
