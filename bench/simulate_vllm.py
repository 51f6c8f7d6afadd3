"""Predict the steps of a finished run that sampled through vLLM, and set the prediction beside its times.

    python bench/simulate_vllm.py runs/smollm2

The machine's rates of training come from the short runs of bench/simulate.py, those of vLLM's decoding from
small models with random weights, a process each, in CPU seconds of one thread. Of the run the simulator is
told the configuration and what the responses of its first step were like. The run's own times are wall times:
they mean something where it had a core to itself.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import astuple, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import polars as pl
import torch
from simulate import CALIBRATION, PHASES, WIDTH, calibrate, run, settings, show, show_machine

from pipelines.config import RunConfig
from training.plan import Shape, find_shape
from training.rollout.limits import MAX_SEQUENCES
from training.simulator.lengths import measured
from training.simulator.machine import Cluster, Rates, decode_work, fit_rates, prefill_work
from training.simulator.steps import simulate_step

N_NEW = 48
# Narrower ones say more about Python than about arithmetic.
SHAPES = (
    Shape(128, 6, 2, 2, 384, 8192, True, 64),
    Shape(256, 4, 4, 4, 768, 512, True, 64),
    Shape(384, 12, 6, 2, 1152, 512, True, 64),
    Shape(512, 8, 8, 4, 1536, 2048, True, 64),
    Shape(512, 3, 8, 4, 1536, 32768, True, 64),
)
BATCHES = ((1, 4, 100), (4, 4, 30), (8, 8, 100), (16, 8, 30))
"""(prompts, responses to each, tokens of a prompt)."""


def main() -> None:
    if sys.argv[1:2] == ["--decode"]:
        return decode_once(Shape(*json.loads(sys.argv[2])))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a run with config.json and train/")
    parser.add_argument("--train", type=Path, help="its train artefact, where it is not below it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = RunConfig.model_validate_json((arguments.run / "config.json").read_text()).training
    train = arguments.train or arguments.run / "train"
    decoding = [row for shape in SHAPES for row in decode_in_a_process(shape)]
    with tempfile.TemporaryDirectory() as temporary:
        known = [run(settings(case), Path(temporary) / case.name, 3) for case in CALIBRATION]
    rows = np.array(decoding)
    decode = Rates(*fit_rates(rows[:, :-1], rows[:, -1]))
    machine = replace(calibrate(known), decode=decode)
    show_machine(machine)
    off = decode.seconds(rows[:, :-1]) / rows[:, -1] - 1
    sys.stdout.write(
        f"vLLM's small rollouts: fitted within {np.abs(off).max():.0%}, median {np.median(np.abs(off)):.0%}\n"
    )

    times = pl.read_ndjson(train / "timings.jsonl")
    first = pl.read_parquet(train / "rollouts" / "step-000001-rank-*.parquet")
    n_samples = config.rollout.samples_per_prompt
    likeness = measured(first["n_response_tokens"].to_numpy().reshape(-1, n_samples))
    n_prompt = round(first["n_prompt_tokens"].mean())  # type: ignore[arg-type]
    batch = (config.rollout.prompts_per_step, n_samples, config.rollout.max_new_tokens)
    cluster = Cluster(1, machine, max_sequences=MAX_SEQUENCES)
    simulated = [
        simulate_step(config, cluster, likeness.sample(step, *batch, 0), np.full(batch[0], n_prompt))
        for step in range(2, 10)
    ]
    show(
        [
            (
                f"{find_shape(config).n_parameters / 1e6:.0f} million, {batch[0]} x {batch[1]}",
                phase,
                statistics.mean(getattr(step, phase) for step in simulated),
                float(times[phase][1:].median()),  # type: ignore[arg-type]
            )
            for phase in (*PHASES, "step_s")
        ]
    )


def decode_in_a_process(shape: Shape) -> list[list[float]]:
    """Rows of (work of a rollout, CPU seconds); vLLM looks into whatever else is loaded."""
    command = [sys.executable, __file__, "--decode", json.dumps(astuple(shape))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def decode_once(shape: Shape) -> None:
    from bench.gpu.setting import make_model, timed
    from rewards.generation import Sampling
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
                # All grow at once: steps, tokens drawn, tokens of context read.
                amounts = np.array([n.max(), n.sum(), (n * length + n * (n - 1) / 2).sum()])
                read = prefill_work(shape, WIDTH, np.full((1, n_prompts), length))[0]
                if turn:
                    rows.append([*(amounts @ decode_work(shape, WIDTH) + read), seconds])
        engine.close()
    sys.stdout.write("\n" + json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
