"""A child process in its own process group, with its output streamed and nothing left behind.

Training and vLLM start processes themselves and may crash hard. The parent must neither die with them nor
hang on a pipe that a grandchild keeps open.
"""

import ctypes
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from rewards.contracts.files import child_environment

logger = logging.getLogger(__name__)
GRACE_S = 10.0
TAIL_LINES = 30


PR_SET_PDEATHSIG = 1
PARENT = "REASONER_ZERO_PARENT"
"""Environment variable with the id of the process that a child must not outlive."""


class ChildFailed(RuntimeError):
    """The child process failed; the message ends with its last lines of output."""


def describe_exit(status: int) -> str:
    """Say how a process ended.

    >>> describe_exit(1), describe_exit(-9)
    ('exited with status 1', 'was ended by SIGKILL (by the system if memory ran out: see dmesg)')
    """
    if status >= 0:
        return f"exited with status {status}"
    name = signal.Signals(-status).name
    hint = " (by the system if memory ran out: see dmesg)" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"


def run_child(
    command: Sequence[str],
    *,
    log: Path,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    deadline_s: float | None = None,
    stop: threading.Event | None = None,
    on_start: Callable[[IO[str]], None] | None = None,
) -> None:
    """Run `command` to its end; every output line goes to `log` and to `on_line`.

    Raises ChildFailed for a non-zero exit, or when another thread sets `stop`, and TimeoutError after
    `deadline_s`. However it ends (success, failure, interrupt, cancel), the whole process group is ended
    before this returns. If this process is killed, the kernel ends the child (see `pipelines.jobs.worker`).
    `on_start` gets the child's standard input, which is otherwise empty.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.PIPE if on_start else subprocess.DEVNULL,
        text=True,
        errors="replace",
        bufsize=1,
        start_new_session=True,
        env={
            **child_environment(),
            **(environment or {}),
            "PYTHONUNBUFFERED": "1",
            PARENT: str(os.getpid()),
        },
    )
    if on_start is not None:
        assert process.stdin is not None
        on_start(process.stdin)
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with log.open("a", encoding="utf-8") as file:
        try:
            while process.poll() is None:
                _drain(lines, file, tail, on_line)
                if deadline_s is not None and time.monotonic() - started > deadline_s:
                    raise TimeoutError(f"not finished after {deadline_s:.0f} s (deadline_hours): {log}")
                if stop is not None and stop.is_set():
                    raise ChildFailed(f"ended with the others; whole log: {log}")
        finally:
            end_group(process)
            reader.join(timeout=GRACE_S)
        # What was still in the pipe when the child ended: its last lines, which say why if it failed.
        while not lines.empty():
            _drain(lines, file, tail, on_line)
    if process.returncode:
        last = "\n".join(tail)
        raise ChildFailed(f"child {describe_exit(process.returncode)}; whole log: {log}\n{last}")


def _read(process: subprocess.Popen, lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    except ValueError:  # The pipe was closed after the group was ended.
        return


def _drain(lines: queue.Queue[str], file, tail: deque[str], on_line: Callable[[str], None]) -> None:
    try:
        line = lines.get(timeout=0.1)
    except queue.Empty:
        return
    file.write(line + "\n")
    file.flush()
    tail.append(line)
    on_line(line)


def end_group(process: subprocess.Popen) -> None:
    """End the child's whole process group: with SIGTERM, then with SIGKILL after GRACE_S seconds."""
    for sign, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            if process.poll() is not None:
                _reap_group(process.pid)
            if not _group_alive(process.pid):
                break
            time.sleep(0.05)
        else:
            continue
        break
    process.wait()


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies; exit immediately if it already has.

    The parent says who it is: in a container it may be process 1, which elsewhere means that it is gone.
    """
    parent = os.environ.pop(PARENT, None)
    if parent is None:  # Started by hand, over ssh or by an agent of ours, which ends its ranks itself.
        parent = str(os.getppid())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the parent process is gone")


def _reap_group(group: int) -> None:
    """Collect the ended processes of a group whose parent is gone; they are ours when we are process 1, as in
    a container."""
    try:
        while os.waitpid(-group, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
