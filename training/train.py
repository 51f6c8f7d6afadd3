"""The PPO loop: sample, score, update, hand the weights over; the same file on one CPU and on many GPUs.

Started on every rank by the launcher (`pipelines.worker`). Killed anywhere and started again with the same
arguments, it continues from the newest checkpoint and ends with the same metrics and weights.
"""

import logging
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import torch
from transformers import AutoTokenizer

from rewards.extraction import is_formatted
from rewards.generation import Completion, Sampling, derive_seed
from rewards.grader import Verdict, score_batch
from training.batching import Responses
from training.checkpoints import export_models, load_state, save_state, step_folder
from training.config import TrainingConfig
from training.data import Prompt, choose_prompts, load_prompts, select_rows
from training.engines import build_engine, named_weights
from training.model import load_critic, load_policy, recompute_activations
from training.ppo import PPO
from training.ranks import Ranks, join_ranks
from training.recorder import Recorder
from training.rollout.engine import RolloutEngine, open_engine

logger = logging.getLogger(__name__)


def train(
    config: TrainingConfig,
    prompts: pl.DataFrame,
    base: Path,
    out: Path,
    *,
    tensorboard: Path | None = None,
    on_step: Callable[[int, dict], None] | None = None,
) -> None:
    """Run PPO from the model in `base` on a compiled prompt set (rewards.records.COMPILED_REWARD).

    Writes below `out`: prompts.parquet (what was trained on), rejects.parquet, metrics.jsonl,
    timings.jsonl, rollouts/, exports/step-*/{actor,critic}, and state/ with the resumable checkpoints.
    `on_step` is called on the first rank after each step.
    """
    ranks = join_ranks()
    torch.manual_seed(config.seed)
    # vLLM before the engines: it takes its share of what GPU memory is free.
    context = config.rollout.max_prompt_tokens + config.rollout.max_new_tokens
    rollout = open_engine(config, base, context, sleeps=True)
    rollout.sleep()
    ppo = build_ppo(config, base, ranks)
    done = load_state(out / "state", ppo.actor, ppo.critic)
    rollout.wake()
    if done:
        logger.info("resumed step=%d", done)
        rollout.load_weights(named_weights(ppo.actor, "model."))
    chosen, too_long = load_prompts(
        select_rows(prompts, "train", config.sources, config.subjects),
        config.prompt,
        rollout.encode,
        config.rollout.max_prompt_tokens,
    )
    recorder = Recorder(out, tensorboard, done, ranks.rank)
    recorder.prompts([prompt.problem_id for prompt in chosen], too_long)
    for step in range(done + 1, config.n_steps + 1):
        metrics = run_step(config, step, chosen, rollout, ppo, recorder, ranks)
        if ranks.is_first and on_step is not None:
            on_step(step, metrics)
        if step % config.save_every == 0 or step == config.n_steps:
            export_models(step_folder(out / "exports", step), base, ppo.actor, ppo.critic, ranks)
            save_state(out / "state", step, ppo.actor, ppo.critic, config.keep_checkpoints, ranks)
    recorder.close()
    rollout.close()


def build_ppo(config: TrainingConfig, base: Path, ranks: Ranks) -> PPO:
    """Load actor and critic from `base` and wrap them in DeepSpeed engines."""
    precision = config.deepspeed.precision
    policy = load_policy(
        base, precision, config.rollout.temperature, config.ppo.logprob_chunk_tokens, ranks.max
    )
    critic = load_critic(base, precision)
    if config.deepspeed.gradient_checkpointing:
        for model in (policy.model, critic.backbone):
            recompute_activations(model)
    pad = AutoTokenizer.from_pretrained(base).pad_token_id or 0
    return PPO(
        build_engine(policy, config.actor, config.deepspeed),
        build_engine(critic, config.critic, config.deepspeed),
        config,
        pad,
        ranks,
    )


