"""Load the SQLite server of `up` and count what it could not write: "database is locked" in its log.

    python bench/flows/server_load.py                       as `up` starts it
    python bench/flows/server_load.py --deferred            with Prefect's own transactions, for comparison

Four threads poll for work as workers do, three make runs with states, logs and artifacts as flows do, at a
steady rate; a real worker polls beside them. Counts requests and failures, and gives the slowest answers.
"""

import argparse
import base64
import json
import os
import random
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.console import Console

from pipelines.orchestration.services import down, up
from pipelines.orchestration.settings import DATABASE, POOL

PAUSE_S = 0.25


class Client:
    """Requests of one thread, and how they ended."""

    def __init__(self, api: str, key: str) -> None:
        self.api, self.times, self.failures = api, list[float](), list[str]()
        self.headers = {
            "Content-Type": "application/json",
            "Authorization": f"Basic {base64.b64encode(key.encode()).decode()}",
        }

    def post(self, path: str, body: Any) -> Any:
        """The answer, or None after a failure."""
        request = urllib.request.Request(f"{self.api}{path}", json.dumps(body).encode(), self.headers)
        start = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except (urllib.error.URLError, TimeoutError) as error:
            self.failures.append(f"{path}: {error}")
            return None
        finally:
            self.times.append(time.monotonic() - start)


def poll(client: Client) -> None:
    """What a worker asks every few seconds, more often."""
    client.post(f"/work_pools/{POOL}/workers/heartbeat", {"name": f"load-{threading.get_ident()}"})
    client.post(f"/work_pools/{POOL}/get_scheduled_flow_runs", {})


def run(client: Client, flow: str) -> None:
    """What a flow run sends."""
    made = client.post("/flow_runs/", {"flow_id": flow, "state": {"type": "PENDING"}})
    if made is None:
        return
    name = f"/flow_runs/{made['id']}"
    client.post(f"{name}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"name": "load", "level": 20, "timestamp": now, "flow_run_id": made["id"], "message": "x" * 200}
    client.post("/logs/", [line] * 50)
    client.post("/artifacts/", {"key": "load", "type": "markdown", "data": "x", "flow_run_id": made["id"]})
    client.post(f"{name}/set_state", {"state": {"type": "COMPLETED"}, "force": True})


def repeat(action: Any, end: float, *arguments: Any) -> None:
    while time.monotonic() < end:
        action(*arguments)
        time.sleep(random.uniform(0, 2 * PAUSE_S))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--deferred", action="store_true", help="Prefect's own transactions")
    arguments = parser.parse_args()
    runs = Path(tempfile.mkdtemp(prefix="server-load-")) / "runs"
    if arguments.deferred:
        os.environ[DATABASE] = f"sqlite+aiosqlite:///{runs}/.prefect/prefect.db"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    services = up(runs, port=port, n_gpus=1, say=lambda _: None)
    try:
        api, key = f"{services.url}/api", (runs / ".prefect" / "auth").read_text()
        flow = Client(api, key).post("/flows/", {"name": "load"})["id"]
        clients = [Client(api, key) for _ in range(7)]
        end = time.monotonic() + 60 * arguments.minutes
        threads = [
            threading.Thread(target=repeat, args=(poll, end, c) if n < 4 else (run, end, c, flow))
            for n, c in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        down(runs)
    times = sorted(second for client in clients for second in client.times)
    failures = [failure for client in clients for failure in client.failures]
    logs = "".join(path.read_text() for path in (runs / ".prefect" / "logs").glob("server.log*"))
    say = Console(soft_wrap=True).print
    say(f"{arguments.minutes:g} minutes, {len(times)} requests, {len(failures)} failed {failures[:3]}")
    high = times[len(times) * 99 // 100]
    say(f"median {statistics.median(times):.3f} s, 99 % {high:.3f} s, slowest {times[-1]:.3f} s")
    n_locked = logs.count("sqlite3.OperationalError) database is locked")
    n_tracebacks = logs.count("Traceback (")
    say(f"database is locked: {n_locked}; tracebacks: {n_tracebacks}; log {len(logs):,} bytes; {runs}")


if __name__ == "__main__":
    main()
