"""Kill a training run (SIGKILL) in each of its phases, resume it, and compare it with an undisturbed one.

python bench/resume.py                    six phases, on one rank and on two
python bench/resume.py --ranks 1 --phases policy save

A tiny model (minutes on one core): four steps, the last two of them annealing on the prompts that the first
two found hard, and a checkpoint every second step. The kill is in the third step, or in the middle of writing
the second checkpoint. With two ranks, only the last one is killed; the launcher ends the other. The bytes of
metrics, rollouts and exported weights are compared.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
from rich.console import Console
from rich.table import Table

from curation.generators import generate
from curation.generators.family import GeneratorConfig
from rewards.contracts.files import hash_file, hash_text
from training.config import TrainingConfig

ROOT = Path(__file__).resolve().parent.parent
PHASES = ("rollout", "reward", "critic", "policy", "sync", "save")
KILL_STEP = 3


def make_config(n_ranks: int) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {
            "model": {
                "scratch": {"hidden": 64, "n_layers": 2, "n_heads": 2, "intermediate": 128, "max_tokens": 64},
                "warmup": {"phases": [{"n_steps": 60, "careful": 0.3, "quick": 0.7}], "batch_size": 32},
            },
            "prompt": {"template": "bare"},
            "n_steps": 2,
            # Steps 3 and 4 are the annealing stage, on prompts that the first two steps found hard.
            "anneal": {"n_steps": 2, "hard_below": 1.0},
            "rollout": {
                "engine": "torch",
                "prompts_per_step": 4,
                "samples_per_prompt": 4,
                "max_prompt_tokens": 16,
                "max_new_tokens": 32,
                "stop": ["</answer>"],
                "kv_cache_gib": 0.25,
            },
            "ppo": {"critic_minibatches": 2, "micro_batch_tokens": 256},
            "actor": {"lr": 3e-4, "warmup_steps": 2, "final_lr": 3e-7},
            "critic": {"lr": 1e-3, "warmup_steps": 2},
            "deepspeed": {
                "zero_stage": 2,
                "precision": "fp32",
                "gradient_checkpointing": False,
                "n_ranks": n_ranks,
            },
            "save_every": 2,
        }
    )


def make_rows() -> pl.DataFrame:
    tasks = generate(GeneratorConfig(family="addition", digits=1, n_problems=60, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def train_once(base: Path, out: Path, n_ranks: int, phase: str = "") -> int:
    """Train in a child process per rank, killed once in `phase`; returns the exit status."""
    command = [sys.executable]
    if n_ranks > 1:
        command += ["-m", "torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
        command += [f"--nproc-per-node={n_ranks}"]
    command += [str(Path(__file__).resolve()), "--child", str(base), str(out), str(n_ranks), phase or "none"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode and not phase:
        raise RuntimeError(done.stderr[-3000:])
    return done.returncode


def child(base: Path, out: Path, n_ranks: int, phase: str) -> None:
    """The run itself; the last rank kills itself in `phase`, unless it did in an earlier start."""
    import torch

    import training.ppo
    import training.rollout.batches as batches
    import training.saving.checkpoints as checkpoints
    import training.train as loop
    from training.ranks import end_rank
    from training.rollout.torch_sampler import TorchSampler

    torch.set_num_threads(1)
    out.mkdir(exist_ok=True)
    marker, state = out / "killed", {"step": 0}
    is_victim = int(os.environ.get("RANK", "0")) == n_ranks - 1 and not marker.exists()

    def before(owner, name: str, place: str, nth: int = 1, when: int = KILL_STEP) -> None:
        """Die when `owner.name` is called for the nth time in step `when`."""
        original, n_calls = getattr(owner, name), 0

        def wrapped(*arguments, **options):
            nonlocal n_calls
            n_calls += state["step"] == when
            if is_victim and phase == place and state["step"] == when and n_calls == nth:
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        setattr(owner, name, wrapped)

    run_step = loop.run_step

    def counted(config, step, *arguments, **options):
        state["step"] = step
        return run_step(config, step, *arguments, **options)

    loop.run_step = counted
    before(TorchSampler, "generate", "rollout")
    before(batches, "score", "reward", nth=2)
    # Killed after the critic's first minibatch, after the whole critic, or as the checkpoint is written.
    before(training.ppo, "value_loss", "critic", nth=2)
    before(training.ppo, "policy_loss", "policy")
    before(TorchSampler, "load_weights", "sync")
    before(checkpoints.dcp, "save", "save", when=4)
    loop.train(make_config(n_ranks), make_rows(), base, out)
    end_rank()


def fingerprint(out: Path) -> str:
    """Hash of the run's metrics, rollouts and exports; times differ and are left out."""
    files = [out / "metrics.jsonl", *sorted((out / "rollouts").iterdir())]
    files += sorted(path for path in (out / "exports").rglob("*") if path.is_file())
    return hash_text(json.dumps([(str(path.relative_to(out)), hash_file(path)) for path in files]), 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--phases", nargs="+", default=PHASES, choices=PHASES)
    arguments = parser.parse_args()
    table = Table("ranks", "killed in", "exit", "resumed to", "undisturbed", "equal", "seconds")
    n_different = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = make_base(folder)
        for n_ranks in arguments.ranks:
            train_once(base, folder / f"whole-{n_ranks}", n_ranks)
            whole = fingerprint(folder / f"whole-{n_ranks}")
            for phase in arguments.phases:
                started, out = time.monotonic(), folder / f"{phase}-{n_ranks}"
                status = train_once(base, out, n_ranks, phase)
                train_once(base, out, n_ranks)
                resumed = fingerprint(out)
                n_different += resumed != whole or status == 0
                seconds = f"{time.monotonic() - started:.0f}"
                equal = "yes" if resumed == whole else "[red]NO"
                equal = equal if status else "[red]not killed"
                table.add_row(str(n_ranks), phase, str(status), resumed, whole, equal, seconds)
    Console().print(table)
    sys.exit(1 if n_different else 0)


def make_base(folder: Path) -> Path:
    from training.base.base_model import make_base_model

    return make_base_model(make_config(1), make_rows(), folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        main()
