"""The PPO loop: sample, score, update, sync the weights; the same code on one CPU and on many GPUs.

Started on every rank by the launcher (`pipelines.jobs.worker`). If it is killed at any point and started
again with the same arguments, it continues from the newest checkpoint and ends with the same metrics and
weights.
"""

import logging
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import torch
from transformers import AutoTokenizer

from rewards.contracts.engine import Engine
from rewards.contracts.records import METRIC
from rewards.shaping import deal_out, shaped_reward
from training.batching import Responses
from training.config import TrainingConfig
from training.data import Prompt, load_prompts, select_rows
from training.engines import build_engine, build_frozen, sharded_loading
from training.measures import ReadTexts, response_metrics, rollout_rows
from training.model import Policy, load_critic, load_policy, recompute_activations
from training.packed.packing import PACKED, Layout
from training.phases import CriticWarmup, hard_prompts
from training.ppo import PPO
from training.probe import mismatch_limit
from training.rails import AFTER_UPDATE, BEFORE_UPDATE, Rails, Stopped
from training.ranks import Ranks, join_ranks
from training.recorder import Recorder
from training.rollout.batches import Batch, Rollouts
from training.rollout.engine import RolloutEngine, open_engine
from training.rollout.proof import prove
from training.saving.checkpoints import Saver, load_state
from training.saving.exports import export_models
from training.saving.segments import begin_segment
from training.saving.steps import drop_later, keep_exports, step_folder
from training.selfcheck.check import check_model

logger = logging.getLogger(__name__)

Evaluate = Callable[[Engine, int, tuple[int, int]], Mapping[str, tuple[float, int]]]
"""(engine, step, (index, number of shares)) -> total and count by measure.

Evaluates the engine after a step on one share of the questions; totals and counts are then added up over all
shares."""


def train(
    config: TrainingConfig,
    prompts: pl.DataFrame,
    base: Path,
    out: Path,
    *,
    tensorboard: Path | None = None,
    on_step: Callable[[int, dict], None] | None = None,
    read_texts: ReadTexts | None = None,
    evaluate: Evaluate | None = None,
    min_context: int = 0,
    critic: Path | None = None,
    described: Mapping[str, Any] | None = None,
) -> None:
    """Run PPO from the model in `base` on a compiled prompt set (rewards.contracts.records.COMPILED_REWARD).

    Writes to `out`: prompts.parquet (the training prompts), rejects.parquet, metrics.jsonl, timings.jsonl,
    evaluations.jsonl, rollouts/, exports/step-*/{actor,critic}, and state/ with the resumable checkpoints.
    `on_step` is called on the first rank after each step. The caller provides `read_texts` and `evaluate`;
    evaluations may need a context of `min_context` tokens. `critic` is the folder of a trained critic; if it
    is None, the critic is `base` with a zero value head. `described` is what the steps of this start are made
    with, for segments.json (`training.saving.segments`). Raises training.rails.Stopped when a guardrail ends
    the run.
    """
    ranks = join_ranks(config.deepspeed.timeout_hours)
    torch.manual_seed(config.seed)
    # vLLM before the DeepSpeed engines: it takes its share of the GPU memory that is free.
    context = max(config.rollout.max_prompt_tokens + config.rollout.max_new_tokens, min_context)
    checked = ranks.of_first(lambda: check_model(base, config, context))
    checked.say(ranks.is_first)
    engine = open_engine(config, base, context, sleeps=not config.rollout.lag)
    engine.sleep()
    ppo = build_ppo(config, base, ranks, critic, checked.layout, context)
    done = load_state(out / "state", ppo.engines, ranks)
    rollouts = Rollouts(config, engine, ranks, ppo.values if config.ppo.early_values else None)
    rollouts.sync(ppo.actor)
    if config.rollout.engine == "vllm":
        limit, temperature = mismatch_limit(config), config.rollout.temperature
        prove(engine, lambda *rows: ppo.actor(*rows)[0], limit, ranks.device, temperature)
    if done:
        logger.info("resumed step=%d", done)
        rollouts.restore(out / "state", done)
    saver = Saver(out / "state", config.keep_checkpoints, ranks, config.deepspeed.timeout_hours)
    segment = 0
    if ranks.is_first:
        drop_later(out, done)
        if described is not None:
            segment = begin_segment(out, done, described, ranks.world)
    ranks.barrier()  # No rank writes what the first one may still delete.
    chosen, too_long = load_prompts(
        select_rows(prompts, "train", config.sources, config.subjects),
        config.prompt,
        engine.encode,
        config.rollout.max_prompt_tokens,
    )
    recorder = Recorder(out, tensorboard, done, ranks.rank, config.tracker)
    recorder.prompts([prompt.problem_id for prompt in chosen], too_long)
    rails = Rails(config.rails, recorder.history)
    warmup = CriticWarmup(config.ppo, recorder.history)
    for step in range(done + 1, config.total_steps + 1):
        if config.n_steps and config.anneal.n_steps and step == max(done, config.n_steps) + 1:
            ranks.barrier()  # The other ranks' rollouts must be on disk.
            chosen = hard_prompts(out / "rollouts", config.n_steps, chosen, config.anneal.hard_below)
        metrics, stops = run_step(
            config, step, chosen, rollouts, ppo, recorder, rails, ranks, read_texts, segment, warmup
        )
        if ranks.is_first and on_step is not None:
            on_step(step, metrics)
        if evaluate is not None and config.eval_every and step % config.eval_every == 0:
            recorder.evaluation(step, run_evaluation(evaluate, engine, step, config, ranks))
        is_last = step == config.total_steps
        if step % config.save_every == 0 or is_last:
            export_models(step_folder(out / "exports", step), base, ppo.engines, ranks, critic)
            if ranks.is_first:
                keep_exports(out / "exports", recorder.history, config.keep_best)
        if step % config.save_every == 0 or is_last or stops:
            rollouts.save(out / "state", step)
            saver.save(step, ppo.engines)
        if stops and not is_last:
            saver.close()
            raise Stopped("; ".join(stops))
    saver.close()
    recorder.close()
    rollouts.close()
    engine.close()


