"""End of a run's temporary server: a flow without a configured API starts one, which SIGKILL would orphan."""

import os
import subprocess

import psutil
from prefect.client.orchestration import get_client

# Waits for the run to end, in whatever way, then ends the server if it still runs.
WATCH = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; sleep 5; kill "$2" 2>/dev/null'


def start_server() -> None:
    """Start the temporary server now, if this process needs one; a flow then finds it running."""
    with get_client(sync_client=True) as client:
        client.hello()


def end_server_with_this_process() -> None:
    """End the server that Prefect started for this process when the process ends; do nothing without one."""
    for child in psutil.Process().children():
        if "uvicorn" in " ".join(child.cmdline()):
            subprocess.Popen(
                ["sh", "-c", WATCH, "watch-prefect-server", str(os.getpid()), str(child.pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
