"""Rates of vLLM's decoding on this machine, and the comparison of a finished vLLM run with its prediction.

Part of bench/simulate.py (`--run`). The rates are fitted to small models with random weights, one process
each, that sample batches of several sizes; in CPU seconds of one thread.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import polars as pl
import torch

from pipelines.config import RunConfig
from training.planning.shape import Shape, find_shape
from training.planning.simulator.lengths import measured
from training.planning.simulator.machine import Cluster, Machine, Rates, decode_work, fit_rates, prefill_work
from training.planning.simulator.steps import simulate_step
from training.rollout.limits import MAX_SEQUENCES

WIDTH = 4
N_NEW = 48
# Narrower models would measure Python more than arithmetic.
SHAPES = (
    Shape(128, 6, 2, 2, 384, 8192, True, 64),
    Shape(256, 4, 4, 4, 768, 512, True, 64),
    Shape(384, 12, 6, 2, 1152, 512, True, 64),
    Shape(512, 8, 8, 4, 1536, 2048, True, 64),
    Shape(512, 3, 8, 4, 1536, 32768, True, 64),
)
BATCHES = ((1, 4, 100), (4, 4, 30), (8, 8, 100), (16, 8, 30))
"""(prompts, responses to each, tokens per prompt)."""


def decode_rates() -> Rates:
    """Rates of vLLM's decoding here; prints how far single rollouts deviate from them."""
    rows = np.array([row for shape in SHAPES for row in decode_in_a_process(shape)])
    rates = Rates(*fit_rates(rows[:, :-1], rows[:, -1]))
    off = np.abs(rates.seconds(rows[:, :-1]) / rows[:, -1] - 1)
    sys.stdout.write(
        f"vLLM's {len(rows)} rollouts: fitted within {off.max():.0%}, median {np.median(off):.0%}\n"
    )
    return rates


def compare_run(
    folder: Path, machine: Machine, phases: tuple[str, ...]
) -> list[tuple[str, str, float, float]]:
    """(run, phase, predicted, measured) for the run in `folder` (config.json, train/), in seconds per step.

    The prediction uses its configuration and the lengths in its first step. The run's own times are wall
    times, so they are meaningful only if it had a core to itself.
    """
    config = RunConfig.model_validate_json((folder / "config.json").read_text()).training
    times = pl.read_ndjson(folder / "train" / "timings.jsonl")
    first = pl.read_parquet(folder / "train" / "rollouts" / "step-000001-rank-*.parquet")
    n_prompts, n_samples = config.rollout.prompts_per_step, config.rollout.samples_per_prompt
    likeness = measured(first["n_response_tokens"].to_numpy().reshape(-1, n_samples))
    prompts = np.full(n_prompts, round(float(first["n_prompt_tokens"].to_numpy().mean())))
    cluster = Cluster(1, replace(machine, decode=decode_rates()), max_sequences=MAX_SEQUENCES)
    simulated = []
    for step in range(2, 10):
        lengths = likeness.sample(step, n_prompts, n_samples, config.rollout.max_new_tokens, 0)
        simulated.append(simulate_step(config, cluster, lengths, prompts))
    name = f"vLLM, {find_shape(config).n_parameters / 1e6:.0f} million, {n_prompts} x {n_samples}"
    return [
        (
            name,
            phase,
            statistics.mean(getattr(step, phase) for step in simulated),
            float(np.median(times[phase].to_numpy()[1:])),
        )
        for phase in phases
    ]


def decode_in_a_process(shape: Shape) -> list[list[float]]:
    """Rows of (work of a rollout, CPU seconds); separate, because vLLM inspects what else is loaded."""
    command = [sys.executable, __file__, json.dumps(astuple(shape))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def decode_once(shape: Shape) -> None:
    time.perf_counter = time.process_time  # `timed` reads this; CPU time is unaffected by other programs.
    from bench.gpu.setting import make_model, timed
    from rewards.contracts.engine import Sampling
    from training.rollout.vllm import VllmEngine

    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(shape, 160, Path(folder) / "model")
        engine = VllmEngine(
            model, precision="fp32", max_model_tokens=160, kv_cache_gib=1.0, gpu_memory_utilization=0.5
        )
        for n_prompts, n_samples, length in BATCHES:
            generator = torch.Generator().manual_seed(n_prompts)
            asked = torch.randint(8, 40, (n_prompts, length), generator=generator).tolist()
            prompts = [prompt for prompt in asked for _ in range(n_samples)]
            for turn in range(3):
                engine.llm.reset_prefix_cache()
                seeds = [1000 * turn + index for index in range(len(prompts))]
                found, seconds = timed(
                    lambda prompts=prompts, seeds=seeds: engine.generate(prompts, seeds, Sampling(N_NEW))
                )
                n = np.array([len(completion.tokens) for completion in found])
                # All grow together: steps, tokens sampled, context tokens read.
                amounts = np.array([n.max(), n.sum(), (n * length + n * (n - 1) / 2).sum()])
                read = prefill_work(shape, WIDTH, np.full((1, n_prompts), length))[0]
                if turn:
                    rows.append([*(amounts @ decode_work(shape, WIDTH) + read), seconds])
        engine.close()
    sys.stdout.write("\n" + json.dumps(rows) + "\n")


if __name__ == "__main__":
    decode_once(Shape(*json.loads(sys.argv[1])))
