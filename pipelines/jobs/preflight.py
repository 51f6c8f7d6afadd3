"""Child process of `train --preflight`, one per rank: run one step of the largest possible size."""

import os
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.jobs.job import Job
from rewards.contracts.files import write_json


def run_preflight(job: Job, config: RunConfig) -> None:
    from pipelines.jobs.evaluate_in_training import context_tokens
    from training.planning.preflight import preflight

    critic = Path(job.critic) if job.critic else None
    found = preflight(config.training, Path(job.model), context_tokens(config), critic)
    if os.environ.get("RANK", "0") == "0":
        write_json(Path(job.out) / "preflight.json", found)
