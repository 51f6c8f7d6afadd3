"""Measure Prefect's overhead: all stages as a flow, compared with the bare stage functions, in CPU-seconds.

    python bench/flows/flow_overhead.py

Both run the chain of small_chain.py, one after the other: once from scratch, once with all artifacts present.
The flow starts a temporary server. All processes that they start are counted, including servers and orphans.
The last rows are short commands, for whose output a user waits.
"""

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.console import Console
from rich.table import Table

from bench.flows import small_chain as chain

PR_SET_CHILD_SUBREAPER = 36
LIMIT_S, ANSWER_LIMIT_S = 30.0, 2.0
CURATE = """\
import sys
from pipelines.stages.curate import curate_stage
from pipelines.artifacts.workspace import open_workspace

curate_stage(open_workspace(sys.argv[1], runs=sys.argv[2]))
"""
BARE = """\
import sys
from pipelines.stages.chain import Chain
from pipelines.stages.report import report_stage
from pipelines.artifacts.workspace import open_workspace

whole = Chain(open_workspace(sys.argv[1], runs=sys.argv[2]))
for artifact in (whole.trained, whole.evaluated_base, whole.evaluated_final):
    assert artifact.folder.is_dir()
report_stage(whole.workspace)
"""


def main() -> None:
    # Adopt orphans, so that their time is counted when they end.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    folder = Path(tempfile.mkdtemp(prefix="flow-overhead-"))
    config = chain.write_config(folder)
    table = Table("", "CPU-s", "wall s", "more than the bare functions", "limit")
    is_good = True
    try:
        # Loops that are compiled once per installation count for neither.
        measure([sys.executable, "-c", CURATE, str(config), str(folder / "first")], folder / "first")
        for what in ("from scratch", "all present"):
            bare = measure([sys.executable, "-c", BARE, str(config), str(folder / "bare")], folder / "bare")
            run = ["-m", "pipelines", "run", "--config", str(config), "--runs", str(folder / "flow")]
            flow = measure([sys.executable, *run], folder / "flow")
            over = flow[0] - bare[0]
            is_good &= over <= LIMIT_S
            table.add_row(f"stage functions, {what}", f"{bare[0]:.1f}", f"{bare[1]:.0f}")
            cells = f"{flow[0]:.1f}", f"{flow[1]:.0f}", f"{over:+.1f}", f"{LIMIT_S:.0f}"
            table.add_row(f"flow with its server, {what}", *cells)
        for words, status in (
            (["--help"], 0),
            (["run", "--config", "configs/absent.toml"], 2),
            (["run", "--config", "configs/demo.toml", "--training.n-step", "3"], 2),
        ):
            cpu, wall = measure([sys.executable, "-m", "pipelines", *words], folder / "answers", status)
            is_good &= cpu <= ANSWER_LIMIT_S
            table.add_row(f"reasoner-zero {' '.join(words)}", f"{cpu:.2f}", f"{wall:.1f}", "", "2")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Console().print(table)
    sys.exit(0 if is_good else 1)


def measure(command: list[str], runs: Path, status: int = 0) -> tuple[float, float]:
    """CPU seconds of a command and of all that it starts, until the last process ends; wall seconds."""
    runs.mkdir(exist_ok=True)
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with chain.output_log(runs).open("ab") as log:
        done = subprocess.run(command, cwd=chain.ROOT, env=chain.environment(runs), stdout=log, stderr=log)
    wall_s = time.monotonic() - started
    if done.returncode != status:
        sys.exit(f"{' '.join(command)}: {chain.output_log(runs).read_text()[-3000:]}")
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s


if __name__ == "__main__":
    main()
