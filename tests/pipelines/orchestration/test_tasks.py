"""Stages as tasks on a real temporary server: cached ones say so, and a failing network is tried again."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from curation.sources.locations import locate
from curation.sources.readers import SourceError
from pipelines.orchestration.tasks import is_network
from tests.pipelines.conftest import ROOT

TWICE = """
import sys
import flows
for _ in range(2):
    flows.score(sys.argv[1], {}, sys.argv[2])
"""
FLAKY = """
import logging, sys
import psutil
from pipelines.orchestration import own_server, tasks
from prefect import flow

calls = []
tasks.RETRY_S = 0.1

@tasks._task("flaky", retries=3)
def flaky(error):
    calls.append(1)
    if len(calls) < 3:
        raise error("no route to the hub")
    return len(calls)

@flow
def run(error):
    return flaky(error)

own_server.leave_failures_to_caller()
print(run(ConnectionResetError))
calls.clear()
try:
    run(ValueError)
except ValueError:
    print("refused after", len(calls))

servers = [own_server.has_lost_server()]
for child in psutil.Process().children():
    if "uvicorn" in " ".join(child.cmdline()):
        child.kill()
        child.wait()
print(servers, own_server.has_lost_server())
"""


def python(code: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_a_cached_stage_is_shown_as_cached_with_its_edges(config_file: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    python(TWICE, home, str(config_file), str(tmp_path / "runs"))
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        rows = database.execute(
            "select name, state_name, task_inputs from task_run order by expected_start_time"
        ).fetchall()
    names = [(name, state) for name, state, _ in rows]
    assert names == [
        ("curate", "Completed"),
        ("compile-rewards", "Completed"),
        ("curate", "Cached"),
        ("compile-rewards", "Cached"),
    ]
    assert all("task_run" in inputs for name, _, inputs in rows if name == "compile-rewards")


def test_a_network_is_tried_again_and_a_mistake_is_not(tmp_path: Path) -> None:
    done = python(FLAKY, tmp_path / "home")
    assert done.stdout.splitlines() == ["3", "refused after 1", "[False] True"]
    # The pauses are said, and of the failure, which the caller has, nothing.
    assert done.stderr.count("flaky: no route to the hub; it is tried again in ") == 2
    assert "Traceback" not in done.stderr and "ERROR" not in done.stderr


def failure(call) -> BaseException:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def status(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("GET", "http://127.0.0.1/")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(code, request=request))


def test_what_a_repeat_may_mend(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/rows.jsonl"
    assert is_network(failure(lambda: httpx.get(nobody)))
    assert is_network(failure(lambda: locate(nobody, None))), "also behind our own message"
    assert is_network(status(503)) and is_network(status(429)) and is_network(TimeoutError())
    assert not is_network(status(404)) and not is_network(status(401))
    assert not is_network(failure(lambda: locate("gone.jsonl", tmp_path)))
    assert not is_network(SourceError("a bad row")) and not is_network(MemoryError())
