"""Child process of stage base: make the model that PPO starts from."""

from pathlib import Path

import polars as pl

from pipelines.config import RunConfig
from pipelines.jobs.job import Job
from pipelines.jobs.progress import report


def make_base(job: Job, config: RunConfig) -> None:
    from training.base.base_model import make_base_model

    warmup = config.training.model.warmup
    n_steps = sum(phase.n_steps for phase in warmup.phases) if warmup else None
    make_base_model(
        config.training,
        pl.read_parquet(job.rows),
        Path(job.out),
        lambda done, loss: report(done, n_steps, loss=loss),
    )
