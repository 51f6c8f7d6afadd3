"""All stages in seconds, and the processes of a run; shared by the benches of the flows.

The demo with one-digit sums, a model of a few thousand parameters and a few steps on two ranks. It is started
as a user would: with the command, which starts a temporary Prefect server, or through a server with a worker.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from pipelines.config import load_config

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
NAME = "small"
SMALL = {
    "name": NAME,
    "held_out.0.generator.digits": 1,
    "held_out.0.generator.n_problems": 20,
    "curation.sources.0.generator.digits": 1,
    "curation.sources.0.generator.n_problems": 75,
    "training.n_steps": 6,
    "training.save_every": 2,
    "training.eval_every": 0,
    "training.model.scratch.n_layers": 1,
    "training.model.warmup.batch_size": 16,
    "training.model.warmup.phases": [{"n_steps": 40, "careful": 0.3, "quick": 0.7, "quick_correct": 0.5}],
    "training.rollout.prompts_per_step": 8,
    "training.rollout.samples_per_prompt": 4,
    "training.ppo.critic_minibatches": 2,
    "evals.benchmarks.0.n_samples": 2,
}
LONG_S = 900.0
"""Generous time limit in seconds for whatever is waited for; a loaded machine is many times slower."""


class NotReached(RuntimeError):
    """What was waited for did not happen."""


def write_config(folder: Path, **overrides: Any) -> Path:
    """Write the small configuration to `folder`/small.json."""
    config = load_config(ROOT / "configs" / "demo.toml", SMALL | overrides)
    path = folder / f"{config.name}.json"
    path.write_text(config.model_dump_json())
    return path


def environment(runs: Path) -> dict[str, str]:
    """Environment of a run in `runs`: a separate Prefect home, one thread."""
    own = {"PREFECT_HOME": str(runs / ".prefect"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | own


def start(config: Path, runs: Path) -> subprocess.Popen:
    """Start `reasoner-zero run`; its output goes to `runs`/output.log."""
    runs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pipelines", "run", "--config", str(config), "--runs", str(runs)]
    # Beside the runs, so that a full disk there does not silence the program.
    with output_log(runs).open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment(runs), stdout=log, stderr=log)


def output_log(runs: Path) -> Path:
    return runs.with_suffix(".log")


def finish(process: subprocess.Popen, runs: Path) -> None:
    """Wait for a run that must succeed."""
    if process.wait(timeout=LONG_S):
        sys.exit(f"the run failed: {output_log(runs).read_text()[-3000:]}")


def wait_for(condition: Callable[[], T], what: str, pause_s: float = 0.1, limit_s: float = LONG_S) -> T:
    """Poll until `condition` returns something true; NotReached after `limit_s`."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(pause_s)
    raise NotReached(f"{what}: not after {limit_s:.0f} s")


def processes_of(runs: Path) -> list[psutil.Process]:
    """Live processes, except this one, that belong to `runs` by their command line or Prefect home."""
    return [process for process in psutil.process_iter() if _belongs(process, runs)]


def _belongs(process: psutil.Process, runs: Path) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        home = process.environ().get("PREFECT_HOME", "")
        return str(runs) in " ".join(process.cmdline()) or home.startswith(str(runs))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(url: str, body: Any = None, method: str = "") -> Any:
    """GET a URL of Prefect's API, or POST (or `method`) `body` to it."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **authorization(url)}
    request = urllib.request.Request(url, data, headers, method=method or ("GET" if data is None else "POST"))
    with urllib.request.urlopen(request, timeout=120) as answer:
        text = answer.read()
    return json.loads(text) if text else None


KEYS: dict[str, str] = {}
"""API key by server; every `up` makes a new one."""


def authorization(url: str) -> dict[str, str]:
    """The header that the server of `url` asks for."""
    key = KEYS.get(url.partition("/api")[0])
    return {"Authorization": f"Basic {base64.b64encode(key.encode()).decode()}"} if key else {}


def delete(url: str) -> None:
    ask(url, method="DELETE")


@contextmanager
def services(runs: Path, *options: str) -> Iterator[str]:
    """`reasoner-zero up` on a free port, and `down` at the end; yields the API's URL."""
    port = free_port()
    bring_up(runs, port, *options)
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        take_down(runs)


def bring_up(runs: Path, port: int, *options: str) -> None:
    runs.mkdir(parents=True, exist_ok=True)
    _reasoner_zero(runs, "up", "--port", str(port), *options)
    KEYS[f"http://127.0.0.1:{port}"] = (runs / ".prefect" / "auth").read_text()


def take_down(runs: Path) -> None:
    _reasoner_zero(runs, "down")


def _reasoner_zero(runs: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pipelines", *arguments, "--runs", str(runs)]
    # The worker looks for work every two seconds instead of ten.
    quick = environment(runs) | {"PREFECT_WORKER_QUERY_SECONDS": "2"}
    done = subprocess.run(command, cwd=ROOT, env=quick, capture_output=True, text=True)
    if done.returncode:
        raise NotReached(f"{' '.join(arguments)}: {done.stdout[-1000:]}{done.stderr[-3000:]}")


def prefect(api: str, runs: Path, *arguments: str) -> str:
    """Run the `prefect` command against `api`; returns its output."""
    command = [sys.executable, "-m", "prefect", *arguments]
    key = KEYS.get(api.removesuffix("/api"), "")
    asked = environment(runs) | {"PREFECT_API_URL": api, "PREFECT_API_AUTH_STRING": key}
    done = subprocess.run(command, cwd=ROOT, env=asked, capture_output=True, text=True)
    if done.returncode:
        raise NotReached(f"prefect {' '.join(arguments)}: {done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def create_run(api: str, deployment: str, parameters: dict[str, Any]) -> str:
    """Request a run of a deployment; returns its id."""
    made = ask(f"{api}/deployments/name/{deployment}")
    body = {"parameters": made["parameters"] | parameters, "state": {"type": "SCHEDULED"}}
    return str(ask(f"{api}/deployments/{made['id']}/create_flow_run", body)["id"])


def state_of(api: str, run: str) -> str:
    """Type of a flow run's state, such as RUNNING."""
    return str(ask(f"{api}/flow_runs/{run}")["state_type"])
