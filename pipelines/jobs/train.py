"""Child process of stages train and anneal, one per rank: run PPO."""

from pathlib import Path

import polars as pl

from pipelines.config import RunConfig
from pipelines.jobs.job import Job
from pipelines.jobs.progress import report


def run_training(job: Job, config: RunConfig) -> None:
    from pipelines.jobs.evaluate_in_training import context_tokens, make_evaluate, read_texts
    from training.train import train

    prompts, out = pl.read_parquet(job.rows), Path(job.out)

    def on_step(step: int, metrics: dict) -> None:
        shown = ("reward", "response_tokens", "truncated", "mismatch_mean")
        known = {name: metrics[name] for name in shown if metrics[name] is not None}
        report(step, config.training.total_steps, **known)

    train(
        config.training,
        prompts,
        Path(job.model),
        out,
        tensorboard=Path(job.tensorboard) if job.tensorboard else None,
        on_step=on_step,
        read_texts=read_texts,
        evaluate=make_evaluate(config, prompts, Path(job.model), out / "evaluations")
        if config.training.eval_every
        else None,
        min_context=context_tokens(config),
        critic=Path(job.critic) if job.critic else None,
        described=job.segment or None,
    )
