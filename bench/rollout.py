"""Compare the rollout with bare vLLM: same engine, prompts and sampling, in turns; tokens per CPU-second.

    python bench/rollout.py --model runs/smollm2/base/model
    python bench/rollout.py --model MODEL --prompts 64 --tokens 128 --turns 5

Ours seeds every response, returns each one as it ends and takes the log-probabilities of some for the probe.
Bare is `LLM.generate` without seeds, and again with our seeds. On a GPU, use `bench/gpu/speed.py`.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
time.perf_counter = time.process_time  # For bench.gpu.setting.timed; other programs use this machine too.
# ruff: noqa: E402

import torch
from rich.console import Console
from rich.table import Table

from bench.gpu.speed import beside_bare
from curation.generators import generate
from curation.generators.family import GeneratorConfig
from pipelines.config import load_config
from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import render_prompt
from training.rollout.vllm import VllmEngine

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="folder in Hugging Face format")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--samples", type=int, default=4, help="responses to each prompt")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5, help="rounds; the first is not counted")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    engine = VllmEngine(
        arguments.model, precision="fp32", max_model_tokens=512, kv_cache_gib=1.0, gpu_memory_utilization=0.5
    )
    settings = load_config(ROOT / "configs" / "smollm2.toml").training
    tasks = generate(GeneratorConfig(family="word_problem", digits=1, n_problems=arguments.prompts, seed=3))
    asked = [engine.encode(render_prompt(task.problem, settings.prompt)) for task in tasks]
    prompts = [prompt for prompt in asked for _ in range(arguments.samples)]
    sampling = Sampling(arguments.tokens, settings.rollout.temperature, 1.0, settings.rollout.stop)
    n_probed = settings.rollout.probe_responses
    rates = beside_bare(engine, prompts, sampling, n_logprobs=n_probed, n_turns=arguments.turns)
    table = Table("", "tokens per CPU-second, by turn", "median", "ours is", title_justify="left")
    table.title = f"{len(prompts)} responses of at most {arguments.tokens} tokens"
    median = {name: statistics.median(found[1:]) for name, found in rates.items()}
    for name, found in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["ours"][1:], found[1:], strict=True)]
        spread = "" if name == "ours" else f"{median['ours'] / median[name]:.3f}x "
        spread += "" if name == "ours" else f"({min(ratios):.3f} to {max(ratios):.3f})"
        table.add_row(name, ", ".join(f"{rate:.1f}" for rate in found), f"{median[name]:.1f}", spread)
    Console().print(table)
    engine.close()


if __name__ == "__main__":
    main()
