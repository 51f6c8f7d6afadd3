"""What the command `run` needs beside the flow: the end of its temporary server, and a quiet terminal.

A flow without a configured API starts a server, which SIGKILL would orphan.
"""

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE

logger = logging.getLogger(__name__)

# Waits for the run to end, in whatever way, then ends the server if it still runs.
WATCH = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; sleep 5; kill "$2" 2>/dev/null'


def start_server() -> None:
    """Start the temporary server now, if this process needs one; a flow then finds it running.

    RuntimeError when it does not start.
    """
    if not PREFECT_API_URL.value() and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        from pipelines.orchestration.temporary_server import TemporaryServer  # With all of the server.

        TemporaryServer().start()
    with get_client(sync_client=True) as client:
        client.hello()


@contextmanager
def watched_server() -> Iterator[None]:
    """Say at once when the temporary server ends too soon; the flow notices at its next call."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(1.0):
            if has_lost_server():
                logger.warning(
                    "the run's own Prefect server has ended: the stage that runs is finished, then this "
                    "command ends within some minutes; the same command continues"
                )
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def end_server_with_this_process() -> None:
    """End the server that Prefect started for this process when the process ends; do nothing without one."""
    for server in _servers():
        subprocess.Popen(
            ["sh", "-c", WATCH, "watch-prefect-server", str(os.getpid()), str(server.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def has_lost_server() -> bool:
    """True when the temporary server of this process has ended; unlike one of `up`, it does not return."""
    return not PREFECT_API_URL.value() and not _servers()


def _servers() -> list[psutil.Process]:
    """Running servers that Prefect started for this process; one that has ended has no command line."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "uvicorn" in " ".join(child.cmdline()):
                found.append(child)
    return found


def leave_failures_to_caller() -> None:
    """Keep Prefect's own words about a failure from the terminal: what the flow raises is said by its caller.

    The server's logs have them still; warnings, such as those of a lost connection, are shown as ever.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_no_failure_of_a_run)


def _is_no_failure_of_a_run(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR or not record.name.startswith(
        ("prefect.flow_runs", "prefect.task_runs")
    )
