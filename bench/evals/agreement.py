"""Compare our evals with lm-evaluation-harness on the same model and prompts, greedy; measure our overhead.

    python bench/evals/agreement.py --model runs/smollm2/base/model --data ../shared/data

Three tasks (GSM8K, MATH500, MAWPS), a slice of each, four worked examples. lm-eval 0.4.13 runs in its own
environment with this environment's vLLM, and scores by exact match of the content of the box. The other table
is CPU time of our sampling, scoring and statistics compared with a bare `LLM.generate` on the same prompts in
the same engine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import polars as pl
from rich.console import Console
from rich.table import Table

from bench.peers.environment import peer_environment
from evals.benchmarks.loading import load
from evals.config import BenchmarkConfig, EvalsConfig
from evals.plan import Plan, make_plan
from evals.sampling import sample
from evals.scoring import score
from evals.statistics.metrics import curves, summarize
from rewards.contracts.prompts import PromptConfig, Shot
from training.rollout.vllm import VllmEngine

PEER = ["lm-eval==0.4.13"]
SHOTS = (
    Shot(problem="Mia has 3 red pens and 5 blue pens. How many pens?", thought="3 + 5 = 8", answer="8"),
    Shot(problem="A box holds 12 eggs. 4 break. How many are whole?", thought="12 - 4 = 8", answer="8"),
    Shot(problem="There are 6 bags of 7 apples. How many apples?", thought="6 * 7 = 42", answer="42"),
    Shot(problem="20 cookies for 4 children. How many each?", thought="20 / 4 = 5", answer="5"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder in Hugging Face format")
    parser.add_argument("--data", type=Path, required=True, help="folder with raw/ and eval/")
    parser.add_argument("--limit", type=int, default=40, help="questions per task (default: 40)")
    parser.add_argument("--tokens", type=int, default=64, help="longest response (default: 64)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the overhead table (default: 3)")
    arguments = parser.parse_args()
    config = EvalsConfig(
        benchmarks=(
            BenchmarkConfig(name="gsm8k", limit=arguments.limit),
            BenchmarkConfig(name="math500", limit=arguments.limit),
            BenchmarkConfig(
                name="mawps",
                kind="custom",
                file="raw/mawps.jsonl.gz",
                problem_field="input",
                answer_field="target",
                id_field="none",
                limit=arguments.limit,
            ),
        ),
        prompt=PromptConfig(template="few_shot", shots=SHOTS),
        temperature=0.0,
        max_new_tokens=arguments.tokens,
    )
    benchmarks = [load(entry, arguments.data) for entry in config.benchmarks]
    plans = [make_plan(b, entry, config) for b, entry in zip(benchmarks, config.benchmarks, strict=True)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = 1024 + arguments.tokens
    engine = VllmEngine(
        arguments.model,
        precision="fp32",
        max_model_tokens=context,
        kv_cache_gib=1.0,
        gpu_memory_utilization=0.5,
        tensor_parallel=1,
    )
    rounds = [measure(engine, plans, benchmarks, config) for _ in range(arguments.rounds)]
    completions = rounds[-1][2]
    show_overhead(rounds, completions.height)
    engine.close()
    show_agreement(ask_peer(arguments.model, plans, context, arguments.tokens), completions)


def measure(engine, plans: list[Plan], benchmarks, config: EvalsConfig) -> tuple[float, float, pl.DataFrame]:
    """CPU seconds of a bare generate and of ours, each with an empty prefix cache, and our completions."""
    engine.llm.reset_prefix_cache()
    started = time.process_time()
    for plan in plans:
        tokens = [engine.encode(prompt) for prompt in plan.prompts["prompt"]]
        sampling = plan.conditions.sampling
        stops = engine._stop_token_ids(sampling.stop)
        engine.llm.generate(
            [{"prompt_token_ids": prompt} for prompt in tokens],
            [engine._params(sampling, stops, index, False) for index in range(len(tokens))],
            use_tqdm=False,
        )
    bare = time.process_time() - started
    engine.llm.reset_prefix_cache()
    started = time.process_time()
    scored = []
    with tempfile.TemporaryDirectory() as folder:
        for plan, benchmark in zip(plans, benchmarks, strict=True):
            generated = sample(engine, plan, config=config, folder=Path(folder))
            scored.append(score(generated.responses, benchmark, mode=plan.conditions.mode).completions)
    completions = pl.concat(scored)
    summarize(completions)
    curves(completions)
    return bare, time.process_time() - started, completions


def ask_peer(model: Path, plans: list[Plan], context: int, n_tokens: int) -> dict[str, list]:
    """Run lm-eval in its own environment on the same prompts."""
    python = peer_environment("lm-eval", PEER, shares=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {}
        for plan in plans:
            files[plan.benchmark] = str(folder / f"{plan.benchmark}.jsonl")
            plan.prompts.select("prompt", "answer").write_ndjson(files[plan.benchmark])
        job = {
            "files": files,
            "stop": list(plans[0].conditions.sampling.stop),
            "max_new_tokens": n_tokens,
            "model_args": f"pretrained={model},dtype=float32,enforce_eager=True,max_model_len={context},"
            "gpu_memory_utilization=0.5,add_bos_token=False",
        }
        (folder / "job.json").write_text(json.dumps(job))
        environment = os.environ | {
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hf"),
        }
        script = Path(__file__).parents[1] / "peers" / "lm_eval.py"
        command = [str(python), str(script), str(folder / "job.json"), str(folder / "out.json")]
        subprocess.run(command, check=True, env=environment, cwd=folder)
        return json.loads((folder / "out.json").read_text())


def show_overhead(rounds: list[tuple[float, float, pl.DataFrame]], n_responses: int) -> None:
    table = Table(title=f"CPU seconds for {n_responses} responses", title_justify="left")
    for column in ("", "median", "min", "max"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in (
        ("bare LLM.generate", [row[0] for row in rounds]),
        ("plan, sample, score, statistics", [row[1] for row in rounds]),
    ):
        table.add_row(name, *(f"{f(values):.2f}" for f in (statistics.median, min, max)))
    overheads = [ours / bare - 1 for bare, ours, _ in rounds]
    table.add_row("overhead", *(f"{f(overheads):+.1%}" for f in (statistics.median, min, max)))
    Console().print(table)


def show_agreement(theirs: dict[str, list], completions: pl.DataFrame) -> None:
    table = Table(title="Agreement with lm-eval 0.4.13, greedy", title_justify="left")
    for column in ("task", "questions", "same text", "same verdict", "ours right", "theirs right"):
        table.add_column(column, justify="left" if column == "task" else "right")
    totals = [0] * 5
    for name, rows in theirs.items():
        ours = completions.filter(pl.col("benchmark") == name)
        same_text = same_verdict = 0
        for row, (text, is_right) in zip(ours.iter_rows(named=True), rows, strict=True):
            same_text += row["response"].removesuffix("</answer>").strip() == text.strip()
            same_verdict += row["is_correct"] == bool(is_right)
            if row["is_correct"] != bool(is_right):
                sys.stdout.write(f"{name}: gold {row['gold']!r} ours {row['extracted']!r} theirs {text!r}\n")
        counts = [ours.height, same_text, same_verdict, int(ours["is_correct"].sum())]
        counts.append(int(sum(is_right for _, is_right in rows)))
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        table.add_row(name, *map(str, counts))
    table.add_row("all", *map(str, totals))
    Console().print(table)


if __name__ == "__main__":
    main()
