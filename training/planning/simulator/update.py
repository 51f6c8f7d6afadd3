"""Model of the update on one rank: values, critic and policy passes, and optimizer steps."""

from dataclasses import dataclass, replace

import numpy as np

from training.config import TrainingConfig
from training.planning.plan import prompt_copies
from training.planning.shape import Shape
from training.planning.simulator.machine import Cluster, forward_work


@dataclass(frozen=True, slots=True)
class UpdateWork:
    """One phase of the update on one rank."""

    passes: np.ndarray
    """Work of all forward and backward passes, as `machine.forward_work` counts it: [5]."""
    optimizer: np.ndarray
    """Work of the optimizer, in the same units: [5]."""
    gathered_bytes: float
    """Bytes of weights fetched from other ranks."""
    n_micro: float
    """Number of micro-batches."""


def update_work(
    config: TrainingConfig, n_gpus: int, shape: Shape, width: int, prompts: np.ndarray, lengths: np.ndarray
) -> dict[str, UpdateWork]:
    """Work of one rank for its responses `lengths` [prompts, samples], by phase of training.ppo.

    Values that are computed early (ppo.early_values) are not included.
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
        # A response is not split, so a micro-batch has on average half a response less than its limit.
        room = max(1.0, ppo.micro_batch_tokens - lengths.mean() / 2)
        n_micro = max(1, n_updates) * max(1.0, np.ceil(n_tokens / max(1, n_updates) / room))
        passes = forward_work(shape, width, sequences, n_micro, scored, n_tokens) * n_passes
        moved = n_updates * shape.n_parameters * 2 * states / (n_gpus if config.deepspeed.zero_stage else 1)
        optimizer = np.array([0.0, moved, n_updates * shape.n_layers, n_updates, 0.0])
        gathered = n_micro * n_passes * shape.n_parameters * width * is_sharded
        return UpdateWork(passes, optimizer, gathered, n_micro)

    n_before = (ppo.policy_minibatches > 1) + (ppo.kl_coef > 0)
    policy = work(1 + backward, ppo.policy_minibatches, n_scored)
    # Log-probabilities are recomputed in the backward pass in any case (training.model.Policy).
    logits = shape.n_vocab * n_scored
    head = np.array([2.0 * shape.hidden * logits, 0.0, 0.0, 0.0, logits])
    policy = replace(policy, passes=policy.passes + head * (3 - backward))
    before, values = work(n_before, 0, n_scored), work(ppo.has_critic and not ppo.early_values, 0, None)
    return {
        "forward_s": UpdateWork(
            before.passes + values.passes,
            values.optimizer,
            before.gathered_bytes + values.gathered_bytes,
            values.n_micro,
        ),
        "critic_s": work((1 + backward) * ppo.has_critic, ppo.critic_minibatches * ppo.has_critic, None),
        "policy_s": policy,
    }


def update_seconds(
    config: TrainingConfig, cluster: Cluster, shape: Shape, prompts: np.ndarray, lengths: np.ndarray
) -> list[float]:
    """Seconds of one rank for each phase: values (and old log-probabilities), critic, policy."""
    machine = cluster.machine
    phases = update_work(config, cluster.n_gpus, shape, machine.width, prompts, lengths)
    seconds = []
    for phase in phases.values():
        # Fetching weights overlaps with the arithmetic.
        computing = float(machine.train.seconds(phase.passes))
        passes_s = max(computing, phase.gathered_bytes / machine.link_bytes_s)
        if config.deepspeed.offload_optimizer:
            hideable, visible = offload_seconds(config, cluster, shape, phase)
            seconds.append(max(passes_s, hideable) + visible)
        else:
            seconds.append(passes_s + float(machine.update.seconds(phase.optimizer)))
    return seconds


def offload_seconds(
    config: TrainingConfig, cluster: Cluster, shape: Shape, phase: UpdateWork
) -> tuple[float, float]:
    """Seconds that offloaded optimizer states cost one rank in a phase: those that can overlap with the
    passes, and those that cannot.

    As in DeepSpeed 0.19 (runtime/zero/stage3.py, partition_grads): in every micro-batch the rank's share of
    the gradients, in fp32, goes to the host, and the sum stored there comes back to be added to; the two
    directions overlap. The optimizer step waits for the last of them. On the host it reads gradient, weight
    and both moments and writes the last three; then the new weights come to the device.
    """
    machine = cluster.machine
    share = shape.n_parameters / (cluster.n_gpus if config.deepspeed.zero_stage else 1)
    per_node = min(cluster.n_gpus, cluster.gpus_per_node)
    gradients_s = phase.n_micro * 4 * share / machine.host_link_bytes_s
    stepping_s = (4 * 4 + 3 * 4 + machine.width) * share * per_node / machine.host_memory_bytes_s
    coming_up_s = machine.width * share / machine.host_link_bytes_s
    n_updates = float(phase.optimizer[3])
    return gradients_s * (n_updates > 0), n_updates * (stepping_s + coming_up_s + machine.update.call_s)


def early_values_left(
    config: TrainingConfig,
    cluster: Cluster,
    shape: Shape,
    lengths: np.ndarray,
    prompts: np.ndarray,
    ends: np.ndarray,
) -> np.ndarray:
    """Seconds that each rank still needs for critic values when the rollout ends: [GPUs].

    Values are computed part by part as responses end (`training.rollout.early_values`). A lower bound:
    values and sampling are assumed not to slow each other down.
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
