"""Evaluate through real vLLM servers on loopback, kill the evaluation and a server, and compare the results.

    python bench/evals/endpoint.py --model runs/smollm2/base/model --data ../shared/data

Two servers of one model (vLLM's own, with the OpenAI API). Five evaluations of a slice of GSM8K and MMLU, two
samples a question: through one server undisturbed; killed (SIGKILL) twice and continued by the same command;
through two servers; through two of which one is killed in the middle; and by our own vLLM engine, without a
server. Responses and summary have to be the same bytes in all of them (fp32 on a CPU).
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import polars as pl
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
NAME = "served"
START_S = 600.0


class Server:
    """vLLM's server of a model, in a process group of its own."""

    def __init__(self, model: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}/v1", log
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", NAME]
        command += [
            "--dtype",
            "float32",
            "--max-model-len",
            "2048",
            "--enforce-eager",
            "--max-num-seqs",
            "64",
        ]
        quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **quiet, "VLLM_NO_USAGE_STATS": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                sys.exit(f"vLLM's server ended:\n{self.log.read_text()[-2000:]}")
            with suppress(OSError), opener.open(f"{self.url}/models", timeout=5):
                return
            time.sleep(1)
        sys.exit(f"vLLM's server did not start in {START_S:.0f} s")

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def servers(model: Path, folder: Path) -> Iterator[list[Server]]:
    started = [Server(model, folder / f"server-{number}.log") for number in range(2)]
    try:
        for server in started:
            server.wait()
        yield started
    finally:
        for server in started:
            server.kill()


class Case:
    """One evaluation in a folder of its own."""

    def __init__(self, folder: Path, arguments: argparse.Namespace, urls: list[str]) -> None:
        self.folder = folder
        folder.mkdir()
        asked = [NAME] if urls else [str(arguments.model)]
        asked += [word for url in urls for word in ("--endpoint", url)]
        asked += ["--benchmarks", "gsm8k,mmlu", "--data-root", str(arguments.data), "--profile", "plain"]
        asked += ["--limit", str(arguments.limit), "--n-samples", "2", "--max-new-tokens", "64"]
        asked += ["--concurrency", "8", "--retries", "4", "--name", "run", "--runs", str(folder / "runs")]
        self.command = [sys.executable, "-m", "pipelines", "eval", *asked]

    def run(self, until: int = 0, strike=None) -> tuple[float, int, str]:
        """Run the command to its end, or until so many responses are stored: then `strike` is called with its
        process. Returns seconds, responses found at the start, and what the command said."""
        started, found, output = time.monotonic(), self.n_stored(), self.folder / "output"
        with output.open("w") as file:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            child = subprocess.Popen(
                self.command, cwd=self.folder, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
            while child.poll() is None:
                if strike and self.n_stored() >= until:
                    strike(child)
                    strike = None
                time.sleep(0.05)
        said = output.read_text()
        if child.returncode not in (0, -signal.SIGKILL):
            sys.exit(f"the evaluation failed:\n{said[-3000:]}")
        return time.monotonic() - started, found, said

    def n_stored(self) -> int:
        journals = self.folder.glob("runs/artifacts/sample/*/completions/*.jsonl")
        return sum(path.read_bytes().count(b"\n") for path in journals)

    def results(self) -> tuple[bytes, bytes]:
        """Responses (without their keys, which name the engine) and summary."""
        responses = pl.read_parquet(self.folder / "runs/run/sample-model/responses.parquet").drop("key")
        return (
            responses.write_json().encode(),
            pl.read_parquet(self.folder / "runs/run/evaluate-model/summary.parquet").write_json().encode(),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="model folder in Hugging Face format")
    parser.add_argument("--data", type=Path, required=True, help="folder with eval/")
    parser.add_argument("--limit", type=int, default=12, help="questions per benchmark (default: 12)")
    arguments = parser.parse_args()
    arguments.model, arguments.data = arguments.model.resolve(), arguments.data.resolve()
    n_all = 2 * 2 * arguments.limit
    table = Table(title=f"{n_all} responses of {arguments.model.name}", title_justify="left")
    for column in ("evaluation", "found", "seconds", "same responses", "same summary"):
        table.add_column(column)
    with tempfile.TemporaryDirectory() as name, servers(arguments.model, Path(name)) as (first, second):
        folder = Path(name)
        whole = Case(folder / "whole", arguments, [first.url])
        seconds, found, _ = whole.run()
        reference = whole.results()
        table.add_row("one server", str(found), f"{seconds:.0f}", "", "")

        def row(title: str, case: Case, seconds: float, found: int) -> bool:
            same = [ours == theirs for ours, theirs in zip(case.results(), reference, strict=True)]
            table.add_row(title, str(found), f"{seconds:.0f}", *map(str, same))
            return all(same)

        killed = Case(folder / "killed", arguments, [first.url])
        for share in (0.3, 0.7):
            seconds, found, _ = killed.run(int(share * n_all), lambda child: child.kill())
            table.add_row(f"killed at {share:.0%}", str(found), f"{seconds:.0f}", "", "")
        seconds, found, _ = killed.run()
        is_same = [row("continued", killed, seconds, found)]
        both = Case(folder / "both", arguments, [first.url, second.url])
        seconds, found, _ = both.run()
        is_same.append(row("two servers", both, seconds, found))
        one_dies = Case(folder / "dies", arguments, [first.url, second.url])
        seconds, found, said = one_dies.run(n_all // 3, lambda child: second.kill())
        is_same.append(row("two servers, one killed", one_dies, seconds, found))
        named = [line for line in said.splitlines() if f"{second.url} is gone" in line]
        own = Case(folder / "own", arguments, [])
        seconds, found, _ = own.run()
        is_same.append(row("our engine, no server", own, seconds, found))
    console = Console()
    console.print(table)
    console.print("\n".join(named) or "the dead server was not named", highlight=False)
    sys.exit(0 if all(is_same) and named else 1)


if __name__ == "__main__":
    main()
