"""Child process of stage sample, one per engine: sample the planned prompts."""

import time
from pathlib import Path

import polars as pl

from pipelines.config import RunConfig
from pipelines.jobs.gpus import own_gpus
from pipelines.jobs.job import Job
from pipelines.jobs.progress import report


def run_sampling(job: Job, config: RunConfig) -> None:
    evals, rollout = config.evals, config.training.rollout
    own_gpus(job.part, rollout.tensor_parallel)
    from evals.plan import Plan
    from evals.sampling import sample, write_part
    from training.rollout.engine import open_engine
    from training.rollout.proof import prove_alone
    from training.selfcheck.sampling import check_sampling

    plans = [
        Plan(entry.name, evals.conditions(entry), entry.n_samples, pl.read_parquet(path))
        for entry in evals.benchmarks
        if (path := Path(job.plans) / f"{entry.name}.parquet").exists()
    ]
    sizes = [plan.prompts.height * plan.n_samples for plan in plans]
    total = sum(len(range(job.part, size, evals.n_engines)) for size in sizes)
    check_sampling(Path(job.model), config.eval_context_tokens, rollout.bos).say()
    engine = open_engine(config.training, Path(job.model), config.eval_context_tokens)
    if rollout.engine == "vllm":
        prove_alone(engine, Path(job.model), config.training.deepspeed.precision)
    done = n_tokens = 0
    started = time.perf_counter()

    def advance(n: int) -> None:
        nonlocal done
        done += n
        speed = {"tokens_per_s": n_tokens / (time.perf_counter() - started)} if n_tokens else {}
        report(done, total, **speed)

    def count(n: int) -> None:
        nonlocal n_tokens
        n_tokens += n

    folder = Path(job.out) / "completions"
    for plan in plans:
        generated = sample(
            engine,
            plan,
            config=evals,
            folder=folder,
            part=(job.part, evals.n_engines),
            on_progress=advance,
            on_tokens=count,
        )
        write_part(generated, folder, plan.benchmark, job.part)
    engine.close()
