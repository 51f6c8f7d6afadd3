"""Rollout with and without stop strings: what Python costs per decoded token when text is looked at."""

from bench.gpu.setting import SHAPES, TINY, make_config, make_model, read_job, timed
from rewards.contracts.engine import Sampling
from training.rollout.engine import open_engine

STOPS = {"none": (), "strings": ("User:", "Human:", "Assistant:", "</answer>")}


def main() -> None:
    job = read_job()
    model = make_model((TINY if job.small else SHAPES)["0.5b"], 2048, job.folder / "model")
    n_requests, n_tokens = (8, 32) if job.small else (512, 512)
    sizes = {"max_prompt_tokens": 32, "max_new_tokens": n_tokens, "kv_cache_gib": 0.25}
    engine = open_engine(make_config(job, {"path": str(model)}, rollout=sizes), model, 32 + n_tokens)
    prompts = [engine.encode(f"{n}+{n}=?") for n in range(n_requests)]
    for again in range(2):
        for name, stop in STOPS.items():
            seeds = list(range(n_requests))
            sampling = Sampling(n_tokens, 1.0, 1.0, stop)
            found, seconds = timed(lambda: engine.generate(prompts, seeds, sampling))  # noqa: B023
            n = sum(len(completion.tokens) for completion in found)
            job.note(**{f"stop {name}, round {again + 1}, us per token": seconds / n * 1e6})
    engine.close()


if __name__ == "__main__":
    main()
