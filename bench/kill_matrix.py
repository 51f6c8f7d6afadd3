"""Kill the whole chain in each stage, run it again, and compare with an undisturbed run.

    python bench/kill_matrix.py                                   every stage and victim (about half an hour)
    python bench/kill_matrix.py --stages train --victims flow child

Victims: `flow` is the process of the flow, `child` the process that samples or trains, `server` Prefect's own
temporary server, each by SIGKILL; `term` is SIGTERM to the flow. After the kill the same command runs
again. A cell is `same` when summary.json has the same bytes, no process is left and no half artefact lies
about.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("curate", "base", "sample-base", "train", "sample-final")
VICTIMS = ("flow", "child", "server", "term")
# The demo in seconds: one-digit sums, a short warm-up, a few steps.
SMALL = {
    "held_out.0.generator.digits": 1,
    "held_out.0.generator.n-problems": 20,
    "curation.sources.0.generator.digits": 1,
    "curation.sources.0.generator.n-problems": 75,
    "training.n-steps": 8,
    "training.save-every": 2,
    "training.rollout.prompts-per-step": 8,
    "training.rollout.samples-per-prompt": 4,
    "training.ppo.critic-minibatches": 2,
    "evals.benchmarks.0.n-samples": 2,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-matrix-"))
    try:
        whole = folder / "whole"
        finish(start(whole), whole)
        expected = (whole / "demo" / "summary.json").read_bytes()
        table = Table(title="After a kill and one more run", title_justify="left")
        for column in ("stage", *arguments.victims):
            table.add_column(column)
        failures = 0
        for stage in arguments.stages:
            cells = [
                try_one(folder / f"{stage}-{victim}", stage, victim, expected) for victim in arguments.victims
            ]
            failures += sum(not cell.startswith("same") for cell in cells)
            table.add_row(stage, *cells)
        Console().print(table)
        sys.exit(1 if failures else 0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def try_one(runs: Path, stage: str, victim: str, expected: bytes) -> str:
    """Kill one run in one stage, run it again, say what came of it."""
    process = start(runs)
    if not wait_for_stage(process, runs, stage):
        return "not reached"
    target = find_victim(process, victim)
    if target is None:
        process.kill()
        process.wait()
        return "no such process"
    target.send_signal(signal.SIGTERM if victim == "term" else signal.SIGKILL)
    process.wait(timeout=300)
    finish(start(runs), runs)
    problems = []
    if (runs / "demo" / "summary.json").read_bytes() != expected:
        problems.append("another summary")
    if list((runs / "artifacts").rglob("*.partial")):
        problems.append("half artefact left")
    if left := left_processes(runs):
        problems.append(f"{len(left)} processes left")
    shutil.rmtree(runs, ignore_errors=True)
    return ", ".join(problems) or f"same (exit {process.returncode})"


def start(runs: Path) -> subprocess.Popen:
    runs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipelines", "run", "--config", "configs/demo.toml", "--runs", str(runs)]
    for key, value in SMALL.items():
        command += [f"--{key}", str(value)]
    environment = os.environ | {"PREFECT_HOME": str(runs / ".prefect"), "OMP_NUM_THREADS": "1"}
    with (runs / "output.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def finish(process: subprocess.Popen, runs: Path) -> None:
    if process.wait(timeout=900):
        sys.exit(f"the run failed: {(runs / 'output.log').read_text()[-3000:]}")


def wait_for_stage(process: subprocess.Popen, runs: Path, stage: str) -> bool:
    """Wait until `stage` is being made; for a stage with a child, until the child has said something."""
    link, log = runs / "demo" / stage, runs / "demo" / "logs" / f"{stage}.log"
    end = time.monotonic() + 600
    while process.poll() is None and time.monotonic() < end:
        is_started = link.is_symlink() and not (link / "manifest.json").exists()
        if is_started and (stage == "curate" or (log.exists() and "@progress" in log.read_text())):
            return True
        time.sleep(0.02)
    return False


def find_victim(process: subprocess.Popen, victim: str) -> psutil.Process | None:
    flow = psutil.Process(process.pid)
    if victim in ("flow", "term"):
        return flow
    wanted = "uvicorn" if victim == "server" else "pipelines.worker"
    return next((child for child in flow.children() if wanted in " ".join(child.cmdline())), None)


def left_processes(runs: Path) -> list[psutil.Process]:
    """Processes that still belong to these runs a while after the last one has ended."""
    end = time.monotonic() + 30
    while (found := [p for p in psutil.process_iter() if belongs(p, runs)]) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def belongs(process: psutil.Process, runs: Path) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        home = process.environ().get("PREFECT_HOME", "")
        return str(runs) in " ".join(process.cmdline()) or home.startswith(str(runs))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


if __name__ == "__main__":
    main()
