"""A child process in its own process group, with its output streamed and nothing left behind.

Training and vLLM start processes themselves and may crash hard. The parent must neither die with them nor
hang on a pipe that a grandchild keeps open.
"""

import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rewards.contracts.files import child_environment

logger = logging.getLogger(__name__)
GRACE_S = 10.0
TAIL_LINES = 30


class ChildFailed(RuntimeError):
    """The child process failed; the message ends with its last lines of output."""


def run_child(
    command: Sequence[str],
    *,
    log: Path,
    on_line: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    deadline_s: float | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Run `command` to its end; every output line goes to `log` and to `on_line`.

    Raises ChildFailed for a non-zero exit, or when another thread sets `stop`, and TimeoutError after
    `deadline_s`. However it ends (success, failure, interrupt, cancel), the whole process group is ended
    before this returns. If this process is killed, the kernel ends the child (see `pipelines.jobs.worker`).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        bufsize=1,
        start_new_session=True,
        env={**child_environment(), **(environment or {}), "PYTHONUNBUFFERED": "1"},
    )
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
        raise ChildFailed(f"child exited with status {process.returncode}; whole log: {log}\n{last}")


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
            process.poll()
            if not _group_alive(process.pid):
                break
            time.sleep(0.05)
        else:
            continue
        break
    process.wait()


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
