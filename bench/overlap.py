"""What could run beside the rollout, as a share of the step; and what one step off-policy costs in reward.

    python bench/overlap.py                 measured on the demo's task; simulated for the paper's runs
    python bench/overlap.py --seeds 3 --steps 25

First simulated steps of orz_7b.toml on 32 GPUs and orz_32b.toml on 128, early, middle and late in the run,
from when each response ends: the verifier's work; the critic's values of responses that end in the first half
of the rollout, made during the second; requests in order of the prompt's mean length; sampling beside the
update. Then phases of real steps (torch sampler, CPU seconds), and the same training on-policy and with
training.rollout.lag = 1: reward of the last five steps over seeds.
"""

import argparse
import statistics
import sys
import tempfile
import time
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
from training.base_model import make_base_model
from training.config import CorpusPhase, TrainingConfig
from training.plan import find_shape
from training.simulator.lengths import PAPER
from training.simulator.machine import Machine
from training.simulator.steps import Cluster, rollout_ends, simulate_step
from training.train import train

ROOT = Path(__file__).resolve().parent.parent
PHASES = (CorpusPhase(n_steps=250, careful=0.9, quick=0.1), CorpusPhase(n_steps=40, careful=0.15, quick=0.75))
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
    rewards: dict[int, list[float]] = {0: [], 1: []}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(arguments.seeds):
            base, rows = None, problems()
            for lag in (0, 1):
                config = demo(seed, lag, arguments.steps)
                folder = Path(temporary) / f"{seed}-{lag}"
                base = base or make_base_model(config, rows, folder)
                train(config, rows, base, folder)
                metrics = pl.read_ndjson(folder / "metrics.jsonl")
                rewards[lag].append(metrics["reward"].tail(5).mean())  # type: ignore[arg-type]
                if seed == 0:
                    show_phases(pl.read_ndjson(folder / "timings.jsonl"), lag)
    table = Table("lag", "reward of the last five steps, by seed", "mean", title="Off-policy by a step")
    for lag, found in rewards.items():
        table.add_row(str(lag), ", ".join(f"{x:.3f}" for x in found), f"{statistics.mean(found):.3f}")
    Console().print(table)


def demo(seed: int, lag: int, n_steps: int) -> TrainingConfig:
    config = load_config(ROOT / "configs" / "demo.toml").training
    warmup = config.model.warmup
    assert warmup is not None
    changes: dict = config.model_dump()
    changes["model"]["warmup"] |= {"phases": [phase.model_dump() for phase in PHASES]}
    changes["rollout"] |= {"lag": lag, "max_mismatch": 1.0 if lag else 0.0}
    changes["ppo"] |= {"max_importance_weight": 2.0 if lag else None}
    changes |= {"seed": seed, "n_steps": n_steps, "save_every": n_steps, "eval_every": 0}
    return TrainingConfig.model_validate(changes)


def problems() -> pl.DataFrame:
    tasks = generate(GeneratorConfig(family="addition", digits=1, n_problems=60, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def show_phases(timings: pl.DataFrame, lag: int) -> None:
    total = timings["step_s"].sum()
    table = Table(
        *(name.removesuffix("_s") for name in PARTS), "rest", title=f"Measured, lag {lag}: % of a step"
    )
    shares = [timings[name].sum() / total for name in PARTS]
    table.add_row(*(f"{share:.1%}" for share in [*shares, 1 - sum(shares)]))
    Console().print(table)


def show_simulated() -> None:
    columns = ("run", "step", "step s", "rewards", "values hidden", "longest first", "beside the update")
    table = Table(*columns, title="Simulated: what each would take off a step", title_justify="left")
    machine = Machine.of_gpu(400, 2.4, 100)
    for name, n_gpus in (("orz_7b", 32), ("orz_32b", 128)):
        config = load_config(ROOT / "configs" / f"{name}.toml").training
        cluster, shape = Cluster(n_gpus, machine), find_shape(config)
        prompts = np.full(config.rollout.prompts_per_step, 256)
        for number in (1, 500, 1000):
            batch = (config.rollout.prompts_per_step, config.rollout.samples_per_prompt)
            limit = config.rollout.max_new_tokens
            lengths = PAPER[config.model.path or ""].sample(number, *batch, limit, 0)
            step = simulate_step(config, cluster, lengths, prompts)
            ends = rollout_ends(config, cluster, shape, lengths, prompts)
            # Values of what has ended by then fit into the last half of the rollout, in which few rows grow.
            early = ends <= 0.5 * ends.max()
            n_engines = n_gpus // config.rollout.tensor_parallel
            means = lengths.mean(1)
            members = [np.arange(engine, len(lengths), n_engines) for engine in range(n_engines)]
            order = np.concatenate([mine[np.argsort(-means[mine])] for mine in members])
            own = np.stack([lengths[engine::n_engines].ravel() for engine in range(n_engines)])
            hidden = min(step.forward_s * float(own[early].sum() / own.sum()), 0.5 * step.rollout_s)
            dealt = order.reshape(n_engines, -1).T.ravel()
            sorted_s = float(rollout_ends(config, cluster, shape, lengths[dealt], prompts).max())
            update_s = step.forward_s + step.critic_s + step.policy_s
            gains = (step.reward_s, hidden, step.rollout_s - sorted_s, min(step.rollout_s, update_s))
            table.add_row(
                name, str(number), f"{step.step_s:.0f}", *(f"{gain / step.step_s:.1%}" for gain in gains)
            )
    Console().print(table)


if __name__ == "__main__":
    main()
