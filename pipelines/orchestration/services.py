"""Prefect services on this machine: server, work pool, worker and all deployments, started and stopped.

    up(Path("runs"), port=4200)        # reasoner-zero up
    down(Path("runs"))                 # reasoner-zero down

Everything listens on 127.0.0.1 and keeps its files in runs/.prefect; services.json there lists the processes.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pipelines.orchestration.private_home import (
    AUTH,
    CLIENT_KEY,
    PRIVATE_UMASK,
    keys,
    open_home,
    write_private,
)
from pipelines.orchestration.settings import LOGGED, POOL, settings
from pipelines.pasted import pasted
from rewards.contracts.files import ROOT, child_environment, read_json

START_S, STOP_S = 180.0, 20.0
"""Seconds that the server may take to answer, and processes to end; a loaded machine needs a minute."""


class ServicesError(RuntimeError):
    """The services cannot be started or stopped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Services:
    """Running services: process ids with start times (the system reuses ids), and the server's URL."""

    url: str
    server: tuple[int, float]
    worker: tuple[int, float]


def up(
    runs: Path,
    *,
    port: int,
    n_gpus: int,
    say: Callable[[str], None],
    notify: str = "",
    database: str = "",
) -> Services:
    """Start server and worker, create the work pool and the GPU slots, register all deployments and the
    automations of `pipelines.orchestration.automations`.

    `say` is called with a message for each step; `notify` names the block that is messaged when a training
    run fails; `database` is the URL of a database to use in place of SQLite.
    ServicesError when the services are already up, the port is in use or a step fails.
    """
    if not (ROOT / "prefect.yaml").exists():
        raise ServicesError(
            f"{ROOT} has no prefect.yaml: `up` needs a clone of the project, not an installed package"
        )
    home = (runs / ".prefect").resolve()
    if (found := _stored(home)) and (_lives(found.server) or _lives(found.worker)):
        stop = pasted("reasoner-zero", "down", "--runs", runs)
        raise ServicesError(f"already up at {found.url}; stop it with: {stop}")
    open_home(home)
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    _check_free(port)
    _end_left_runs(home, url)
    environment = _environment(home, url) | keys(home)
    if database:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database
    say("starting the server")
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = _start(command, home, environment, "server")
    try:
        _wait_for(url, server, home)
        _register(url, environment, n_gpus, say, notify)
        asyncio.run(_point_at(url, runs, environment[CLIENT_KEY]))
        say("starting the worker")
        command = ["pipelines.orchestration.worker", "start", "--pool", POOL, "--name", "local"]
        worker = _start(command, home, environment, "worker")
        _wait_for_worker(url, environment[CLIENT_KEY], worker, home)
    except BaseException:  # An interrupt must not leave the server behind either.
        _end(_identity(server.pid))
        raise
    services = Services(url, _identity(server.pid), _identity(worker.pid))
    write_private(home / "services.json", json.dumps(asdict(services)))
    return services


async def _point_at(url: str, runs: Path, key: str) -> None:
    from pipelines.orchestration.server_setup import set_runs

    await set_runs(f"{url}/api", runs.resolve(), key)


def down(runs: Path) -> Services:
    """Stop worker and server, and everything they started; ServicesError when nothing is up."""
    home = (runs / ".prefect").resolve()
    services = _stored(home)
    if services is None:
        start = pasted("reasoner-zero", "up", "--runs", runs)
        raise ServicesError(f"nothing is up in {runs}; start it with: {start}")
    _end(services.worker)
    _end_left_runs(home, services.url)
    _end(services.server)
    (home / "services.json").unlink()
    (home / AUTH).unlink(missing_ok=True)
    return services


def _environment(home: Path, url: str) -> dict[str, str]:
    """Environment of every Prefect process of these services."""
    own = {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGED),
        "REASONER_ZERO_HOME": str(ROOT),
        # Only the server's own pages may call it from a browser.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": url,
    }
    return child_environment() | settings(home) | own


