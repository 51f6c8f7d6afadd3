"""Estimate what overlapping work saves per step, and measure what one step off-policy costs in reward.

    python bench/overlap.py                 measured on the demo's task; simulated for the paper's runs
    python bench/overlap.py --seeds 3 --steps 25
    python bench/overlap.py --seeds 0       only the simulated part

Simulated: early, middle and late steps of orz_7b.toml on 32 GPUs and orz_32b.toml on 128, with and without
verification during sampling, early critic values (with ZeRO 2 and half of the memory for the engine, where
they fit), requests ordered by the prompt's mean length, sampling during the update, and optimizer states in
the host's memory. Measured: CPU seconds of real steps by phase (torch sampler), and the reward of the last
five steps over seeds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
time.perf_counter = time.process_time
# ruff: noqa: E402

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.table import Table

from curation.generators import generate
from curation.generators.family import GeneratorConfig
from pipelines.config import load_config
from training.base.base_model import make_base_model
from training.config import TrainingConfig
from training.planning.plan import make_plan
from training.planning.shape import find_shape
from training.planning.simulator.lengths import PAPER
from training.planning.simulator.machine import TRAINING_TFLOPS, Cluster, Machine
from training.planning.simulator.steps import Step, rollout_ends, simulate_step
from training.sections.model import CorpusPhase
from training.train import train

ROOT = Path(__file__).resolve().parent.parent
PHASES = (CorpusPhase(n_steps=250, careful=0.9, quick=0.1), CorpusPhase(n_steps=40, careful=0.15, quick=0.75))
EARLY = 4
VARIANTS = {"on-policy": (0, 0), "early values": (0, EARLY), "one step off-policy": (1, 0)}
"""Name: training.rollout.lag, training.ppo.early_values."""
PARTS = ("rollout_s", "reward_s", "forward_s", "critic_s", "policy_s", "sync_s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    show_simulated()
    rewards: dict[str, list[float]] = {name: [] for name in VARIANTS}
    columns = [name.removesuffix("_s") for name in (*PARTS, "step_s")]
    phases = Table("CPU seconds per step", *columns, title="Measured", title_justify="left")
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(arguments.seeds):
            base, rows = None, problems()
            for name, (lag, early) in VARIANTS.items():
                config = demo(seed, lag, early, arguments.steps)
                folder = Path(temporary) / f"{seed}-{lag}-{early}"
                base = base or make_base_model(config, rows, folder)
                train(config, rows, base, folder)
                metrics = pl.read_ndjson(folder / "metrics.jsonl")
                rewards[name].append(metrics["reward"].tail(5).mean())  # type: ignore[arg-type]
                if seed == 0:
                    phases.add_row(name, *phases_of(pl.read_ndjson(folder / "timings.jsonl")))
    if not arguments.seeds:
        return
    Console().print(phases)
    table = Table("", "reward of the last five steps, by seed", "mean", title="On and off policy")
    for name, found in rewards.items():
        table.add_row(name, ", ".join(f"{x:.3f}" for x in found), f"{statistics.mean(found):.3f}")
    Console().print(table)


def demo(seed: int, lag: int, early: int, n_steps: int) -> TrainingConfig:
    config = load_config(ROOT / "configs" / "demo.toml").training
    warmup = config.model.warmup
    assert warmup is not None
    changes: dict = config.model_dump()
    changes["model"]["warmup"] |= {"phases": [phase.model_dump() for phase in PHASES]}
    changes["rollout"] |= {"lag": lag, "max_mismatch": 1.0 if lag else 0.0}
    changes["ppo"] |= {"max_importance_weight": 2.0 if lag else None, "early_values": early}
    changes |= {"seed": seed, "n_steps": n_steps, "save_every": n_steps, "eval_every": 0}
    return TrainingConfig.model_validate(changes)


def problems() -> pl.DataFrame:
    tasks = generate(GeneratorConfig(family="addition", digits=1, n_problems=60, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def phases_of(timings: pl.DataFrame) -> list[str]:
    """Median CPU seconds of each phase, over all threads; the first step is not counted."""
    return [f"{timings[name][1:].median():.4f}" for name in (*PARTS, "step_s")]


def show_simulated() -> None:
    columns = ("run", "step", "step s", "rewards", "early values", "longest first", "lag 1", "offload")
    table = Table(*columns, title="Simulated: what each takes off a step", title_justify="left")
    machine = Machine.of_gpu(TRAINING_TFLOPS, 2.4, 100)
    for name, n_gpus in (("orz_7b", 32), ("orz_32b", 128)):
        config = load_config(ROOT / "configs" / f"{name}.toml").training
        cluster, shape = Cluster(n_gpus, machine), find_shape(config)
        prompts = np.full(config.rollout.prompts_per_step, 256)
        batch = (config.rollout.prompts_per_step, config.rollout.samples_per_prompt)
        n_engines = n_gpus // config.rollout.tensor_parallel
        for number in (1, 500, 1000):
            limit = config.rollout.max_new_tokens
            lengths = PAPER[config.model.path or ""].sample(number, *batch, limit, 0)
            run = partial(simulated, config, cluster, lengths, prompts)
            step, offloaded = run(), run(deepspeed={"offload_optimizer": True})
            # Each engine's requests, starting with those to the prompt with the longest responses.
            members = [np.arange(engine, len(lengths), n_engines) for engine in range(n_engines)]
            order = np.stack([mine[np.argsort(-lengths[mine].mean(1))] for mine in members])
            in_order = rollout_ends(config, cluster, shape, lengths[order.T.ravel()], prompts)
            update_s = step.forward_s + step.critic_s + step.policy_s
            shares = (
                step.reward_s / step.step_s,
                early_share(run, config, n_gpus),
                (step.rollout_s - float(in_order.max())) / step.step_s,
                min(step.rollout_s, update_s) / step.step_s,
                1 - offloaded.step_s / step.step_s,
            )
            table.add_row(name, str(number), f"{step.step_s:.0f}", *map(percent, shares))
    Console().print(table)


def simulated(
    config: TrainingConfig, cluster: Cluster, lengths: np.ndarray, prompts: np.ndarray, **changes: dict
) -> Step:
    """A step with some fields changed, by section."""
    sections = {name: getattr(config, name).model_copy(update=update) for name, update in changes.items()}
    return simulate_step(config.model_copy(update=sections), cluster, lengths, prompts)


def early_share(run: Callable[..., Step], config: TrainingConfig, n_gpus: int) -> float | None:
    """Share of a step that early values save if each GPU has the whole networks; None if they do not fit."""
    whole = {"deepspeed": {"zero_stage": 2}, "rollout": {"gpu_memory_utilization": 0.5}}
    sections = {name: getattr(config, name).model_copy(update=update) for name, update in whole.items()}
    plan = make_plan(config.model_copy(update=sections), n_gpus=n_gpus, gpu_gib=80)
    if plan.peak_gib > 80:
        return None
    return 1 - run(**whole, ppo={"early_values": EARLY}).step_s / run(**whole).step_s


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


if __name__ == "__main__":
    main()
