"""Measure rollout vs. bare LLM.generate, the update's MFU at 8k tokens, weight sync, and memory vs. plan."""

import json
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.gpu.setting import SHAPES, TINY, Job, make_config, make_model, read_job, timed
from rewards.contracts.engine import Sampling
from training.batching import Responses
from training.config import TrainingConfig
from training.planning.plan import GIB, training_parts
from training.planning.shape import Shape, find_shape
from training.ranks import join_ranks
from training.rollout.batches import Rollouts
from training.rollout.engine import open_engine
from training.train import build_ppo

N_PROMPT = 256


def main() -> None:
    job = read_job()
    size = job.part.removeprefix("speed-")
    config, model, n_requests, n_tokens = settings(job, size)
    job.note(matmul_tflops=matmul_tflops(job))
    ranks = join_ranks()
    engine = open_engine(
        config, model, config.rollout.max_prompt_tokens + config.rollout.max_new_tokens, sleeps=True
    )
    rollout(job, engine, n_requests, n_tokens)
    rollouts = Rollouts(config, engine, ranks)
    _, sleep_s = timed(engine.sleep)
    job.note(sleep_s=sleep_s)
    # torch still counts the sleeping engine's pool as allocated, although no memory backs it.
    asleep = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
    ppo = build_ppo(config, model, ranks)
    update(job, config, ppo, asleep)
    for name in ("first", "second"):
        _, sync_s = timed(lambda: rollouts.sync(ppo.actor))
        job.note(**{f"{name} sync_s": sync_s})
        engine.sleep()
    rollouts.close()
    engine.close()


def settings(job: Job, size: str) -> tuple[TrainingConfig, Path, int, int]:
    """Configuration, model folder, number of rollout requests, tokens per request."""
    n_new, micro = (96, 512) if job.small else (8000, 16384)
    shape = (TINY if job.small else SHAPES)[size]
    model = make_model(shape, N_PROMPT + n_new, job.folder / "model")
    config = make_config(
        job,
        {"path": str(model)},
        rollout={
            "prompts_per_step": 2,
            "samples_per_prompt": 4,
            "max_prompt_tokens": N_PROMPT,
            "max_new_tokens": n_new,
            "kv_cache_gib": 0.25,
            "gpu_memory_utilization": 0.35,
            "probe_responses": 0,
        },
        ppo={"critic_minibatches": 1, "micro_batch_tokens": micro},
        actor={"lr": 0.0},
        critic={"lr": 0.0},
    )
    return config, model, *((16, 24) if job.small else (512, 1024))


def matmul_tflops(job: Job) -> float:
    """What the GPU reaches on one large matrix product in the training precision, the reference for MFU."""
    n = 512 if job.small else 8192
    kind = {"device": "cpu"} if job.small else {"device": "cuda", "dtype": torch.bfloat16}
    a, b = torch.randn(n, n, **kind), torch.randn(n, n, **kind)
    times = [timed(lambda: a @ b)[1] for _ in range(12)]
    return 2 * n**3 / statistics.median(times[2:]) / 1e12


def rollout(job: Job, engine: Any, n_requests: int, n_tokens: int) -> None:
    """Tokens per second of our generate and of a bare LLM.generate in the same engine."""
    generator = torch.Generator().manual_seed(0)
    prompts = torch.randint(8, 40, (n_requests, 64), generator=generator).tolist()
    rates = beside_bare(engine, prompts, Sampling(n_tokens), n_logprobs=16, n_turns=3)
    ours, theirs = (statistics.median(rates[name][1:]) for name in ("ours", "bare"))
    job.note(rollout_tokens_per_s=ours, bare_tokens_per_s=theirs, rollout_ratio=ours / theirs, turns=rates)


def beside_bare(
    engine: Any, prompts: list[list[int]], sampling: Sampling, *, n_logprobs: int, n_turns: int
) -> dict[str, list[float]]:
    """Tokens per second, in turns: ours, with a seed for each response and log-probabilities of some; vLLM's
    own generate with the same sampling; and the latter with our seeds."""
    from vllm import SamplingParams

    inputs = [{"prompt_token_ids": prompt} for prompt in prompts]
    rates: dict[str, list[float]] = {"ours": [], "bare": [], "bare, seeded": []}
    for turn in range(n_turns):
        seeds = [turn * len(prompts) + i for i in range(len(prompts))]
        bare, *seeded = (
            SamplingParams(
                max_tokens=sampling.max_new_tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=seed,
                stop=list(sampling.stop),
                include_stop_str_in_output=True,
                detokenize=bool(sampling.stop),
            )
            for seed in (None, *seeds)
        )

        def ask(params: Any) -> int:
            found = engine.llm.generate(inputs, params, use_tqdm=False)
            return sum(len(output.outputs[0].token_ids) for output in found)

        def ours(seeds: list[int] = seeds) -> int:
            found = engine.generate(prompts, seeds, sampling, n_logprobs=n_logprobs)
            return sum(len(completion.tokens) for completion in found)

        ways: dict[str, Callable[[], int]] = {
            "ours": ours,
            "bare": partial(ask, bare),
            "bare, seeded": partial(ask, seeded),
        }
        for name, work in ways.items():
            engine.llm.reset_prefix_cache()
            n_tokens, seconds = timed(work)
            rates[name].append(n_tokens / seconds)
    return rates


def update(job: Job, config: TrainingConfig, ppo, asleep: int) -> None:
    """Time and memory of a PPO update on full-length responses; the second update is timed."""
    n, n_new = 8, config.rollout.max_new_tokens
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(8, 40, (n, N_PROMPT + n_new), generator=generator).tolist()
    prompts, answers = [row[:N_PROMPT] for row in tokens], [row[N_PROMPT:] for row in tokens]
    rewards = [float(row % 2) for row in range(n)]

    def run(step: int):
        responses = Responses.build(prompts, answers, ppo.ranks.device)
        return ppo.update(step, responses, rewards, [None] * n)

    run(1)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    (_, phases), seconds = timed(lambda: run(2))
    shape = find_shape(config)
    work = useful_flops(shape, n, N_PROMPT, n_new)
    peak = torch.cuda.max_memory_allocated() - asleep if torch.cuda.is_available() else 0
    parts = {name: size / GIB for name, size, _ in training_parts(config, shape, 1)}
    planned = sum(parts.values())
    figures = {"update_s": seconds, "phases": phases, "useful_tflops": work / seconds / 1e12}
    figures["mfu_of_matmul"] = figures["useful_tflops"] / measured(job)
    figures |= {"peak_gib": peak / GIB, "planned_gib": planned, "planned_parts": parts}
    if peak:
        figures["plan_error"] = planned / (peak / GIB) - 1
    job.note(**figures)


def measured(job: Job) -> float:
    return json.loads((job.folder / "figures.json").read_text())["matmul_tflops"]


def useful_flops(shape: Shape, n: int, n_prompt: int, n_new: int) -> float:
    """FLOPs of forward and backward of policy and critic, and of the values before: 3 + 3 + 1 passes over `n`
    responses to `n` prompts. Recomputed activations do not count as useful work."""
    length = n_prompt + n_new
    policy, critic = (shape.forward_flops(n * length, n * length**2, scored) for scored in (n * n_new, None))
    return 3 * policy + 4 * critic


if __name__ == "__main__":
    main()
