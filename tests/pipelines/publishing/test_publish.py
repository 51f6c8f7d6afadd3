"""A publication through a flow, whose token lies in a Secret block of the server."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.artifacts.workspace import Workspace
from tests.pipelines.conftest import ROOT
from tests.pipelines.publishing.conftest import REPO, TOKEN
from tests.pipelines.publishing.hub_server import HubServer

PUBLISH_FLOW = """\
import sys

import flows
from prefect.blocks.system import Secret

@flows.flow
def operator():
    Secret(value=sys.stdin.readline().strip()).save("hub-token")
    return flows.publish("me/sums", sys.argv[1], "dataset", dry_run=False, token_block="hub-token")

print(operator())
"""


@pytest.mark.slow
def test_a_token_in_a_block_is_used_and_nowhere_written(
    hub: HubServer, client: dict[str, str], tmp_path: Path, licensed_run: Workspace
) -> None:
    """The flow on a temporary server: logs, database, artifacts and what is sent do not contain the token."""
    home = tmp_path / "prefect"
    without = {name: value for name, value in client.items() if name != "HF_TOKEN"}
    environment = {**os.environ, **without, "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment |= {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOCAL_STORAGE_PATH": str(home / "storage")}
    environment.pop("HF_TOKEN", None)
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH_FLOW, str(licensed_run.folder)],
        input=TOKEN,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == hub.repos[REPO][-1][0]
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        (rows,) = database.execute("select data from artifact where key = 'published-dataset'").fetchone()
    assert "SHA256SUMS" in rows
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    written += [path for path in licensed_run.root.rglob("*") if path.is_file()]
    assert home / "prefect.db" in written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in content for content in hub.files(REPO).values())
