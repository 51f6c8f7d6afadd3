"""Kill a real evaluation twice with SIGKILL, resume it, and compare it with an undisturbed one.

    python bench/evals/resume.py --model runs/smollm2/base/model --data ../shared/data

GSM8K, MATH500 and MAWPS, a slice of each, two samples per question at temperature 1 with vLLM. The table
shows what each start found and sampled; the last line says whether responses and summary are the same bytes.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import polars as pl
from rich.console import Console
from rich.table import Table

from bench.evals.agreement import SHOTS
from evals.benchmarks.loading import load
from evals.config import BenchmarkConfig, EvalsConfig
from evals.plan import make_plan
from evals.sampling import sample
from evals.scoring import score
from evals.statistics.metrics import summarize
from rewards.contracts.prompts import PromptConfig


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder in Hugging Face format")
    parser.add_argument("--data", type=Path, required=True, help="folder with raw/ and eval/")
    parser.add_argument("--limit", type=int, default=16, help="questions per task (default: 16)")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.out:
        return evaluate(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_requests = 3 * arguments.limit * 2
        table = Table(title=f"{n_requests} responses of {arguments.model}", title_justify="left")
        for column in ("start", "found", "ended by", "on disk", "seconds"):
            table.add_column(column, justify="left" if column in ("start", "ended by") else "right")
        run(folder / "whole", 0, "undisturbed", table)
        for number, share in enumerate((0.3, 0.7), start=1):
            run(folder / "killed", int(share * n_requests), f"kill {number}", table)
        run(folder / "killed", 0, "resumed", table)
        same = [
            (folder / "whole" / file).read_bytes() == (folder / "killed" / file).read_bytes()
            for file in ("responses.parquet", "summary.parquet")
        ]
        console = Console()
        console.print(table)
        for row in pl.read_parquet(folder / "killed" / "summary.parquet").iter_rows(named=True):
            interval = f"[{row['ci95_low']:.1%}, {row['ci95_high']:.1%}]"
            console.print(f"{row['benchmark']:<9}{row['accuracy']:>7.1%} {interval}", highlight=False)
        console.print(f"same responses: {same[0]}, same summary: {same[1]}")
        sys.exit(0 if all(same) else 1)


def run(out: Path, kill_after: int, name: str, table: Table) -> None:
    """Start the evaluation in a child process; kill it when `kill_after` responses are on disk."""
    found, started = n_stored(out), time.monotonic()
    process = subprocess.Popen([sys.executable, *sys.argv, "--out", str(out)], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if kill_after and n_stored(out) >= kill_after:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.05)
    if not kill_after and process.returncode:
        sys.exit(f"{name}: exit status {process.returncode}")
    ended = "SIGKILL" if process.returncode < 0 else "itself"
    seconds = time.monotonic() - started
    table.add_row(name, str(found), ended, str(n_stored(out)), f"{seconds:.0f}")


def n_stored(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.glob("*.jsonl"))


def evaluate(arguments: argparse.Namespace) -> None:
    """One process of the evaluation: sample what is missing, score, write responses and summary."""
    from training.rollout.vllm import VllmEngine

    mawps = {"problem_field": "input", "answer_field": "target", "id_field": "none"}
    entries = (
        BenchmarkConfig(name="gsm8k", limit=arguments.limit, n_samples=2),
        BenchmarkConfig(name="math500", limit=arguments.limit, n_samples=2),
        BenchmarkConfig(
            name="mawps",
            kind="custom",
            file="raw/mawps.jsonl.gz",
            limit=arguments.limit,
            n_samples=2,
            **mawps,
        ),
    )
    prompt = PromptConfig(template="few_shot", shots=SHOTS)
    config = EvalsConfig(benchmarks=entries, prompt=prompt, max_new_tokens=64, chunk=8)
    engine = VllmEngine(
        arguments.model,
        precision="fp32",
        max_model_tokens=1536,
        kv_cache_gib=1.0,
        gpu_memory_utilization=0.5,
        tensor_parallel=1,
    )
    responses, scored = [], []
    for entry in entries:
        benchmark = load(entry, arguments.data)
        plan = make_plan(benchmark, entry, config)
        generated = sample(engine, plan, config=config, folder=arguments.out)
        responses.append(generated.responses)
        scored.append(score(generated.responses, benchmark, mode=plan.conditions.mode).completions)
    pl.concat(responses).write_parquet(arguments.out / "responses.parquet")
    summarize(pl.concat(scored)).write_parquet(arguments.out / "summary.parquet")


if __name__ == "__main__":
    main()
