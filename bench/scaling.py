"""Measure how curation on a Ray cluster and evaluation on several engines scale: 1, 2 and 4 workers.

    python bench/scaling.py ../shared/data/raw                 curation: 100,000 synthetic rows
    python bench/scaling.py ../shared/data/raw --workers 1 2 --work curate --rows 20000

Curation uses the Ray executor, on a cluster started on this machine; the kept rows must be the same.
Evaluation divides one plan among the processes, with a torch sampler each, as the stage `sample` does. A
worker has one thread. The speedup is of wall time, without the start of processes and of Ray, which is listed
separately; CPU seconds show the cost of splitting the work.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import polars as pl
import psutil
from rich.console import Console
from rich.table import Table


def main() -> None:
    if sys.argv[1:2] == ["--curate"]:
        return curate_once(Path(sys.argv[2]), int(sys.argv[3]))
    if sys.argv[1:2] == ["--sample"]:
        return sample_once(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", type=Path, help="file or folder of problems")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--responses", type=int, default=12_000)
    parser.add_argument("--work", nargs="+", choices=("evaluate", "curate"), default=["evaluate", "curate"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    from curate_scale import make
    from dedup import problems_in

    columns = ("work", "workers", "wall s", "speedup", "CPU-s", "start s", "same result")
    table = Table(*columns, title_justify="left")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(problems_in(arguments.problems), arguments.rows, folder)
        base = make_model(folder)
        for what in arguments.work:
            first = None
            for n in arguments.workers:
                if what == "curate":
                    commands = [["--curate", str(folder), str(n)]]
                else:
                    asked = str(arguments.responses)
                    commands = [["--sample", str(base), str(part), str(n), asked] for part in range(n)]
                wall, cpu, start, result = run(commands)
                first = first or (wall, result)
                speed = f"{first[0] / wall:.2f}"
                figures = (f"{wall:.1f}", speed, f"{cpu:.1f}", f"{start:.1f}", str(result == first[1]))
                Console().print(what, n, *figures)
                table.add_row(what, str(n), *figures)
    table.title = f"{arguments.rows:,} rows, {arguments.responses:,} responses, {os.cpu_count()} cores"
    Console().print(table)


def run(commands: list[list[str]]) -> tuple[float, float, float, object]:
    """Run child processes in parallel; returns the longest wall time, CPU seconds of all, the longest start,
    and what they made.

    Times count from the moment when a child has loaded what it needs and started Ray.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    environment["RAY_raylet_start_wait_time_s"] = "300"  # A busy machine takes long to start one.
    children = [
        subprocess.Popen(
            [sys.executable, __file__, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for command in commands
    ]
    found = []
    for child in children:
        out, err = child.communicate()
        if child.returncode:
            raise RuntimeError(err[-3000:])
        found.append(json.loads(out.strip().splitlines()[-1]))
    made = sorted(line for one in found for line in one["result"])
    wall, start = (max(one[name] for one in found) for name in ("wall_s", "start_s"))
    return wall, sum(one["cpu_s"] for one in found), start, made


def curate_once(folder: Path, n_workers: int) -> None:
    import ray

    from curation.config import CurationConfig
    from curation.curate import curate

    # Started here, so that only the work is timed; curation uses a cluster that is running.
    ray.init(num_cpus=n_workers, include_dashboard=False, log_to_driver=False)
    start_s = age()
    sources = [{"name": file.stem, "file": file.name} for file in sorted(folder.glob("made-*.parquet"))]
    execution = {
        "executor": "ray",
        "n_workers": n_workers,
        "rows_per_part": 10_000,
        "rows_per_partition": 20_000,
    }
    config = CurationConfig.model_validate(
        {"sources": sources, "dedup": {"conflicts": "keep"}, "execution": execution}
    )
    protected = pl.DataFrame(schema={"benchmark": pl.String, "question_id": pl.String, "problem": pl.String})
    started, spent = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as out:
        result = curate(config, data_root=folder, protected=protected, folder=Path(out))
        tell(start_s, started, spent, [str(row) for row in result.funnel.iter_rows()])
    ray.shutdown()


def tell(start_s: float, started: float, spent: float, result: list[str]) -> None:
    """Pass the figures of the work since `started` to the parent, on the last line."""
    found = {"wall_s": time.perf_counter() - started, "cpu_s": cpu_seconds() - spent}
    sys.stdout.write("\n" + json.dumps(found | {"start_s": start_s, "result": result}) + "\n")
    sys.stdout.flush()


def age() -> float:
    """Seconds since this process started."""
    return time.time() - psutil.Process().create_time()


def cpu_seconds() -> float:
    """CPU seconds of this process and all its descendants, including Ray's workers and ended ones."""
    this = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in (this, *this.children(recursive=True)))


def make_model(folder: Path) -> Path:
    from training.base.base_model import make_base_model
    from training.config import TrainingConfig

    problem = {"problem": "1+2=?", "answer": "3", "solution": "1+2=3", "split": "train"}
    rollout = {"max_prompt_tokens": 16, "max_new_tokens": 48}
    config = TrainingConfig.model_validate(
        {"model": {"scratch": {"max_tokens": 96}}, "prompt": {"template": "bare"}, "rollout": rollout}
    )
    return make_base_model(config, pl.DataFrame([problem]), folder)


def sample_once(model: Path, part: int, n_parts: int, n_responses: int) -> None:
    import torch

    from evals.config import EvalsConfig
    from evals.plan import Plan
    from evals.profiles import Conditions
    from evals.sampling import sample
    from rewards.contracts.engine import Sampling
    from rewards.contracts.prompts import PromptConfig
    from training.rollout.torch_sampler import TorchSampler

    torch.set_num_threads(1)
    engine = TorchSampler(model, precision="fp32", max_model_tokens=96, kv_cache_gib=0.25)
    conditions = Conditions(PromptConfig(template="bare"), Sampling(48, stop=("</answer>",)), "orz", "sample")
    rows = [(f"q{i}", f"{i % 9}+{i % 7}=?<think>", f"{i}", "0", None) for i in range(n_responses)]
    schema = ["question_id", "prompt", "problem", "answer", "n_choices"]
    plan = Plan("made", conditions, 1, pl.DataFrame(rows, schema=schema, orient="row"))
    start_s, started, spent = age(), time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        config = EvalsConfig(chunk=256)
        found = sample(engine, plan, config=config, folder=Path(folder), part=(part, n_parts))
    responses = found.responses.select("question_id", "response").rows()
    tell(start_s, started, spent, [f"{question} {response}" for question, response in responses])


if __name__ == "__main__":
    main()