def _register(
    url: str, environment: dict[str, str], n_gpus: int, say: Callable[[str], None], notify: str
) -> None:
    """Set up the server: work pool, deployments, automations. Imports Prefect here, which takes seconds."""
    # Prefect reads this at import: its files belong in this runs folder, not in the working folder.
    os.environ.setdefault("PREFECT_HOME", environment["PREFECT_HOME"])
    from pipelines.orchestration.automations import make_automations
    from pipelines.orchestration.server_setup import prepare

    say(f"creating the work pool {POOL} and {n_gpus} GPU slots")
    for run in asyncio.run(prepare(f"{url}/api", n_gpus, environment[CLIENT_KEY])):
        say(f"a run was lost; continue it with: prefect flow-run retry {run}")
    say("registering deployments and automations")
    _deploy_all(environment)
    try:
        asyncio.run(make_automations(f"{url}/api", notify, environment[CLIENT_KEY]))
    except ValueError as error:
        raise ServicesError(str(error)) from None


def _stored(home: Path) -> Services | None:
    path = home / "services.json"
    if not path.exists():
        return None
    stored = read_json(path)
    return Services(stored["url"], tuple(stored["server"]), tuple(stored["worker"]))


def _identity(pid: int) -> tuple[int, float]:
    return pid, psutil.Process(pid).create_time()


def _lives(identity: tuple[int, float]) -> bool:
    try:
        process = psutil.Process(identity[0])
        return process.create_time() == identity[1] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        # Lingering connections of a server that has just ended do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise ServicesError(f"port {port}: {error}; choose another one with --port") from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _start(command: list[str], home: Path, environment: dict[str, str], name: str) -> subprocess.Popen:
    """Start a module that outlives this process, in a separate process group; its log is rotated."""
    log = subprocess.Popen(
        [sys.executable, "-m", "pipelines.orchestration.rotating_log", str(home / "logs" / f"{name}.log")],
        cwd=ROOT,
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=PRIVATE_UMASK,
    )
    assert log.stdin is not None
    with log.stdin:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log.stdin,
            stderr=log.stdin,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )


def _wait_for(url: str, server: subprocess.Popen, home: Path) -> None:
    end = time.monotonic() + START_S
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > end:
            raise ServicesError(f"the server did not start at {url}; see {home / 'logs' / 'server.log'}")
        time.sleep(0.3)


def _wait_for_worker(url: str, key: str, worker: subprocess.Popen, home: Path) -> None:
    """Wait until the server has heard of the worker; without one, runs would wait for ever."""
    from pipelines.orchestration.server_setup import last_heartbeat

    started, end = psutil.Process(worker.pid).create_time(), time.monotonic() + START_S
    while asyncio.run(last_heartbeat(f"{url}/api", key)) < started:
        if worker.poll() is not None or time.monotonic() > end:
            if worker.poll() is None:
                _end(_identity(worker.pid))
            raise ServicesError(f"the worker did not start; see {home / 'logs' / 'worker.log'}")
        time.sleep(0.3)


def _deploy_all(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ServicesError(f"prefect deploy --all failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _end_left_runs(home: Path, url: str) -> None:
    """End flow runs that a killed worker left behind, with what they started."""
    wanted = {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"{url}/api"}
    left = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        # The worker sets the last variable; a run started by hand has none and is left alone.
        if wanted.items() <= environment.items() and "PREFECT__FLOW_RUN_ID" in environment:
            left.append(_identity(process.pid))
    for identity in left:
        _end(identity)


def _end(identity: tuple[int, float]) -> None:
    """End a process and all its descendants: with SIGTERM, then with SIGKILL."""
    if not _lives(identity):
        return
    leader = psutil.Process(identity[0])
    family = [leader, *leader.children(recursive=True)]
    leader.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_S)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=STOP_S)
