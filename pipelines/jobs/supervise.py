"""Run a job's ranks on one or several machines, end all of them when one is lost, and start again.

The ranks of a machine are started by torchrun's elastic agent (`pipelines.jobs.starter`). This module only
reaches the machines, watches over the connections, and decides whether and on what to go on.
"""

import json
import logging
import os
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pipelines.jobs.hosts import Host, choose, command_on, starter_command
from pipelines.jobs.process import ChildFailed, run_child
from pipelines.jobs.starter import FAILED, READY

logger = logging.getLogger(__name__)
READY_S = 120.0
"""Seconds in which a machine has to answer."""
BEAT_S = 5.0
"""Seconds between signs of life to the machines."""
RENDEZVOUS_S = 300
OTHERS_S = 2.0
"""Seconds in which the other machines may say why they fail, too."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
LAST_LINES = 15
STEP = re.compile(r"step-(\d{6})")


@dataclass(frozen=True, slots=True)
class Task:
    """What every rank runs, and with what environment; the same on all machines."""

    arguments: list[str]
    environment: dict[str, str]
    log: Path


@dataclass(slots=True)
class Connection:
    """A starter on one machine, run by a thread of its own."""

    host: Host
    answers: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    input: IO[str] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    ended: Future[None] | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, file: IO[str]) -> None:
        self.input = file

    def send(self, text: str) -> None:
        """Send one line; a starter that is gone does not hear it, and its end is seen elsewhere."""
        if self.input is not None:
            with suppress(OSError, ValueError):
                self.input.write(text + "\n")
                self.input.flush()

    def ready(self, deadline: float) -> dict[str, Any] | None:
        """The starter's facts, or None when it does not answer until `deadline`."""
        while time.monotonic() < deadline:
            with suppress(queue.Empty):
                return self.answers.get(timeout=0.1)
            if self.ended is not None and self.ended.done():
                break
        return None


@contextmanager
def connect(
    hosts: Sequence[Host],
    remote_shell: str,
    log: Path,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    deadline_s: float | None = None,
) -> Iterator[list[Connection]]:
    """Start a starter on every host; all are ended when the block ends, however it ends."""
    connections = [Connection(host) for host in hosts]

    def listen(connection: Connection) -> Callable[[str], None]:
        def line(text: str) -> None:
            if text.startswith(READY):
                connection.answers.put(json.loads(text.removeprefix(READY)))
            elif text.startswith(FAILED):
                connection.failures.append(json.loads(text.removeprefix(FAILED)))
            else:
                on_line(text)

        return line

    with ThreadPoolExecutor(len(connections), thread_name_prefix="host") as pool:
        for connection in connections:
            connection.ended = pool.submit(
                run_child,
                command_on(connection.host, remote_shell, starter_command(connection.host)),
                log=log,
                on_line=listen(connection),
                environment=environment,
                deadline_s=deadline_s,
                stop=connection.stop,
                on_start=connection.hear,
            )
        try:
            yield connections
        finally:
            for connection in connections:
                connection.stop.set()
                with suppress(OSError, ValueError):
                    if connection.input is not None:
                        connection.input.close()


