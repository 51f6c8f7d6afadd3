"""The temporary Prefect server of a run: waited for while it lives, refused at once when it ends."""

import atexit
import logging
import os
import subprocess
import sys
import threading
import time
from signal import Signals
from typing import IO

import httpx
import prefect
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, get_current_settings

logger = logging.getLogger(__name__)

KEPT_BYTES = 2**16
"""The end of what a starting server writes to stderr."""
LONGEST = 300
"""Characters of the server's own words in a message."""
REMEDY = (
    "try again; if it says the same, `make setup` renews the environment, "
    "and PREFECT_API_URL names a server that runs already"
)
PORT_TAKEN = "address already in use"
UVICORN_ENDS = "Application startup failed. Exiting."
"""Its line after the traceback."""


class TemporaryServer(SubprocessASGIServer):
    """Prefect's own temporary server, which its clients find in place of theirs once it has started.

    Prefect starts a server that fails again and again, or waits for one that has ended, until the time is
    up, and says nothing of the cause.
    """

    words: "_Words | None" = None

    def start(self, timeout: int | None = None) -> None:
        """Start the server, or do nothing if it runs. RuntimeError, with the server's last words, when it
        ends or when it does not answer in `timeout` seconds (Prefect's setting)."""
        if self.running:
            return
        wait_s = timeout or PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        deadline = time.monotonic() + wait_s
        atexit.register(self.stop)
        status, text = self._begin(deadline)
        while status is not None and PORT_TAKEN in text.lower():  # By another run, since we looked.
            status, text = self._begin(deadline)
        if self.running:
            return
        self.stop()
        logger.debug("the Prefect server wrote:\n%s", text)
        what = f"did not answer within {wait_s} s" if status is None else f"ended ({_ending(status)})"
        said = f"its last words: {cause(text)}" if cause(text) else "it said nothing"
        raise RuntimeError(f"the run's own Prefect server {what}; {said}; {REMEDY}")

    def _begin(self, deadline: float) -> tuple[int | None, str]:
        """Start a process and wait until it answers; of one that does not, its exit status and words."""
        self.port = self.find_available_port()
        self.server_process = process = subprocess.Popen(
            self.command(), env=_environment(), stderr=subprocess.PIPE, bufsize=0
        )
        assert process.stderr is not None
        self.words = words = _Words(process.stderr)
        while (status := process.poll()) is None and time.monotonic() < deadline:
            if self.answers():
                words.pass_on()
                self.running = True
                return None, ""
            time.sleep(0.1)
        return status, words.all(wait=status is not None)

    def stop(self) -> None:
        """End the server; what it wrote to the last has been passed on."""
        super().stop()
        if self.words is not None:
            self.words.all(wait=True)

    def command(self) -> list[str]:
        """Prefect's own command."""
        options = {"host": "127.0.0.1", "port": self.port, "log-level": "error", "lifespan": "on"}
        return [
            *(sys.executable, "-m", "uvicorn", "--app-dir", str(prefect.__module_path__.parent)),
            *("--factory", "prefect.server.api.server:create_app"),
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def answers(self) -> bool:
        """False as well while a loaded machine lets it answer too late."""
        try:
            return httpx.get(f"{self.api_url}/health").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def cause(text: str) -> str:
    """The line that says why a server ended: of its last traceback the error, else the last line.

    >>> cause("Traceback (most recent call last):\\n  File ...\\nKeyError: 'a'\\n(more of it)\\n")
    "KeyError: 'a'"
    >>> cause("address already in use\\n")
    'address already in use'
    """
    lines = [line for line in text.splitlines() if line.strip() and UVICORN_ENDS not in line]
    errors = [
        line for before, line in zip(lines, lines[1:], strict=False) if before[0] == " " and line[0] != " "
    ]
    return (errors or lines or [""])[-1].strip()[:LONGEST]


def _environment() -> dict[str, str]:
    """As Prefect has it: without pages, and with the settings of this process."""
    ours = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    return {**os.environ, **ours, **get_current_settings().to_environment_variables(exclude_unset=True)}


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else Signals(-status).name


class _Words:
    """What the server writes to stderr: kept while it starts, then passed on to ours."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.kept = b""
        self.is_passed_on = False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with self.pipe:
            while part := self.pipe.read(KEPT_BYTES):
                with self.lock:
                    self.kept = (self.kept + part)[-KEPT_BYTES:]
                    self._write()

    def _write(self) -> None:
        if self.is_passed_on and self.kept:
            # Not through sys.stderr: its lock would be in the way of a process that ends.
            os.write(2, self.kept)
            self.kept = b""

    def pass_on(self) -> None:
        """Write what was kept to stderr, and from now on all that comes."""
        with self.lock:
            self.is_passed_on = True
            self._write()

    def all(self, wait: bool) -> str:
        """Everything so far; `wait`: the server has ended, and a child that it left is not waited for."""
        self.thread.join(timeout=5 if wait else 0)
        return self.kept.decode(errors="replace")
