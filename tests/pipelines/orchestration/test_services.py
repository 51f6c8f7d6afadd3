"""Real Prefect services on 127.0.0.1: deployments registered, a run executed, everything stopped."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from pipelines.orchestration.private_home import CLIENT_KEY, SERVER_KEY
from pipelines.orchestration.services import ServicesError, _wait_for_worker, down, up

ROOT = Path(__file__).resolve().parents[3]


KEYS: dict[str, str] = {}
"""API key by server."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def ask(url: str, body: dict | list | None = None, key: str = ""):
    """POST to the API with the key of the test's own `up`, or without one."""
    headers = {"Content-Type": "application/json"}
    if found := key or KEYS.get(url.partition("/api")[0], ""):
        headers["Authorization"] = f"Basic {base64.b64encode(found.encode()).decode()}"
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def watch(api: str, folder: Path, deployment: str, config: Path) -> subprocess.CompletedProcess[str]:
    """Run a deployment to its end."""
    command = ["deployment", "run", deployment, "--watch", "-p", f"config={config}"]
    return subprocess.run(
        [sys.executable, "-m", "prefect", *command, "-p", f"runs={folder / 'runs'}"],
        env=os.environ
        | {
            "PREFECT_API_URL": api,
            "PREFECT_API_AUTH_STRING": KEYS[api.removesuffix("/api")],
            "PREFECT_HOME": str(folder / "home"),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_down_without_up_says_what_to_run(tmp_path):
    with pytest.raises(ServicesError, match="nothing is up .*reasoner-zero up --runs"):
        down(tmp_path)


def test_a_used_port_is_reported_before_anything_starts(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ServicesError, match=f"port {port}: .*in use; .* --port"):
            up(tmp_path, port=port, n_gpus=1, say=pytest.fail)


def test_a_worker_that_ends_at_once_is_said(tmp_path, monkeypatch):
    async def never(*_: object) -> float:
        return 0.0

    monkeypatch.setattr("pipelines.orchestration.server_setup.last_heartbeat", never)
    worker = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(ServicesError, match=r"the worker did not start; see .*worker\.log"):
        _wait_for_worker("http://127.0.0.1:9", "", worker, tmp_path)


@pytest.mark.slow
def test_up_runs_a_deployment_and_down_leaves_nothing(tmp_path, config_file, monkeypatch):
    for name in (SERVER_KEY, CLIENT_KEY):  # a test that ran a flow in this process left the key of its server
        monkeypatch.delenv(name, raising=False)
    said: list[str] = []
    services = up(tmp_path / "runs", port=free_port(), n_gpus=2, say=said.append)
    try:
        assert said[0] == "starting the server"
        with pytest.raises(ServicesError, match="already up"):
            up(tmp_path / "runs", port=free_port(), n_gpus=1, say=said.append)
        api = f"{services.url}/api"
        home = tmp_path / "runs" / ".prefect"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask(f"{api}/deployments/filter")
        KEYS[services.url] = (home / "auth").read_text()
        readable = [path for path in [home, *home.rglob("*")] if path.stat().st_mode & 0o077]
        assert not readable, f"others can enter or read {readable}"
        assert (home / "tmp" / "runner_storage").is_dir(), "the worker's scratch is not the /tmp of everybody"
        assert len(ask(f"{api}/block_types/filter")) > 10
        for deployment in ask(f"{api}/deployments/filter"):
            assert str(tmp_path / "runs") in str(deployment["parameters"])
        names = {item["name"] for item in ask(f"{api}/deployments/filter")}
        assert names == {
            *("demo", "weekly", "nightly", "during-training", "hard-prompts"),
            *("compare-settings", "find-wrong-golds", "in-the-small", "on-demand", "to-hub"),
        }
        automations = {item["name"]: item["enabled"] for item in ask(f"{api}/automations/filter")}
        assert automations == {"train-on-new-corpus": False}
        limits = {item["name"]: item for item in ask(f"{api}/v2/concurrency_limits/filter")}
        assert (limits["gpu"]["limit"], limits["gpu"]["slot_decay_per_second"]) == (2, 0)
        wanted = {"deployments": {"name": {"any_": ["during-training"]}}}
        (deployment,) = ask(f"{api}/deployments/filter", wanted)
        hourly = [{"schedule": {"interval": 3600}, "active": True}]
        ask(f"{api}/deployments/{deployment['id']}/schedules", hourly)
        done = watch(api, tmp_path, "curate/weekly", config_file)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / "runs" / "small" / "curate" / "manifest.json").exists()
        wanted = {"event": {"name": ["reasoner-zero.corpus.curated"]}}
        end = time.monotonic() + 300  # The server writes events in batches.
        while not (events := ask(f"{api}/events/filter", {"filter": wanted})["events"]):
            assert time.monotonic() < end, "no event of the finished corpus"
            time.sleep(0.5)
        (event,) = events
        assert event["resource"]["prefect.resource.id"] == "reasoner-zero.corpus.small"
        while not any("stage=curate made" in line["message"] for line in ask(f"{api}/logs/filter")):
            assert time.monotonic() < end, "the stage's own log lines are not on the server"
            time.sleep(0.5)
        planned = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
        while not ask(f"{api}/flow_runs/filter", planned):
            assert time.monotonic() < end, "the schedule plans no run"
            time.sleep(0.5)
        done = watch(api, tmp_path, "train/on-demand", tmp_path / "absent.toml")
        assert done.returncode == 1
        named = {"artifacts": {"key": {"any_": ["how-to-continue"]}}}
        (page,) = ask(f"{api}/artifacts/filter", named)
        assert "absent.toml: no such file" in page["data"]
        assert f"prefect flow-run retry {page['flow_run_id']}" in page["data"]
    finally:
        family = [psutil.Process(pid) for pid, _ in (services.server, services.worker)]
        family += [child for process in family for child in process.children(recursive=True)]
        down(tmp_path / "runs")
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]
    assert not (tmp_path / "runs" / ".prefect" / "services.json").exists()