def build_ppo(
    config: TrainingConfig,
    base: Path,
    ranks: Ranks,
    trained_critic: Path | None = None,
    layout: Layout = PACKED,
    context_tokens: int | None = None,
) -> PPO:
    """Load actor and critic into DeepSpeed engines, both from `base` unless a trained critic is given.

    `layout` is what the model's check found; the engine was opened for `context_tokens`.
    """
    precision = config.deepspeed.precision

    def policy() -> Policy:
        chunk, temperature = config.ppo.logprob_chunk_tokens, config.rollout.temperature
        return load_policy(base, precision, temperature, chunk, layout, context_tokens)

    with sharded_loading(config.deepspeed):
        actor = policy()
        critic = None
        if config.ppo.has_critic:
            critic = load_critic(trained_critic or base, precision, layout, context_tokens)
        reference = policy() if config.ppo.kl_coef else None
    if config.deepspeed.gradient_checkpointing:
        recompute_activations(actor.model)
        if critic is not None:
            recompute_activations(critic.backbone)
    return PPO(
        build_engine(actor, config.actor, config.deepspeed),
        None if critic is None else build_engine(critic, config.critic, config.deepspeed),
        config,
        AutoTokenizer.from_pretrained(base).pad_token_id or 0,
        ranks,
        None if reference is None else build_frozen(reference, config.deepspeed, ranks.device),
        layout.is_packed,
    )


