"""One PPO step, phase by phase, and a whole run of them: seconds, who waits, days and cost.

    found = simulate_run(config, Cluster(32, Machine.of_gpu(400, 2.4, 100)), PAPER["Qwen/Qwen2.5-7B"])

The phases are those of training.train.run_step; responses lie on ranks and engines as `sample` lays them.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl

from training.config import TrainingConfig
from training.plan import GIB, Shape, find_shape, prompt_copies, training_parts
from training.rollout.limits import GPU_SEQUENCES
from training.simulator.decoding import decode, decode_wave
from training.simulator.lengths import Lengths
from training.simulator.machine import Machine, decode_work, forward_work, prefill_work

Sharing = Literal["none", "groups", "responses"]
N_KNOTS = 12
"""Steps that are simulated of a run; the rest lie between."""
TAIL = 0.9
"""The tail of a rollout begins when this share of the responses has ended."""


@dataclass(frozen=True, slots=True)
class Cluster:
    n_gpus: int
    machine: Machine
    gpu_gib: float = 80.0
    gpus_per_node: int = 8
    max_sequences: int = GPU_SEQUENCES
    """Responses that grow in one engine at once."""


@dataclass(frozen=True, slots=True)
class Step:
    """One simulated step. Shares are of the step's time on all devices."""

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
    """Share in which a device waits for a slower one."""
    tail: float
    """Share of the rollout that is left when 90 % of the responses have ended."""
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
) -> Step:
    """Simulate a step whose responses have `lengths` [prompts, samples], to prompts of `prompts` tokens.

    `sharing` says what ranks exchange before the update: groups, the responses to one prompt
    (`training.balance`, what is done); none; or single responses, which would make all ranks equal.
    """
    if len(lengths) % cluster.n_gpus:
        raise ValueError(f"{len(lengths)} prompts a step cannot be dealt evenly to {cluster.n_gpus} GPUs")
    shape, machine = find_shape(config), cluster.machine
    ends = rollout_ends(config, cluster, shape, lengths, prompts)
    rollout_s = float(ends.max())
    # Ranks as `sample` deals: prompt by prompt in turn, all responses of one together.
    owners = np.arange(len(lengths)) % cluster.n_gpus
    reward_s = lengths.size / cluster.n_gpus * machine.reward_s
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
    # Every rank rebuilds the whole policy from the others' shards, then writes it into its engine.
    weights = shape.n_parameters * machine.width
    sync_s = weights / machine.link_bytes_s + 2 * weights * machine.copy_byte_s + machine.step_s
    step_s = rollout_s + reward_s + forward_s + critic_s + policy_s + sync_s
    idle = (rollout_s - ends.max(1)).mean() + (phases.max(0) - phases.mean(0)).sum()
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
        tail=1 - float(in_order[int(TAIL * (ends.size - 1))]) / rollout_s,
        tokens_per_s=float(lengths.sum()) / rollout_s,
    )


def rollout_ends(
    config: TrainingConfig, cluster: Cluster, shape: Shape, lengths: np.ndarray, prompts: np.ndarray
) -> np.ndarray:
    """When each response ends, in seconds of its engine: [engines, responses of one]."""
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
        # Steps of a wave become cheaper as it goes on; for the end of each response their mean will do.
        return prefill_s[:, None] + seconds[:, None] * requests / requests.max(1, keepdims=True)
    fixed, row, context = machine.decode.seconds(work).tolist()
    exchange = 2 * shape.n_layers * machine.exchange_s * (shared > 1)
    weights = shape.n_parameters * machine.width / shared
    free = rollout.gpu_memory_utilization * cluster.gpu_gib * GIB - weights
    kv_tokens = free * shared / (2 * machine.width * shape.n_layers * shape.n_kv_heads * shape.head_dim)
    if kv_tokens <= 0:
        raise ValueError(f"the weights leave no room for a key-value cache in {cluster.gpu_gib:g} GiB")
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


