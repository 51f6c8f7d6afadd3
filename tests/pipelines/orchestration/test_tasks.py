"""Stages as tasks on a real temporary server: what they say, what is tried again, and where no token is."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from curation.sources.locations import locate
from curation.sources.readers import SourceError
from pipelines.artifacts.workspace import Workspace
from pipelines.orchestration.tasks import is_network
from tests.pipelines.conftest import LICENSE, ROOT, write_config
from tests.pipelines.publishing.conftest import REPO, TOKEN, settings
from tests.pipelines.publishing.hub_server import HubServer

SESSION = """
import os
import sys
import flows
import psutil
from pipelines.orchestration import own_server, tasks
from prefect import flow
from prefect.blocks.system import Secret

config, runs, run = sys.argv[1:]
calls = []
tasks.RETRY_S = 0.1

@tasks._task("flaky", retries=3)
def flaky(error):
    calls.append(1)
    if len(calls) < 3:
        raise error("no route to the hub")
    return len(calls)

@flow
def operator():
    Secret(value=sys.stdin.readline().strip()).save("hub-token")
    return flows.publish("me/sums", run, "dataset", dry_run=False, token_block="hub-token")

@flow
def stubborn(error):
    return flaky(error)

print("commit", operator())
for _ in range(2):
    flows.score(config, {}, runs)
own_server.leave_failures_to_caller()
sys.stderr.write("@quiet")
print("answered at call", stubborn(ConnectionResetError))
calls.clear()
try:
    stubborn(ValueError)
except ValueError:
    print("refused at call", len(calls))
sys.stderr.write("@quiet")
print("lost", own_server.has_lost_server())
for child in psutil.Process().children():
    if "uvicorn" in " ".join(child.cmdline()):
        child.kill()
        child.wait()
print("lost", own_server.has_lost_server(), flush=True)
os._exit(0)  # Without its server, Prefect would take a minute to leave.
"""


@dataclass(frozen=True, slots=True)
class Session:
    """What one process with a temporary server left behind."""

    stdout: str
    stderr: str
    home: Path
    hub: HubServer

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "prefect.db")) as database:
            return database.execute(sql).fetchall()


@pytest.fixture(scope="module")
def session(licensed_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("session")
    home, config = folder / "prefect", write_config(folder, LICENSE)
    with HubServer(TOKEN) as hub:
        environment = {**os.environ, **settings(hub, folder / "hf"), "PREFECT_HOME": str(home)}
        environment |= {"PYTHONPATH": str(ROOT), "PREFECT_LOGGING_LEVEL": "DEBUG"}
        environment |= {"PREFECT_LOCAL_STORAGE_PATH": str(home / "storage")}
        del environment["HF_TOKEN"]
        done = subprocess.run(
            [sys.executable, "-c", SESSION, str(config), str(folder / "runs"), str(licensed_run.folder)],
            input=TOKEN,
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        yield Session(done.stdout, done.stderr, home, hub)


def test_a_cached_stage_is_shown_as_cached_with_its_edges(session: Session) -> None:
    rows = session.query(
        "select name, state_name, task_inputs from task_run "
        "where name in ('curate', 'compile-rewards') order by expected_start_time"
    )
    assert [(name, state) for name, state, _ in rows] == [
        ("curate", "Completed"),
        ("compile-rewards", "Completed"),
        ("curate", "Cached"),
        ("compile-rewards", "Cached"),
    ]
    assert all("task_run" in inputs for name, _, inputs in rows if name == "compile-rewards")


def test_a_network_is_tried_again_and_a_mistake_is_not(session: Session) -> None:
    said = session.stdout.splitlines()
    assert said[-4:] == ["answered at call 3", "refused at call 1", "lost False", "lost True"]
    # The pauses are said, and of the failure, which the caller has, nothing.
    stderr = session.stderr.split("@quiet")[1]
    assert stderr.count("flaky: no route to the hub; it is tried again in ") == 2
    assert "Traceback" not in stderr and "ERROR" not in stderr


def test_a_token_in_a_block_is_used_and_nowhere_written(session: Session, licensed_run: Workspace) -> None:
    """Logs, database, artifacts and what is sent do not contain the token."""
    assert session.stdout.splitlines()[0].split() == ["commit", session.hub.repos[REPO][-1][0]]
    ((rows,),) = session.query("select data from artifact where key = 'published-dataset'")
    assert "SHA256SUMS" in rows
    folders = (session.home.parent, licensed_run.root)
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert session.home / "prefect.db" in written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in session.stdout + session.stderr
    assert not any(TOKEN.encode() in content for content in session.hub.files(REPO).values())


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