def run_step(
    config: TrainingConfig,
    step: int,
    prompts: list[Prompt],
    rollouts: Rollouts,
    ppo: PPO,
    recorder: Recorder,
    rails: Rails,
    ranks: Ranks,
    read_texts: ReadTexts | None = None,
    segment: int = 0,
    warmup: CriticWarmup | None = None,
) -> tuple[dict, list[str]]:
    """Run one PPO step, of segment number `segment`, on this rank's share of the prompts.

    In the critic's `warmup`, it trains the critic alone.
    Returns the global metrics, and the reasons why the run must stop, usually none.
    """
    started = clock = time.perf_counter()
    n_samples = config.rollout.samples_per_prompt
    batch = rollouts.take(step, prompts)
    asked, completions, verdicts = batch.asked, batch.completions, batch.verdicts
    rewards = [
        shaped_reward(v.reward, c.text, len(c.tokens), c.finish_reason, config.reward_terms)
        for v, c in zip(verdicts, completions, strict=True)
    ]
    if config.reward_terms.is_shuffled:
        rewards = deal_out(rewards, f"{config.seed}:{step}:{ranks.rank}")
    rollout_s = time.perf_counter() - clock - batch.reward_s - batch.value_s
    times = {"rollout_s": rollout_s, "reward_s": batch.reward_s}
    recorder.rollouts(step, rollout_rows(step, asked, batch.seeds, completions, verdicts, rewards, n_samples))
    metrics, histograms = response_metrics(
        completions, verdicts, rewards, n_samples, config.rollout.max_new_tokens, ranks, read_texts
    )
    metrics = dict.fromkeys(METRIC.names) | {"step": step} | metrics | batch.resampling(ranks)

    tripped = rails.check(BEFORE_UPDATE, metrics)
    times |= dict.fromkeys(("forward_s", "critic_s", "policy_s", "sync_s"), 0.0)
    if "skip" not in {action for action, _ in tripped}:
        responses = Responses.build([p.tokens for p in asked], [c.tokens for c in completions], ranks.device)
        engine_logprobs = [c.logprobs for c in completions]
        warmup = warmup or CriticWarmup(config.ppo, [])
        update, phases = ppo.update(
            step,
            responses,
            rewards,
            engine_logprobs,
            batch.values,
            is_right=[verdict.is_correct for verdict in verdicts],
            is_truncated=[completion.is_truncated for completion in completions],
            n_warmup=warmup.n_steps,
            is_warmup=warmup.is_on,
        )
        warmup.add(update)
        metrics |= update
        times |= phases
    times["forward_s"] += batch.value_s
    clock = time.perf_counter()
    rollouts.sync(ppo.actor)
    times |= {"sync_s": time.perf_counter() - clock, "step_s": time.perf_counter() - started}

    free_gib = -ranks.largest(-shutil.disk_usage(recorder.folder).free / 2**30)
    tripped += rails.check(AFTER_UPDATE, metrics | {"free_gib": free_gib - next_save_gib(ppo.engines)})
    top = config.rollout.max_new_tokens + 1
    timings = costs(step, times, batch, pool_bytes(rollouts.engine)) | {"segment": segment}
    recorder.step(metrics, timings, histograms, top)
    return metrics, [message for action, message in tripped if action == "checkpoint_and_stop"]


def run_evaluation(
    evaluate: Evaluate, rollout: RolloutEngine, step: int, config: TrainingConfig, ranks: Ranks
) -> dict[str, tuple[float, int]]:
    """Evaluate on all ranks, each engine on its share of the questions; returns mean and count by name."""
    n_shared = config.rollout.tensor_parallel
    found = evaluate(rollout, step, (ranks.rank // n_shared, ranks.world // n_shared))
    names = sorted(found)
    # Ranks that share an engine have the same result; only the first of them counts.
    counts = float(ranks.rank % n_shared == 0)
    pairs = torch.tensor([found[name] for name in names], dtype=torch.float64, device=ranks.device)
    totals = ranks.sum(pairs * counts).tolist()
    return {name: (total / max(n, 1), int(n)) for name, (total, n) in zip(names, totals, strict=True)}


def next_save_gib(engines: Mapping[str, Any]) -> float:
    """GiB that the next checkpoint and export take: fp32 weights and two moments, and the weights."""
    parameters = [p for engine in engines.values() for p in engine.module.parameters()]
    return sum(getattr(p, "ds_numel", p.numel()) * (12 + p.element_size()) for p in parameters) / 2**30


def pool_bytes(engine: RolloutEngine) -> int:
    """Device memory that torch counts for an engine of its own pool, also while no memory backs it."""
    return getattr(engine, "pool_bytes", 0)


def costs(step: int, times: dict[str, float], batch: Batch, pool_bytes: int = 0) -> dict[str, float]:
    """A record of rewards.contracts.records.TIMING, but for its segment. `pool_bytes` are the engine's."""
    n_response = sum(len(c.tokens) for c in batch.completions)
    n_tokens = n_response + sum(len(p.tokens) for p in batch.asked)
    device_bytes = 0
    if torch.cuda.is_available():
        device_bytes = torch.cuda.max_memory_allocated() - pool_bytes
        torch.cuda.reset_peak_memory_stats()  # The next step's peak is its own.
    return times | {
        "step": step,
        "tokens_per_s": n_response / batch.sampling_s,
        "critic_tokens_per_s": n_tokens / times["critic_s"] if times["critic_s"] else 0.0,
        "policy_tokens_per_s": n_tokens / times["policy_s"] if times["policy_s"] else 0.0,
        "memory_bytes": peak_memory(),
        "device_memory_bytes": device_bytes,
    }


def peak_memory() -> int:
    """Peak resident memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
