"""Prefect on this machine: a server, a work pool, a worker and all deployments, brought up and taken down.

    up(Path("runs"), port=4200)        # reasoner-zero up
    down(Path("runs"))                 # reasoner-zero down

Everything listens on loopback and lives below runs/.prefect; services.json there names the processes.
"""

import asyncio
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

from pipelines.orchestration.settings import LOGGED, POOL, settings
from rewards.contracts.files import ROOT, read_json, write_json

START_S, STOP_S = 180.0, 20.0
"""How long the server may take to answer, and the processes to end; a loaded machine needs a minute."""


class ServicesError(RuntimeError):
    """The services cannot be brought up or taken down; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Services:
    """What runs: process ids with their start times (ids are used again), and where the server answers."""

    url: str
    server: tuple[int, float]
    worker: tuple[int, float]


def up(runs: Path, *, port: int, n_gpus: int, say: Callable[[str], None], notify: str = "") -> Services:
    """Start server and worker, create the pool and the limit of GPU slots, register every deployment and
    the automations of `pipelines.orchestration.automations`.

    `say` is told each step; `notify` names the block that a failed training sends word through.
    ServicesError when they are up already, the port is taken or a step fails.
    """
    if not (ROOT / "prefect.yaml").exists():
        raise ServicesError(
            f"{ROOT} holds no prefect.yaml: `up` serves a clone of the project, not a package"
        )
    home = (runs / ".prefect").resolve()
    if (found := _stored(home)) and (_lives(found.server) or _lives(found.worker)):
        raise ServicesError(f"already up at {found.url}; take it down with: reasoner-zero down --runs {runs}")
    (home / "logs").mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    _check_free(port)
    _end_left_runs(home, url)
    environment = _environment(home, url)
    say("starting the server")
    server = _start(
        ["server", "start", "--host", "127.0.0.1", "--port", str(port)], home, environment, "server"
    )
    try:
        _wait_for(url, server, home)
        _register(url, environment, n_gpus, say, notify)
        say("starting the worker")
        worker = _start(["worker", "start", "--pool", POOL, "--name", "local"], home, environment, "worker")
    except BaseException:  # also an interrupt must not leave the server behind
        _end(_identity(server.pid))
        raise
    services = Services(url, _identity(server.pid), _identity(worker.pid))
    write_json(home / "services.json", asdict(services))
    return services


def down(runs: Path) -> Services:
    """End worker and server with everything they started; ServicesError when nothing is up."""
    home = (runs / ".prefect").resolve()
    services = _stored(home)
    if services is None:
        raise ServicesError(f"nothing is up below {runs}; bring it up with: reasoner-zero up --runs {runs}")
    _end(services.worker)
    _end_left_runs(home, services.url)
    _end(services.server)
    (home / "services.json").unlink()
    return services


def _environment(home: Path, url: str) -> dict[str, str]:
    """Environment of every Prefect process of these services."""
    own = {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_LOGGING_EXTRA_LOGGERS": ",".join(LOGGED),
        "REASONER_ZERO_HOME": str(ROOT),
        "PYTHONPATH": str(ROOT),
    }
    return os.environ | settings(home) | own


def _register(
    url: str, environment: dict[str, str], n_gpus: int, say: Callable[[str], None], notify: str
) -> None:
    """Tell the server what it needs to know; Prefect is imported here, as it takes seconds."""
    # Read as Prefect is imported: its files belong below these runs, not where the command was given.
    os.environ.setdefault("PREFECT_HOME", environment["PREFECT_HOME"])
    from pipelines.orchestration.automations import make_automations
    from pipelines.orchestration.server_setup import prepare

    say(f"creating the work pool {POOL} and {n_gpus} GPU slots")
    for run in asyncio.run(prepare(f"{url}/api", n_gpus)):
        say(f"a run was lost, continue it with: prefect flow-run retry {run}")
    say("registering deployments and automations")
    _deploy_all(environment)
    try:
        asyncio.run(make_automations(f"{url}/api", notify))
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
        # Connections of a server that has just ended are no obstacle.
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


def _start(arguments: list[str], home: Path, environment: dict[str, str], name: str) -> subprocess.Popen:
    """Start a Prefect process that outlives this one, in a process group of its own."""
    with (home / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_for(url: str, server: subprocess.Popen, home: Path) -> None:
    end = time.monotonic() + START_S
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > end:
            raise ServicesError(f"the server did not start at {url}; see {home / 'logs' / 'server.log'}")
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
        # The worker sets the last one; a run that was started by hand has none and is left alone.
        if wanted.items() <= environment.items() and "PREFECT__FLOW_RUN_ID" in environment:
            left.append(_identity(process.pid))
    for identity in left:
        _end(identity)


def _end(identity: tuple[int, float]) -> None:
    """End a process and all its descendants: politely first, then for good."""
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
