"""Child process of stage difficulty: sample the training prompts and count correct responses."""

from pathlib import Path

import polars as pl

from pipelines.config import RunConfig
from pipelines.jobs.job import Job
from pipelines.jobs.progress import report
from rewards.contracts.files import write_parquet


def run_difficulty(job: Job, config: RunConfig) -> None:
    from curation.difficulty import measure
    from training.data import select_rows
    from training.rollout.engine import open_engine
    from training.rollout.proof import prove_alone
    from training.selfcheck.sampling import check_sampling

    prompts, done = select_rows(pl.read_parquet(job.rows), "train"), 0
    training, rollout = config.training, config.training.rollout
    context = rollout.max_prompt_tokens + rollout.max_new_tokens
    check_sampling(Path(job.model), context, rollout.bos).say()
    engine = open_engine(training, Path(job.model), context)
    if rollout.engine == "vllm":
        prove_alone(engine, Path(job.model), training.deepspeed.precision)

    def advance(n: int) -> None:
        nonlocal done
        done += n
        report(done, prompts.height)

    out = Path(job.out)
    folder, settings = out / "samples", config.difficulty
    counts = measure(engine, prompts, training.prompt, rollout.sampling, settings, folder, advance)
    write_parquet(out / "counts.parquet", counts)
    engine.close()