def early_values_left(
    config: TrainingConfig,
    cluster: Cluster,
    shape: Shape,
    lengths: np.ndarray,
    prompts: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Seconds that each rank still needs for the critic's values when the rollout ends: [GPUs].

    Part by part as responses end (`training.rollout.early_values`); at best, as if neither values nor
    sampling slowed the other down.
    """
    machine, shared, size = cluster.machine, config.rollout.tensor_parallel, config.ppo.early_values
    n_engines, n_samples = cluster.n_gpus // shared, lengths.shape[1]
    finished = []
    for rank in range(cluster.n_gpus):
        engine, member = divmod(rank, shared)
        own = list(range(engine, len(lengths), n_engines))
        ended = ends[engine].reshape(len(own), n_samples)
        parts = []
        for place in range(member, len(own), shared):
            for start in range(0, n_samples, size):
                mine, asked = lengths[own[place], start : start + size], prompts[own[place]]
                n_tokens = float(asked + mine.sum())
                n_micro = np.ceil(n_tokens / config.ppo.micro_batch_tokens)
                work = forward_work(shape, machine.width, mine + asked, n_micro, None, n_tokens)
                parts.append((ended[place, start : start + size].max(), float(machine.train.seconds(work))))
        clock = 0.0
        for ready, seconds in sorted(parts):
            clock = max(clock, ready) + seconds
        finished.append(clock)
    return np.maximum(0.0, np.array(finished) - ends.max())


@dataclass(frozen=True, slots=True)
class UpdateWork:
    """One phase of the update on one rank."""

    passes: np.ndarray
    """Of all forward and backward passes, as `machine.forward_work` counts: [4]."""
    optimizer: np.ndarray
    """Of the optimizer, in the same units: [4]."""
    gathered_bytes: float
    """Weights fetched from other ranks."""


def update_work(
    config: TrainingConfig, n_gpus: int, shape: Shape, width: int, prompts: np.ndarray, lengths: np.ndarray
) -> dict[str, UpdateWork]:
    """What one rank does for its responses `lengths` [prompts, samples], by phase of training.ppo.

    Values that are made early (ppo.early_values) are no part of it.
    """
    ppo, n_samples = config.ppo, lengths.shape[1]
    sequences = (lengths + prompts[:, None]).ravel()
    n_scored = float(lengths.sum())
    backward = 3 if config.deepspeed.gradient_checkpointing else 2
    is_sharded = config.deepspeed.zero_stage == 3 and n_gpus > 1
    states = 12 + 4 if width == 2 else 8 + 8

    def work(n_passes: float, n_updates: int, scored: float | None) -> UpdateWork:
        copies = prompt_copies(n_samples, max(n_updates, 1), lengths.sum(1), ppo.micro_batch_tokens)
        n_tokens = float((copies * prompts).sum()) + n_scored
        # A response is not cut, so half of one on average finds no room in a micro-batch.
        room = max(1.0, ppo.micro_batch_tokens - lengths.mean() / 2)
        n_micro = max(1, n_updates) * max(1.0, np.ceil(n_tokens / max(1, n_updates) / room))
        passes = forward_work(shape, width, sequences, n_micro, scored, n_tokens) * n_passes
        moved = n_updates * shape.n_parameters * 2 * states / (n_gpus if config.deepspeed.zero_stage else 1)
        optimizer = np.array([0.0, moved, n_updates * shape.n_layers, n_updates])
        gathered = n_micro * n_passes * shape.n_parameters * width * is_sharded
        return UpdateWork(passes, optimizer, gathered)

    n_before = (ppo.policy_minibatches > 1) + (ppo.kl_coef > 0)
    before, values = work(n_before, 0, n_scored), work(ppo.has_critic and not ppo.early_values, 0, None)
    return {
        "forward_s": UpdateWork(
            before.passes + values.passes, values.optimizer, before.gathered_bytes + values.gathered_bytes
        ),
        "critic_s": work((1 + backward) * ppo.has_critic, ppo.critic_minibatches * ppo.has_critic, None),
        "policy_s": work(1 + backward, ppo.policy_minibatches, n_scored),
    }


def update_seconds(
    config: TrainingConfig, cluster: Cluster, shape: Shape, prompts: np.ndarray, lengths: np.ndarray
) -> list[float]:
    """Seconds of one rank: values (and old log-probabilities), critic, policy."""
    machine = cluster.machine
    phases = update_work(config, cluster.n_gpus, shape, machine.width, prompts, lengths)
    # Fetching weights hides behind the arithmetic as long as that lasts.
    return [
        max(float(machine.train.seconds(phase.passes)), phase.gathered_bytes / machine.link_bytes_s)
        + float(machine.update.seconds(phase.optimizer))
        for phase in phases.values()
    ]


@dataclass(frozen=True, slots=True)
class Run:
    """A simulated run."""

    steps: list[Step]
    """The steps that were simulated, evenly spread."""
    days: float
    cost: float
    """GPU hours times their price."""
    memory_gib: float
    """Peak of training per GPU, from the plan."""

    def table(self) -> pl.DataFrame:
        return pl.DataFrame([asdict(step) for step in self.steps])

    def mean(self, name: str) -> float:
        """Mean of a column over the simulated steps; of `waiting` over their time."""
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
) -> Run:
    """Simulate `n_knots` steps of the run `config` describes, and add the run up from them.

    `n_prompt_tokens` is the mean length of a prompt. ValueError for a layout the cluster cannot hold.
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
        )
        for step in knots
    ]
    everything = np.interp(np.arange(1, config.total_steps + 1), knots, [step.step_s for step in steps]).sum()
    memory = sum(size for _, size, _ in training_parts(config, shape, cluster.n_gpus)) / GIB
    hours = float(everything) / 3600
    return Run(steps, hours / 24, hours * cluster.n_gpus * gpu_hour_cost, memory)
