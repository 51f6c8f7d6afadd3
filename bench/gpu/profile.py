"""Profile a step: the time of its phases, and the kernels of one rollout and one update."""

import torch
from torch.profiler import ProfilerActivity, profile

from bench.gpu.setting import SHAPES, TINY, make_config, make_model, read_job, timed
from rewards.contracts.engine import Sampling
from training.batching import Responses
from training.ranks import join_ranks
from training.rollout.batches import Rollouts
from training.rollout.early_values import EarlyValues
from training.rollout.engine import open_engine
from training.train import build_ppo

EARLY = 4
"""Responses whose values are computed together during sampling (training.ppo.early_values)."""


def main() -> None:
    job = read_job()
    n_new, n_samples = (32, 4) if job.small else (1024, 16)
    model = make_model((TINY if job.small else SHAPES)["0.5b"], 128 + n_new, job.folder / "model")
    config = make_config(
        job,
        {"path": str(model)},
        rollout={
            "prompts_per_step": 8,
            "samples_per_prompt": n_samples,
            "max_prompt_tokens": 128,
            "max_new_tokens": n_new,
            "kv_cache_gib": 0.25,
            "gpu_memory_utilization": 0.35,
        },
        ppo={"critic_minibatches": 4},
    )
    ranks = join_ranks()
    engine = open_engine(config, model, 128 + n_new, sleeps=True)
    engine.sleep()
    ppo = build_ppo(config, model, ranks)
    rollouts = Rollouts(config, engine, ranks)
    rollouts.sync(ppo.actor)
    prompts = [engine.encode("a" * 32)] * (8 * n_samples)
    seconds = {}

    def sample():
        return engine.generate(prompts, list(range(len(prompts))), Sampling(n_new), n_logprobs=4)

    def update(found):
        responses = Responses.build(prompts, [c.tokens for c in found], ranks.device)
        return ppo.update(1, responses, [float(i % 2) for i in range(len(found))], [None] * len(found))

    update(sample())  # Compilation and first calls are not part of a step's cost.
    found, seconds["rollout_s"] = timed(sample)
    _, seconds["sleep_s"] = timed(engine.sleep)
    (_, phases), seconds["update_s"] = timed(lambda: update(found))
    _, seconds["sync_s"] = timed(lambda: rollouts.sync(ppo.actor))
    job.note(**seconds, phases=phases, n_tokens=sum(len(c.tokens) for c in found))
    early = EarlyValues(n_samples, EARLY, ppo.values)

    def sample_and_value():
        def add(index, completion):
            early.add(index, prompts[index], completion.tokens)

        engine.generate(prompts, list(range(len(prompts))), Sampling(n_new), on_completion=add)
        return early.take(range(len(prompts)))

    sample_and_value()
    _, alone_s = timed(lambda: [ppo.values(prompts[0], [c.tokens for c in found[:n_samples]])])
    job.note(rollout_with_values_s=timed(sample_and_value)[1], values_s=alone_s * len(prompts) / n_samples)
    early.close()
    for name, work in (("rollout", sample), ("update", lambda: update(found))):
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities) as recorded:
            timed(work)
        column = "self_device_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        table = recorded.key_averages().table(sort_by=column, row_limit=40, max_name_column_width=60)
        (job.folder / f"{name}.txt").write_text(table)
    rollouts.close()
    engine.close()


if __name__ == "__main__":
    main()