def run_ranks(
    task: Task,
    hosts: Sequence[Host],
    remote_shell: str,
    n_ranks: Callable[[int], int],
    on_line: Callable[[str], None],
    deadline_s: float | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run the ranks to their end on the hosts that answer.

    `n_ranks(n)` is the number of ranks to use of `n` slots, 0 when these are too few. Raises ChildFailed when
    any rank, machine or connection is lost; the ranks of all others are ended first, within seconds.
    """
    with connect(hosts, remote_shell, task.log, on_line, task.environment, deadline_s) as connections:
        ends = time.monotonic() + READY_S
        facts = {}
        for connection in connections:
            if (found := connection.ready(ends)) is not None:
                facts[connection.host.name] = found
        answered = [connection for connection in connections if connection.host.name in facts]
        missing = [str(c.host) for c in connections if c not in answered]
        n = n_ranks(sum(connection.host.slots for connection in answered))
        if missing:
            logger.warning("no answer from %s; see %s", ", ".join(missing), task.log)
        if not n:
            raise ChildFailed(f"no answer from {', '.join(missing)}: too few ranks are left; log: {task.log}")
        chosen = choose([connection.host for connection in answered], n)
        _start(task, answered[: len(chosen)], chosen, facts)
        _watch(task, answered[: len(chosen)], stop)


def _start(task: Task, used: list[Connection], chosen: list[Host], facts: dict[str, dict[str, Any]]) -> None:
    first = chosen[0].name
    endpoint = f"{first or '127.0.0.1'}:{facts[first]['port']}"
    run_id = uuid.uuid4().hex
    for number, (connection, host) in enumerate(zip(used, chosen, strict=True)):
        spec = {
            "node": number,
            "n_nodes": len(chosen),
            "n_local": host.slots,
            "endpoint": endpoint,
            "run_id": run_id,
            "rendezvous_s": RENDEZVOUS_S,
            "arguments": task.arguments,
            "environment": task.environment,
        }
        connection.send(json.dumps(spec))


def _watch(task: Task, used: list[Connection], stop: threading.Event | None) -> None:
    """Send signs of life until all have ended well; raise at the first that has not."""
    beat = 0.0
    while not all(_end_of(connection).done() for connection in used):
        if time.monotonic() - beat > BEAT_S:
            beat = time.monotonic()
            for connection in used:
                connection.send("")
        if stop is not None and stop.is_set():
            raise ChildFailed(f"ended with the others; whole log: {task.log}")
        if any(_has_failed(connection) for connection in used):
            ends = time.monotonic() + OTHERS_S
            while time.monotonic() < ends and not all(_end_of(connection).done() for connection in used):
                time.sleep(0.1)
            break
        time.sleep(0.1)
    for connection in used:
        if _has_failed(connection):
            error = _end_of(connection).exception()
            assert error is not None
            if not isinstance(error, ChildFailed):
                raise error
            raise ChildFailed(explain(task, used, connection, error)) from error


def explain(task: Task, used: list[Connection], lost: Connection, error: BaseException) -> str:
    """Which rank or machine failed first, how, and the last lines of its log."""
    for connection in used:
        for failure in connection.failures:
            log = rank_log(task.log, failure["rank"])
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            last = "\n".join(lines[-LAST_LINES:])
            where = f" on {failure['host']}" if connection.host.name else ""
            return f"rank {failure['rank']}{where} {failure['how']}; its log: {log}\n{last}"
    return f"{lost.host}: {error}"


def _end_of(connection: Connection) -> Future[None]:
    assert connection.ended is not None
    return connection.ended


def _has_failed(connection: Connection) -> bool:
    end = _end_of(connection)
    return end.done() and end.exception() is not None


def rank_log(log: Path, rank: int) -> Path:
    """The file with the output of a rank; that of the first is the stage's own."""
    return log if rank == 0 else log.with_name(f"{log.stem}-rank-{rank:03d}.log")


@dataclass(slots=True)
class Restarts:
    """How often and after what pause a job starts again; each further checkpoint gives back all restarts."""

    limit: int
    state: Path
    """Folder of the checkpoints."""
    used: int = 0
    newest: int = 0

    def pause_s(self) -> float | None:
        """Seconds to wait before the next start, or None when there is none left."""
        step = max(
            (int(match[1]) for path in self.state.glob("step-*") if (match := STEP.fullmatch(path.name))),
            default=0,
        )
        if step > self.newest:
            self.used, self.newest = 0, step
        if self.used >= self.limit:
            return None
        self.used += 1
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self.used - 1))


def wait(seconds: float, stop: threading.Event | None) -> None:
    """Sleep, but not after `stop`."""
    if stop is None:
        time.sleep(seconds)
    elif stop.wait(seconds):
        raise ChildFailed("ended with the others")


def local_environment() -> dict[str, str]:
    """The variables with which gloo meets on this machine only."""
    return {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo")}
