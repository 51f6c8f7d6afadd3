"""Publishing with the real hub client to a hub server on the loopback interface."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from huggingface_hub import constants

from pipelines.artifacts.workspace import Workspace
from pipelines.cli.main import main
from tests.pipelines.conftest import ROOT
from tests.pipelines.publishing.hub_server import HubServer

TOKEN = "hf_plantedTokenThatMustNotLeak"
REPO = "datasets/me/sums"
"""Where `publish` sends to, as the hub server names it."""
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Publish = Callable[..., Done]


def settings(hub: HubServer, home: Path) -> dict[str, str]:
    """Environment that points the hub client at our server, with a separate home."""
    places = {"HF_HOME": str(home), "HF_DATASETS_CACHE": str(home / "datasets")}
    return {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", **places}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(TOKEN) as server:
        yield server


def point_client(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Point the client of this process at `url`; it reads these constants at every call."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a hub in the network."""
    point_client(monkeypatch, NOBODY)


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    return settings(hub, tmp_path / "hf")


@pytest.fixture
def publish(
    hub: HubServer,
    licensed_run: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Publish:
    """The command publish in this process, on the data set of the licensed run; it never shows the token."""

    def run(*extra: str, token: str = TOKEN, url: str = hub.url) -> Done:
        point_client(monkeypatch, url)
        monkeypatch.setenv("HF_TOKEN", token)
        status = main(["publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", *extra])
        shown = capsys.readouterr()
        assert token not in shown.out + shown.err + caplog.text
        return Done(status, shown.out, shown.err)

    return run


def python(code: str, client: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **client}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
