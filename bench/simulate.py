"""Predict real training steps with the simulator, and compare the prediction with the measurement.

    python bench/simulate.py                                   three runs with small random models
    python bench/simulate.py --model runs/smollm2/base/model   SmolLM2-135M as a fourth
    python bench/simulate.py --run runs/smollm2                and a finished run that sampled with vLLM

The machine's rates (seconds per FLOP, byte, layer call, ...) are fitted to short calibration runs. The
predicted runs have sizes, batches and lengths that do not occur in the calibration. The simulator gets their
configuration and the response lengths of their first step (mean, spread, kinship), and predicts the time of
the later steps by phase. Everything is in CPU seconds of one thread, so that other programs on the machine
matter little.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))
# The loop times its phases with this clock; on a busy machine only CPU time is reproducible.
time.perf_counter = time.process_time
# ruff: noqa: E402

import numpy as np
import polars as pl
import torch
from parts.simulate_vllm import WIDTH, compare_run
from rich.console import Console
from rich.table import Table

from bench.gpu.setting import make_model
from curation.generators import generate
from curation.generators.family import GeneratorConfig
from rewards.contracts.prompts import PromptConfig
from training.base.base_model import make_base_model
from training.config import TrainingConfig
from training.data import load_prompts
from training.planning.shape import Shape, find_shape
from training.planning.simulator.decoding import decode_wave
from training.planning.simulator.lengths import measured
from training.planning.simulator.machine import Cluster, Machine, Rates, decode_work, fit_rates, prefill_work
from training.planning.simulator.steps import simulate_step
from training.planning.simulator.update import update_work
from training.rails import Rails
from training.ranks import join_ranks
from training.recorder import Recorder
from training.rollout.batches import Rollouts
from training.rollout.engine import open_engine
from training.train import build_ppo, run_step

PHASES = ("rollout_s", "reward_s", "forward_s", "critic_s", "policy_s", "sync_s")


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    hidden: int
    n_layers: int
    prompts: int
    samples: int
    max_new_tokens: int
    minibatches: int = 4
    n_vocab: int = 0
    """0: the characters of the sums only."""


# (width, layers, prompts, samples, response limit, critic minibatches)
CALIBRATION = (
    Case("64 x 2", 64, 2, 8, 4, 32),
    Case("64 x 4", 64, 4, 24, 8, 64, 12),
    Case("128 x 3", 128, 3, 16, 4, 32, 2),
    Case("128 x 6", 128, 6, 24, 8, 80),
    Case("256 x 4", 256, 4, 32, 8, 48),
    Case("512 x 4", 512, 4, 8, 4, 48, 2),
    Case("512 x 8", 512, 8, 12, 4, 64, 1),
    # For the cost of a large vocabulary.
    Case("128 x 2, wide", 128, 2, 8, 8, 32, 2, 32768),
)
PREDICTED = (
    Case("small: 64 x 3, 16 x 8", 64, 3, 16, 8, 48),
    Case("middle: 192 x 5, 24 x 8", 192, 5, 24, 8, 64, 6),
    Case("large: 384 x 6, 12 x 8", 384, 6, 12, 8, 96, 3),
)


@dataclass(slots=True)
class Ran:
    """A measured run: its settings, and per step the responses and the CPU seconds of each phase."""

    config: TrainingConfig
    prompts: list[np.ndarray]
    lengths: list[np.ndarray]
    times: list[dict[str, float]]

    def median(self, phase: str) -> float:
        return statistics.median(times[phase] for times in self.times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="also predict a run of this model folder")
    parser.add_argument("--run", type=Path, help="also predict this finished run (config.json, train/)")
    parser.add_argument("--steps", type=int, default=5, help="steps per run; the first is not timed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs, known = {}, []
        # Before and after, because the cache and memory bandwidth that other programs leave free changes.
        known += [calibration(case, folder / "before" / case.name) for case in CALIBRATION]
        for case in PREDICTED:
            runs[case.name] = run(settings(case), folder / case.name, arguments.steps)
        if arguments.model:
            config = settings(Case("given", 64, 2, 2, 2, 32, 1), arguments.model)
            runs["given model, 2 x 2"] = run(config, folder / "given", 3)
        known += [calibration(case, folder / "after" / case.name) for case in CALIBRATION]
        machine = calibrate(known)
        rows = [row for name, ran in runs.items() for row in compare(name, ran, machine)]
    show_machine(machine)
    if arguments.run:
        rows += compare_run(arguments.run, machine, (*PHASES, "step_s"))
    show(rows)


def calibration(case: Case, folder: Path) -> Ran:
    """A short run; a model with a large vocabulary is random, so that its responses reach the limit."""
    if not case.n_vocab:
        return run(settings(case), folder, 3)
    n_heads, width = max(1, case.hidden // 64), 3 * case.hidden
    head_dim = case.hidden // n_heads
    shape = Shape(case.hidden, case.n_layers, n_heads, n_heads, width, case.n_vocab, True, head_dim)
    model = make_model(shape, 512, folder.with_name(f"{case.name}, model"), names_all=True)
    config = settings(case, model)
    return run(config.model_copy(update={"prompt": PromptConfig(template="bare")}), folder, 3)


def settings(case: Case, model: Path | None = None) -> TrainingConfig:
    n_heads = max(1, case.hidden // 64)
    scratch = {"hidden": case.hidden, "n_layers": case.n_layers, "n_heads": n_heads}
    scratch |= {"intermediate": 3 * case.hidden, "max_tokens": case.max_new_tokens + 32}
    longest = 512 if model else 24
    return TrainingConfig.model_validate(
        {
            "model": {"path": str(model)} if model else {"scratch": scratch},
            "prompt": {"template": "orz" if model else "bare"},
            "rollout": {
                "engine": "torch",
                "prompts_per_step": case.prompts,
                "samples_per_prompt": case.samples,
                "max_prompt_tokens": longest,
                "max_new_tokens": case.max_new_tokens,
                "probe_responses": 4,
                "stop": ["</answer>"],
            },
            "ppo": {"critic_minibatches": case.minibatches, "micro_batch_tokens": 1024 if model else 4096},
            # Learning rates of 0: the policy, and with it the response length, stays the same.
            "actor": {"lr": 0.0},
            "critic": {"lr": 0.0},
            "deepspeed": {"zero_stage": 0, "precision": "fp32", "gradient_checkpointing": False},
        }
    )


def run(config: TrainingConfig, folder: Path, n_steps: int) -> Ran:
    """Train for a few steps on sums, as `training.train` does."""
    tasks = generate(GeneratorConfig(family="addition", digits=2, n_problems=200, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    folder.mkdir(parents=True)
    base = make_base_model(config, frame, folder)
    ranks = join_ranks()
    engine = open_engine(config, base, config.rollout.max_prompt_tokens + config.rollout.max_new_tokens)
    ppo = build_ppo(config, base, ranks)
    prompts, _ = load_prompts(frame, config.prompt, engine.encode, config.rollout.max_prompt_tokens)
    rollouts = Rollouts(config, engine, ranks)
    recorder, rails = Recorder(folder, None, 0, 0), Rails(config.rails, [])
    for step in range(1, n_steps + 1):
        run_step(config, step, prompts, rollouts, ppo, recorder, rails, ranks)
    recorder.close()
    n_samples = config.rollout.samples_per_prompt
    steps = [pl.read_parquet(path) for path in sorted((folder / "rollouts").glob("*.parquet"))]
    return Ran(
        config,
        [step["n_prompt_tokens"].to_numpy()[::n_samples] for step in steps],
        [step["n_response_tokens"].to_numpy().reshape(-1, n_samples) for step in steps],
        pl.read_ndjson(folder / "timings.jsonl").to_dicts(),
    )


def calibrate(runs: list[Ran]) -> Machine:
    """Rates of this machine, fitted to measured runs: a phase's time is linear in its work."""
    decoding, training, copying = [], [], []
    rewards, rests = [], []
    for ran in runs:
        shape = find_shape(ran.config)
        per_step = decode_work(shape, WIDTH)
        for prompts, lengths, times in list(zip(ran.prompts, ran.lengths, ran.times, strict=True))[1:]:
            repeated = np.repeat(prompts, lengths.shape[1])
            wave = np.array(decode_wave(repeated, lengths.ravel(), ran.config.rollout.max_new_tokens))
            read = prefill_work(shape, WIDTH, prompts[None])[0]
            decoding.append(np.append(wave @ per_step + read, times["rollout_s"]))
            for phase, work in update_work(ran.config, 1, shape, WIDTH, prompts, lengths).items():
                training.append(np.concatenate([work.passes, work.optimizer[1:4], [times[phase]]]))
            copying.append(np.array([2.0 * shape.n_parameters * WIDTH, 1.0, times["sync_s"]]))
            rewards.append(times["reward_s"] / lengths.size)
            rests.append(times["step_s"] - sum(times[phase] for phase in PHASES))
    decode = fit_rates(np.array(decoding)[:, :-1], np.array(decoding)[:, -1])
    train = fit_rates(np.array(training)[:, :-1], np.array(training)[:, -1])
    copy = fit_rates(np.array(copying)[:, :-1], np.array(copying)[:, -1])
    return Machine(
        decode=Rates(*decode),
        train=Rates(*train[:5]),
        update=Rates(0.0, *train[5:]),
        copy_byte_s=copy[0],
        step_s=copy[1] + statistics.median(rests),
        reward_s=statistics.median(rewards),
        width=WIDTH,
    )


