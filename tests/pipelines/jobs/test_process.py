"""Child processes: output, failure, deadline; and nothing is left running, however they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipelines.jobs import process
from pipelines.jobs.process import ChildFailed, run_child
from tests.pipelines.conftest import ROOT


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_running(pid: int) -> bool:
    """False when the process is gone or only its exit status is left."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    """Wait until `pid` has ended; pytest's time limit ends a hopeless wait."""
    while is_running(pid):
        time.sleep(0.02)
    return True


def test_lines_go_to_log_and_callback_in_order(tmp_path: Path) -> None:
    lines: list[str] = []
    code = (
        "import sys\nfor i in range(500): print(i)\nprint('é', file=sys.stderr)\nprint('no newline', end='')"
    )
    run_child(child(code), log=tmp_path / "deep" / "a.log", on_line=lines.append)
    expected = [*map(str, range(500)), "é", "no newline"]
    assert lines == expected
    assert (tmp_path / "deep" / "a.log").read_text().splitlines() == expected


def test_burst_of_lines_before_the_end_is_not_lost(tmp_path: Path) -> None:
    """The child ends long before its lines are handled."""
    lines: list[str] = []
    code = "import sys; sys.stdout.write('\\n'.join(map(str, range(20000))))"
    run_child(child(code), log=tmp_path / "a.log", on_line=lines.append)
    assert lines == [str(i) for i in range(20000)]


def test_undecodable_output_is_not_fatal(tmp_path: Path) -> None:
    lines: list[str] = []
    code = r"import sys; sys.stdout.buffer.write(b'\xff\xfe bad\n')"
    run_child(child(code), log=tmp_path / "a.log", on_line=lines.append)
    assert lines == ["\ufffd\ufffd bad"]


def test_environment_and_new_process_group(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import os; print(os.environ['EXTRA'], os.getpgid(0) == os.getpid(), os.environ['HOME'])"
    run_child(child(code), log=tmp_path / "a.log", on_line=lines.append, environment={"EXTRA": "yes"})
    assert lines == [f"yes True {os.environ['HOME']}"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("raise SystemExit(3)", "exited with status 3;", id="exit status"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL (by the", id="killed"),
        pytest.param("import os; os.kill(os.getpid(), 15)", "was ended by SIGTERM;", id="terminated"),
    ],
)
def test_failure_shows_status_log_and_last_lines(tmp_path: Path, code: str, status: str) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(ChildFailed) as error:
        run_child(child(f"for i in range(100): print('line', i)\n{code}"), log=log, on_line=lambda line: None)
    message = str(error.value)
    assert status in message and str(log) in message
    assert message.splitlines()[1:] == [f"line {i}" for i in range(100 - process.TAIL_LINES, 100)]


GRANDCHILD = """\
import subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", {inner!r}])
print(inner.pid, flush=True)
"""
SLEEPS = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPS}"


def test_grandchild_that_keeps_the_pipe_open_is_ended(tmp_path: Path) -> None:
    lines: list[str] = []
    run_child(child(GRANDCHILD.format(inner=SLEEPS)), log=tmp_path / "a.log", on_line=lines.append)
    assert ends(int(lines[0]))


def test_failing_child_takes_its_grandchild_along(tmp_path: Path) -> None:
    lines: list[str] = []
    code = GRANDCHILD.format(inner=SLEEPS) + "sys.exit(1)"
    with pytest.raises(ChildFailed):
        run_child(child(code), log=tmp_path / "a.log", on_line=lines.append)
    assert ends(int(lines[0]))


def test_deadline_ends_the_group(tmp_path: Path) -> None:
    lines: list[str] = []
    code = GRANDCHILD.format(inner=SLEEPS) + "inner.wait()"
    with pytest.raises(TimeoutError, match="not finished after 1 s"):
        run_child(child(code), log=tmp_path / "a.log", on_line=lines.append, deadline_s=1.0)
    assert not lines or ends(int(lines[0]))


def test_another_thread_can_stop_the_child(tmp_path: Path) -> None:
    stop, pids = threading.Event(), []

    def stop_at_once(line: str) -> None:
        pids.append(int(line))
        stop.set()

    code = f"import os; print(os.getpid(), flush=True); {SLEEPS}"
    with pytest.raises(ChildFailed, match="ended with the others"):
        run_child(child(code), log=tmp_path / "a.log", on_line=stop_at_once, stop=stop)
    assert ends(pids[0])


def test_group_deaf_to_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.2)
    lines: list[str] = []

    def stop_when_deaf(line: str) -> None:
        lines.append(line)
        if line == "deaf":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_child(
            child(GRANDCHILD.format(inner=DEAF) + "inner.wait()"),
            log=tmp_path / "a.log",
            on_line=stop_when_deaf,
        )
    assert ends(int(lines[0]))


