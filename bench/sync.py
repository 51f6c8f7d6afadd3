"""Measure the weight sync to the rollout engine: its time, and whether the weights arrive exactly.

    python bench/sync.py                                    a tiny model, torch and vLLM
    python bench/sync.py --model runs/smollm2/base/model    and SmolLM2-135M

Every weight of the trainer's copy is changed randomly before each sync. The difference is that between the
engine's log-probabilities of newly sampled tokens and the trainer's, before and after the sync.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from rich.console import Console
from rich.table import Table

from rewards.contracts.engine import Sampling
from training.base.base_model import make_base_model
from training.batching import Responses
from training.config import TrainingConfig
from training.model import load_policy
from training.rollout.engine import open_engine

ROUNDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="also measure this model folder")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        return measure(arguments.one[0], Path(arguments.one[1]))
    table = Table("model", "engine", "wall s", "CPU-s", "difference before", "after", title="Weight sync")
    with tempfile.TemporaryDirectory() as temporary:
        models = {"tiny, 0.1 million": tiny(Path(temporary))}
        models |= {f"{arguments.model.parent.name}": arguments.model} if arguments.model else {}
        for name, folder in models.items():
            for engine in ("torch", "vllm"):
                # One process each, because vLLM inspects what else is loaded.
                command = [sys.executable, __file__, "--one", engine, str(folder)]
                environment = os.environ | {"OMP_NUM_THREADS": "1"}
                done = subprocess.run(command, capture_output=True, text=True, env=environment)
                if done.returncode:
                    raise RuntimeError(done.stderr[-3000:])
                table.add_row(name, engine, *done.stdout.strip().splitlines()[-1].split())
    Console().print(table)


def settings(engine: str, model: dict) -> TrainingConfig:
    rollout = {"engine": engine, "kv_cache_gib": 0.5}
    precision = {"precision": "fp32", "zero_stage": 0}
    return TrainingConfig.model_validate({"model": model, "rollout": rollout, "deepspeed": precision})


def tiny(folder: Path) -> Path:
    import polars as pl

    problem = {"problem": "1+2=?", "answer": "3", "solution": "1+2=3", "split": "train"}
    rollout = {"max_prompt_tokens": 32, "max_new_tokens": 48}
    config = TrainingConfig.model_validate({"model": {"scratch": {"max_tokens": 96}}, "rollout": rollout})
    return make_base_model(config, pl.DataFrame([problem]), folder)


def measure(kind: str, folder: Path) -> None:
    torch.set_num_threads(1)
    engine = open_engine(settings(kind, {"path": str(folder)}), folder, 96)
    policy = load_policy(folder, "fp32", 1.0, 64)
    prompts = [engine.encode(f"{i}+{i}=?") for i in range(1, 9)]

    def difference() -> float:
        found = engine.generate(prompts, list(range(8)), Sampling(32), n_logprobs=8)
        responses = Responses.build(prompts, [c.tokens for c in found], torch.device("cpu"))
        with torch.no_grad():
            ours, _ = policy(*responses.inputs(list(range(8)), 0))
        theirs = torch.tensor([value for c in found for value in c.logprobs or []])
        return (ours - theirs).abs().max().item()

    generator = torch.Generator().manual_seed(0)
    walls, cpus, before, after = [], [], [], []
    for _ in range(ROUNDS):
        with torch.no_grad():
            for parameter in policy.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.1 * parameter.std(correction=0) * noise)
        before.append(difference())
        wall, cpu = time.perf_counter(), time.process_time()
        engine.load_weights(policy.model.named_parameters())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        after.append(difference())
    found = (statistics.median(walls), statistics.median(cpus), min(before), max(after))
    sys.stdout.write("\n" + " ".join(f"{x:.2g}" for x in found) + "\n")
    engine.close()


if __name__ == "__main__":
    main()