def run_step(
    config: TrainingConfig,
    step: int,
    prompts: list[Prompt],
    rollout: RolloutEngine,
    ppo: PPO,
    recorder: Recorder,
    ranks: Ranks,
) -> dict:
    """One PPO step on this rank's share of the prompts; returns the global metrics."""
    started = clock = time.perf_counter()
    indices = choose_prompts(len(prompts), config.rollout.prompts_per_step, step, config.seed)
    # Ranks that share one tensor-parallel engine ask it the same prompts, then each keeps its own.
    n_shared, n_samples = config.rollout.tensor_parallel, config.rollout.samples_per_prompt
    places = range(len(indices))[ranks.rank // n_shared :: ranks.world // n_shared]
    asked = [prompts[indices[place]] for place in places for _ in range(n_samples)]
    # By place and not by problem: a prompt that stands twice in a step (short epochs) is sampled afresh.
    seeds = [
        derive_seed(config.seed, "rollout", step, place, i) for place in places for i in range(n_samples)
    ]
    sampling = Sampling(
        config.rollout.max_new_tokens, config.rollout.temperature, config.rollout.top_p, config.rollout.stop
    )
    completions = rollout.generate(
        [prompt.tokens for prompt in asked], seeds, sampling, n_logprobs=config.rollout.probe_responses
    )
    rollout.sleep()
    mine = [i for i in range(len(asked)) if i // n_samples % n_shared == ranks.rank % n_shared]
    asked, seeds = [asked[i] for i in mine], [seeds[i] for i in mine]
    completions = [completions[i] for i in mine]
    times = {"rollout_s": time.perf_counter() - clock}

    clock = time.perf_counter()
    verdicts = score_batch(
        [(p.gold, c.text, c.finish_reason) for p, c in zip(asked, completions, strict=True)]
    )
    times["reward_s"] = time.perf_counter() - clock
    recorder.rollouts(step, rollout_rows(step, asked, seeds, completions, verdicts, n_samples))

    responses = Responses.build([p.tokens for p in asked], [c.tokens for c in completions], ranks.device)
    rewards = [verdict.reward for verdict in verdicts]
    metrics = {"step": step} | response_metrics(completions, verdicts, n_samples, ranks)
    update, phases = ppo.update(step, responses, rewards, [c.logprobs for c in completions])

    clock = time.perf_counter()
    rollout.wake()
    rollout.load_weights(named_weights(ppo.actor, "model."))
    times |= phases | {"sync_s": time.perf_counter() - clock, "step_s": time.perf_counter() - started}
    n_tokens = sum(len(c.tokens) for c in completions)
    metrics |= update
    recorder.step(
        metrics,
        {"step": step, "tokens_per_s": n_tokens / times["rollout_s"], "memory_bytes": peak_memory()} | times,
    )
    return metrics


def response_metrics(
    completions: list[Completion], verdicts: list[Verdict], n_samples: int, ranks: Ranks
) -> dict:
    """What was sampled and how it scored, over all ranks. Rows of one prompt are adjacent."""
    lengths = torch.tensor([float(len(c.tokens)) for c in completions], dtype=torch.float64)
    rewards = torch.tensor([v.reward for v in verdicts], dtype=torch.float64)
    truncated = torch.tensor([float(c.is_truncated) for c in completions], dtype=torch.float64)
    formatted = torch.tensor([float(is_formatted(c.text)) for c in completions], dtype=torch.float64)
    solved = rewards.view(-1, n_samples).max(dim=1).values
    sums = torch.stack(
        [
            torch.tensor(float(len(completions)), dtype=torch.float64),
            rewards.sum(),
            solved.sum() * n_samples,
            lengths.sum(),
            (lengths**2).sum(),
            (lengths * rewards).sum(),
            truncated.sum(),
            formatted.sum(),
        ]
    )
    n, reward, any_solved, length, squares, length_correct, n_truncated, n_formatted = ranks.sum(
        sums.to(ranks.device)
    ).tolist()
    return {
        "reward": reward / n,
        "pass_at_n": any_solved / n,
        "response_tokens": length / n,
        "response_tokens_std": max(0.0, squares / n - (length / n) ** 2) ** 0.5,
        "response_tokens_correct": length_correct / reward if reward else None,
        "response_tokens_wrong": (length - length_correct) / (n - reward) if reward < n else None,
        "truncated": n_truncated / n,
        "formatted": n_formatted / n,
    }


def rollout_rows(
    step: int,
    asked: list[Prompt],
    seeds: list[int],
    completions: list[Completion],
    verdicts: list[Verdict],
    n_samples: int,
) -> list[dict]:
    """Rows of rewards.records.ROLLOUT."""
    logger.debug("step=%d reasons=%s", step, dict(Counter(v.reason for v in verdicts)))
    return [
        {
            "step": step,
            "problem_id": prompt.problem_id,
            "sample": index % n_samples,
            "seed": seed,
            "prompt": prompt.text,
            "response": completion.text,
            "n_prompt_tokens": len(prompt.tokens),
            "n_response_tokens": len(completion.tokens),
            "finish_reason": completion.finish_reason,
            "gold": prompt.gold,
            "extracted": verdict.extracted,
            "reason": str(verdict.reason),
            "reward": verdict.reward,
        }
        for index, (prompt, seed, completion, verdict) in enumerate(
            zip(asked, seeds, completions, verdicts, strict=True)
        )
    ]


def peak_memory() -> int:
    """Peak resident memory of this process, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
