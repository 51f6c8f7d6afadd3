"""Time what a new user does first, on a clean clone: setup, demo, own problems, server, deployment.

    python bench/flows/first_hour.py                        about ten minutes on two cores
    python bench/flows/first_hour.py --keep /tmp/first-hour

Clones the last commit to an empty folder whose name has a space and an umlaut, and runs each step without a
terminal. A row is a step: seconds, CPU-seconds, the longest silence, warnings, and how it ended. A step that
fails ends the bench.
"""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
PROGRAM, PREFECT = ".venv/bin/reasoner-zero", ".venv/bin/prefect"
console = Console()


def steps(port: int) -> list[tuple[str, list[str]]]:
    up = [PROGRAM, "up", "--port", str(port), "--runs", "../runs"]
    watched = [PREFECT, "deployment", "run", "reasoner-zero/demo", "--watch"]
    return [
        ("setup", ["make", "setup"]),
        ("demo", ["make", "demo"]),
        ("init", [PROGRAM, "init", "../own", "--data", "../mine.jsonl"]),
        ("own problems", [PROGRAM, "run", "--config", "../own/config.toml", "--runs", "../runs"]),
        ("own problems, again", [PROGRAM, "run", "--config", "../own/config.toml", "--runs", "../runs"]),
        ("up", up),
        ("deployment", [*watched, "-p", "config=../own/config.toml"]),
        ("down", [PROGRAM, "down", "--runs", "../runs"]),
    ]


def run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> tuple[int, float, str]:
    """Run a step: exit status, longest silence in seconds, output. Output goes to a file and is polled."""
    with log.open("wb") as file:
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        longest, size, last = 0.0, 0, time.monotonic()
        while child.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            longest = max(longest, now - last)
            if (grown := log.stat().st_size) != size:
                size, last = grown, now
    return child.returncode, longest, log.read_text(encoding="utf-8", errors="replace")


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="new folder to work in and to keep")
    given = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="first hoür ") as scratch:
        folder = (given or Path(scratch) / "work").resolve()
        folder.mkdir(parents=True)
        return first_hour(folder)


def first_hour(folder: Path) -> int:
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    rows = [{"problem": f"{n} + {n + 3} = ?", "answer": str(2 * n + 3)} for n in range(10, 60)]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    table = Table("step", "s", "CPU-s", "longest silence", "warnings", "exit", title_justify="left")
    table.title = f"The first hour (load {os.getloadavg()[0]:.1f} at the start)"
    status, begun = 0, time.monotonic()
    for name, command in steps(port):
        if name == "deployment":
            key = (folder / "runs" / ".prefect" / "auth").read_text()
            environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
            environment["PREFECT_API_AUTH_STRING"] = key
        if status and name != "down":
            continue
        started, before = time.monotonic(), cpu_s()
        ended, silence, output = run(command, clone, environment, folder / f"{name}.log")
        seconds = (f"{time.monotonic() - started:.0f}", f"{cpu_s() - before:.0f}", f"{silence:.0f} s")
        warnings = sum("warning" in line.lower() for line in output.splitlines())
        table.add_row(name, *seconds, str(warnings), str(ended))
        console.print(f"{name}: {seconds[0]} s, exit {ended}")
        if ended:
            console.print(output[-2000:], markup=False)
        status = status or ended
    table.add_row("together", f"{time.monotonic() - begun:.0f}")
    console.print(table)
    return status


if __name__ == "__main__":
    sys.exit(main())