def test_error_in_the_callback_ends_the_child(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise ValueError("cannot show this")

    with pytest.raises(ValueError, match="cannot show this"):
        run_child(
            child(f"import os; print(os.getpid(), flush=True); {SLEEPS}"),
            log=tmp_path / "a.log",
            on_line=fail,
        )
    assert ends(pids[0])


PARENT = """\
import sys
from pathlib import Path
from pipelines.jobs.process import run_child

def show(line):
    print(line, flush=True)

run_child([sys.executable, "-c", sys.argv[2]], log=Path(sys.argv[1]), on_line=show)
"""
WORKER = """\
import os, sys, time
from pipelines.jobs.process import die_with_parent

die_with_parent()
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_ending_the_parent_ends_the_worker(tmp_path: Path, sign: signal.Signals) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, str(tmp_path / "a.log"), WORKER]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.send_signal(sign)
        parent.wait()
        assert ends(worker)
    assert parent.returncode == -sign


RANKS = """\
import sys
from pathlib import Path
from pipelines.jobs.hosts import Host
from pipelines.jobs.supervise import Task, run_ranks

task = Task(["-m", "pipelines.jobs.worker", sys.argv[2]], {}, Path(sys.argv[1]))
run_ranks(task, [Host("", 2)], "ssh", lambda n: n, print)
"""


@pytest.mark.slow
def test_killing_the_parent_ends_launcher_and_ranks(tmp_path: Path) -> None:
    # The job file is an empty pipe, so that the ranks wait in the middle of reading it.
    job = tmp_path / "job.json"
    os.mkfifo(job)
    writer = os.open(job, os.O_RDWR)
    command = [sys.executable, "-c", RANKS, str(tmp_path / "a.log"), str(job)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as parent:
        family = psutil.Process(parent.pid)
        while len(reading := [p for p in family.children(recursive=True) if has_open(p, job)]) < 2:
            time.sleep(0.05)
        everyone = family.children(recursive=True)
        assert len(everyone) == 3 and set(reading) < set(everyone)
        parent.kill()
        parent.wait()
        assert all(ends(process.pid) for process in everyone)
    os.close(writer)


def has_open(process: psutil.Process, path: Path) -> bool:
    try:
        return any(os.readlink(entry) == str(path) for entry in Path(f"/proc/{process.pid}/fd").iterdir())
    except FileNotFoundError:
        return False


def test_worker_without_its_parent_exits_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = type("Kernel", (), {"prctl": lambda *a: 0})
    monkeypatch.setattr(process.ctypes, "CDLL", lambda name: kernel)
    monkeypatch.setenv(process.PARENT, str(os.getppid() + 1))
    with pytest.raises(SystemExit, match="the parent process is gone"):
        process.die_with_parent()


@pytest.mark.parametrize("parent", ["1", None], ids=["a container's process 1", "started by hand"])
def test_process_one_is_a_parent_as_any_other(parent: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = type("Kernel", (), {"prctl": lambda *a: 0})
    monkeypatch.setattr(process.ctypes, "CDLL", lambda name: kernel)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    if parent:
        monkeypatch.setenv(process.PARENT, parent)
    process.die_with_parent()


AS_PROCESS_ONE = """\
import subprocess, sys, time
from pathlib import Path
from pipelines.jobs.process import run_child

code = "import os, subprocess, sys; " + (
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(os.getpid())"
)
started = time.monotonic()
run_child([sys.executable, "-m", "tests.pipelines.jobs.as_worker"], log=Path(sys.argv[1]), on_line=print)
run_child([sys.executable, "-c", code], log=Path(sys.argv[1]), on_line=lambda line: None)
print("seconds", time.monotonic() - started)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a process namespace of one's own needs root")
def test_heavy_stages_run_below_process_one_and_leave_no_dead_process(tmp_path: Path) -> None:
    """As in a container without an init: children whose parent ended belong to process 1, which is us."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", AS_PROCESS_ONE]
    done = subprocess.run([*command, str(tmp_path / "a.log")], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "the worker runs below 1"
    # Unreaped, the dead grandchild would look alive until both grace periods had passed.
    assert float(done.stdout.split()[-1]) < 2 * process.GRACE_S
