"""Time our full PPO step, critic included, against TRL's GRPOTrainer on the same model, task and batch.

python bench/ppo_step.py                 makes the model and TRL's environment, then alternates the two
python bench/ppo_step.py --rounds 5 --steps 12

128 responses (16 prompts x 8) to two-digit sums, at most 48 tokens, from a model of 160 thousand parameters
that a short warm-up has taught to answer; one thread each. TRL generates with transformers and has no
critic. Our step samples with the torch sampler, scores with the verifier, fits the critic in twelve
minibatches (ORZ's number) or in the demo's four, updates the policy, syncs the weights and writes all records
to disk. The two run in turns for several rounds, so that a busy machine affects both. The measure is CPU
seconds, as median and as minimum, because other programs slow both down, but not at the same moments.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from bench.peers.environment import peer_environment
from curation.generators import generate
from curation.generators.family import GeneratorConfig
from pipelines.config import load_config
from training.base.base_model import make_base_model
from training.config import TrainingConfig
from training.data import load_prompts
from training.rails import Rails
from training.ranks import join_ranks
from training.recorder import Recorder
from training.rollout.batches import Rollouts
from training.rollout.engine import open_engine
from training.sections.model import CorpusPhase
from training.train import build_ppo, run_step

ROOT = Path(__file__).resolve().parent.parent
TRL = "trl==1.16.0"
PHASES = (CorpusPhase(n_steps=150, careful=0.9, quick=0.1), CorpusPhase(n_steps=30, careful=0.3, quick=0.6))
CRITIC_MINIBATCHES = (12, 4)
SIZES = {
    "rollout.prompts_per_step": 16,
    "rollout.samples_per_prompt": 8,
    "rollout.max_new_tokens": 48,
    "model.warmup.batch_size": 64,
    "model.warmup.lr": 5e-3,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each side runs (default: 3)")
    parser.add_argument("--steps", type=int, default=10, help="steps per round; the first two do not count")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        python = peer_environment("trl", [TRL], shares=True)
        # Learning rates of 0: the policy, and with it the response length, stays the same for both.
        configs = {}
        for n_parts in CRITIC_MINIBATCHES:
            changes = SIZES | {"actor.lr": 0.0, "critic.lr": 0.0, "ppo.critic_minibatches": n_parts}
            changed = {f"training.{name}": value for name, value in changes.items()}
            configs[n_parts] = load_config(ROOT / "configs" / "demo.toml", changed).training
        base, rows = make_model(configs[CRITIC_MINIBATCHES[0]], Path(temporary))
        theirs: list[tuple[float, float, float]] = []
        ours: dict[int, list[dict[str, float]]] = {n_parts: [] for n_parts in configs}
        for number in range(arguments.rounds):
            theirs += run_peer(python, base, rows, arguments.steps)[2:]
            for n_parts, config in configs.items():
                out = Path(temporary) / f"{number}-{n_parts}"
                ours[n_parts] += run_ours(config, base, rows, out, arguments.steps)[2:]
    show(ours, theirs)


def make_model(config: TrainingConfig, folder: Path) -> tuple[Path, pl.DataFrame]:
    """A warmed-up base model, and the rows it trains on."""
    tasks = generate(GeneratorConfig(family="addition", digits=2, n_problems=600, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    warmup = config.model.warmup.model_copy(update={"phases": PHASES})
    model = config.model.model_copy(update={"warmup": warmup})
    return make_base_model(config.model_copy(update={"model": model}), frame, folder), frame


def run_ours(
    config: TrainingConfig, base: Path, rows: pl.DataFrame, out: Path, n_steps: int
) -> list[dict[str, float]]:
    """Seconds of our steps and their phases. `cpu` is CPU seconds of the whole step, `alone_cpu` those of
    sampling and policy update together."""
    ranks = join_ranks()
    engine = open_engine(config, base, config.rollout.max_prompt_tokens + config.rollout.max_new_tokens)
    ppo = build_ppo(config, base, ranks)
    spent = 0.0

    def measured(call: Callable) -> Callable:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal spent
            started = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                spent += time.process_time() - started

        return wrapped

    engine.generate, ppo._update_policy = measured(engine.generate), measured(ppo._update_policy)
    prompts, _ = load_prompts(rows, config.prompt, engine.encode, config.rollout.max_prompt_tokens)
    rollouts = Rollouts(config, engine, ranks)
    recorder, rails = Recorder(out, None, 0, 0), Rails(config.rails, [])
    cpu = []
    for step in range(1, n_steps + 1):
        started, spent = time.process_time(), 0.0
        run_step(config, step, prompts, rollouts, ppo, recorder, rails, ranks)
        cpu.append({"cpu": time.process_time() - started, "alone_cpu": spent})
    timings = [json.loads(line) for line in (out / "timings.jsonl").read_text().splitlines()]
    recorder.close()
    return [timing | seconds for timing, seconds in zip(timings, cpu, strict=True)]


def run_peer(python: Path, base: Path, rows: pl.DataFrame, n_steps: int) -> list[tuple[float, float, float]]:
    """(wall seconds, CPU seconds, mean tokens of a response) of TRL's steps."""
    prompts = base.parent / "prompts.json"
    asked = [{"prompt": f"{row['problem']}<think>", "answer": row["answer"]} for row in rows.to_dicts()]
    prompts.write_text(json.dumps(asked))
    command = [
        str(python),
        str(ROOT / "bench" / "peers" / "trl_step.py"),
        str(base),
        str(prompts),
        str(n_steps),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return list(zip(found["wall"], found["cpu"], found["tokens"], strict=True))


def show(ours: dict[int, list[dict[str, float]]], theirs: list[tuple[float, float, float]]) -> None:
    _, peer_cpu, peer_tokens = ([*column] for column in zip(*theirs, strict=True))
    middle, best = statistics.median(peer_cpu), min(peer_cpu)
    table = Table("", "CPU-s", "of TRL", "at best", "of TRL", "tokens", title="One step of 128 responses")

    def add(name: str, seconds: list[float], tokens: str = "") -> None:
        found, least = statistics.median(seconds), min(seconds)
        numbers = f"{found:.3f}", f"{found / middle:.2f}", f"{least:.3f}", f"{least / best:.2f}"
        table.add_row(name, *numbers, tokens)

    add(f"{TRL} GRPOTrainer, no critic", peer_cpu, f"{statistics.median(peer_tokens):.1f}")
    for n_parts, steps in ours.items():
        tokens = statistics.median(step["tokens_per_s"] * step["rollout_s"] / 128 for step in steps)
        add(f"ours, {n_parts} critic minibatches", [step["cpu"] for step in steps], f"{tokens:.1f}")
        add("  sampling and policy alone", [step["alone_cpu"] for step in steps])
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
