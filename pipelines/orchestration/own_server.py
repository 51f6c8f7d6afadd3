"""No server of ours outlives the run: a flow without a configured API starts one, and SIGKILL would orphan
it."""

import os
import subprocess

import psutil

# Waits for the run to end, however it ends, then ends the server if it is still there.
WATCH = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; sleep 5; kill "$2" 2>/dev/null'


def end_server_with_this_process() -> None:
    """Watch over the server that Prefect started for this process; without one there is nothing to do."""
    for child in psutil.Process().children():
        if "uvicorn" in " ".join(child.cmdline()):
            subprocess.Popen(
                ["sh", "-c", WATCH, "watch-prefect-server", str(os.getpid()), str(child.pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