def compare(name: str, ran: Ran, machine: Machine) -> list[tuple[str, str, float, float]]:
    """(run, phase, predicted, measured) in CPU seconds per step; uses only the first step's lengths."""
    config, n_steps = ran.config, len(ran.times) - 1
    likeness, limit = measured(ran.lengths[0]), config.rollout.max_new_tokens
    prompts = np.full(len(ran.prompts[0]), round(float(ran.prompts[0].mean())))
    simulated = [
        simulate_step(
            config,
            Cluster(1, machine),
            likeness.sample(step, len(prompts), config.rollout.samples_per_prompt, limit, 0),
            prompts,
        )
        for step in range(2, 2 + max(n_steps, 8))
    ]
    phases = (*PHASES, "step_s")
    return [
        (name, phase, statistics.mean(getattr(step, phase) for step in simulated), ran.median(phase))
        for phase in phases
    ]


def show_machine(machine: Machine) -> None:
    table = Table("", "GFLOP/s", "GB/s", "µs per layer", "µs per call", title="Rates", title_justify="left")
    for name in ("decode", "train", "update"):
        rates: Rates = getattr(machine, name)
        table.add_row(
            name,
            f"{1e-9 / rates.flop_s:.1f}" if rates.flop_s else "-",
            f"{1e-9 / rates.byte_s:.1f}" if rates.byte_s else "-",
            f"{rates.layer_s * 1e6:.0f}",
            f"{rates.call_s * 1e6:.0f}",
        )
    Console().print(table)


def show(rows: list[tuple[str, str, float, float]]) -> None:
    table = Table("run", "phase", title="CPU seconds per step", title_justify="left")
    for column in ("predicted", "measured", "error"):
        table.add_column(column, justify="right")
    for name, phase, predicted, ran in rows:
        is_step = phase == "step_s"
        error = f"{predicted / ran - 1:+.1%}" if ran > 1e-4 else "-"
        marked = f"[bold]{error}[/bold]" if is_step else error
        table.add_row(
            name, phase.removesuffix("_s"), f"{predicted:.4f}", f"{ran:.4f}", marked, end_section=is_step
        )
    Console().print(table)


if __name__ == "__main__":
    main()
