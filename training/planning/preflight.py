"""Preflight: one step of the largest possible size, through sampling, update and weight sync.

It finds a lack of memory within minutes, not at step 400, when responses have grown. It runs in a separate
process, on a copy of the base model, and nothing of it is kept.
"""

import time
from pathlib import Path

import torch

from rewards.contracts.engine import Sampling
from training.batching import Responses
from training.config import TrainingConfig
from training.ranks import join_ranks
from training.rollout.engine import open_engine
from training.saving.names import checkpoint_weights
from training.selfcheck.check import check_model
from training.train import build_ppo, peak_memory, pool_bytes
from training.vocabulary import Vocabulary


def preflight(
    config: TrainingConfig, base: Path, min_context: int = 0, critic: Path | None = None
) -> dict[str, float]:
    """Run one step at the limits on every rank; returns seconds and peak bytes, the maximum over ranks.

    `critic` is the folder of a trained critic, as for `training.train.train`.
    The engine samples this rank's whole batch at full length; every micro-batch of the update is full.
    """
    ranks = join_ranks(config.deepspeed.timeout_hours)
    rollout, ppo_config = config.rollout, config.ppo
    n_prompt, n_response = rollout.max_prompt_tokens, rollout.max_new_tokens
    context = max(n_prompt + n_response, min_context)
    checked = ranks.of_first(lambda: check_model(base, config, context))
    checked.say(ranks.is_first)
    engine = open_engine(config, base, context, sleeps=True)
    engine.sleep()
    ppo = build_ppo(config, base, ranks, critic, checked.layout, context)
    engine.wake()
    engine.load_weights(checkpoint_weights(ppo.actor, "model."))

    n_vocab = Vocabulary.read(base).n_ids
    generator = torch.Generator().manual_seed(config.seed + ranks.rank)
    n_sampled = rollout.prompts_per_step * rollout.samples_per_prompt // ranks.world * rollout.tensor_parallel
    n_samples = rollout.samples_per_prompt

    def draw(n: int, length: int) -> list[list[int]]:
        return torch.randint(n_vocab, (n, length), generator=generator).tolist()

    clock = time.perf_counter()
    # Without stop strings, most responses reach the limit; an end token still ends some.
    sampling = Sampling(n_response, rollout.temperature, rollout.top_p)
    asked = [prompt for prompt in draw(n_sampled // n_samples, n_prompt) for _ in range(n_samples)]
    engine.generate(asked, list(range(n_sampled)), sampling, n_logprobs=rollout.probe_responses)
    if ppo_config.early_values:  # While the engine still has its memory.
        ppo.values(asked[0], draw(min(ppo_config.early_values, n_samples), n_response))
    engine.sleep()
    seconds = {"rollout_s": time.perf_counter() - clock}

    fitting = max(1, ppo_config.micro_batch_tokens // (n_prompt + n_response))
    n_parts = max(ppo_config.critic_minibatches, ppo_config.policy_minibatches)
    n_rows = -(-fitting * n_parts // n_samples) * n_samples
    # No two rows share a prompt here, since shared prompts take less memory.
    responses = Responses.build(draw(n_rows, n_prompt), draw(n_rows, n_response), ranks.device)
    clock = time.perf_counter()
    ppo.update(1, responses, [float(row % 2) for row in range(n_rows)], [None] * n_rows)
    seconds["update_s"] = time.perf_counter() - clock

    clock = time.perf_counter()
    engine.wake()
    engine.load_weights(checkpoint_weights(ppo.actor, "model."))
    seconds["sync_s"] = time.perf_counter() - clock
    device_bytes = torch.cuda.max_memory_allocated() - pool_bytes(engine) if torch.cuda.is_available() else 0
    found = seconds | {"memory_bytes": float(peak_memory()), "device_memory_bytes": float(device_bytes)}
    largest = {name: ranks.largest(value) for name, value in found.items()}
    engine.close()  # Last: vLLM takes the process group down with it.
    return largest | {"sequence_tokens": n_prompt + n_response, "sampled": n_sampled, "updated": n_rows}
