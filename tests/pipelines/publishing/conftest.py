"""Publishing with the real hub client, in child processes, to a hub server on the loopback interface."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.artifacts.workspace import Workspace
from tests.pipelines.conftest import ROOT, Cli
from tests.pipelines.publishing.hub_server import HubServer

TOKEN = "hf_plantedTokenThatMustNotLeak"
REPO = "datasets/me/sums"
"""Where `publish` sends to, as the hub server names it."""
Publish = Callable[..., subprocess.CompletedProcess[str]]


def settings(hub: HubServer, home: Path) -> dict[str, str]:
    """Environment that points the hub client at our server, with a separate home."""
    places = {"HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "datasets")}
    return {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", **places}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(TOKEN) as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    return settings(hub, tmp_path / "hf")


@pytest.fixture
def publish(cli: Cli, client: dict[str, str], licensed_run: Workspace) -> Publish:
    """Run `reasoner-zero publish` on the data set of the licensed run; no output ever holds the token."""

    def run(*extra: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", *extra)
        done = cli(*command, **{**client, **environment})
        assert TOKEN not in done.stdout + done.stderr
        return done

    return run


def python(code: str, client: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **client}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
