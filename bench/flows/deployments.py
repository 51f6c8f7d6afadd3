"""Test what an operator relies on, for real: a server, a worker and several runs at the same time.

    python bench/flows/deployments.py                              everything
    python bench/flows/deployments.py --parts interval failure

Three runs of reasoner-zero/demo start together on one GPU slot, two of them with the same configuration. Then
evaluate-new runs on an interval schedule, a refreshed corpus starts a training run, and a training run that
fails notifies a local web server through a notification block. Everything is on 127.0.0.1, with the chain of
bench/flows/small_chain.py.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil
from rich.console import Console
from rich.table import Table

from bench.flows import small_chain as chain
from pipelines.artifacts.audit import check_run

INTERVAL_S = 30
MAKE_NOTIFICATION = """\
import asyncio, os, sys
import pipelines.orchestration.environment
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from pipelines.orchestration.automations import make_automations

text = {"text": "{{subject}} {{body}}"}
block = CustomWebhookNotificationBlock(name="alerts", url=sys.argv[1], json_data=text)
block.save("alerts", overwrite=True)
asyncio.run(make_automations(os.environ["PREFECT_API_URL"], "custom-webhook/alerts"))
"""


def main() -> None:
    parts = {"at-once": at_once, "interval": by_interval, "corpus": by_new_corpus, "failure": word_of_failure}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    asked = parser.parse_args().parts
    folder = Path(tempfile.mkdtemp(prefix="deployments-"))
    runs, config = folder / "runs", chain.write_config(folder)
    table = Table("what", "found", "as expected", title="Deployments", title_justify="left")
    is_good = True
    try:
        with chain.services(runs, "--gpu-slots", "1") as api:
            for name in asked:
                for what, found, expected in parts[name](api, runs, config):
                    is_good &= expected
                    table.add_row(what, found, "yes" if expected else "[red]NO")
                    Console().print(f"{what}: {found}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    Console().print(table)
    sys.exit(0 if is_good else 1)


Row = tuple[str, str, bool]


def at_once(api: str, runs: Path, config: Path) -> Iterator[Row]:
    """Three runs at the same time: they share equal artifacts and take turns on the slot."""
    changes = ({}, {"name": "twin"}, {"name": "other", "training.seed": 1})
    ids = [
        chain.create_run(
            api, "reasoner-zero/demo", {"config": str(config), "runs": str(runs), "overrides": change}
        )
        for change in changes
    ]
    most_flows = most_on_slot = 0

    def are_over() -> bool:
        nonlocal most_flows, most_on_slot
        lines = [line for process in chain.processes_of(runs) if (line := command_line(process))]
        # Only child processes compute on the device; the flow's own process does not.
        most_on_slot = max(most_on_slot, len({line for line in lines if "pipelines.jobs.worker" in line}))
        states = [chain.state_of(api, run) for run in ids]
        most_flows = max(most_flows, states.count("RUNNING"))
        return all(state in ("COMPLETED", "FAILED", "CRASHED") for state in states)

    chain.wait_for(are_over, "three runs end", pause_s=0.3, limit_s=2 * chain.LONG_S)
    states = [chain.state_of(api, run) for run in ids]
    shown = f"{most_flows} ran together: {', '.join(states)}"
    yield "three runs together", shown, set(states) == {"COMPLETED"}
    yield "on the one GPU slot", f"{most_on_slot} at a time", most_on_slot == 1 and most_flows > 1
    problems = [line for name in (chain.NAME, "twin", "other") for line in check_run(runs / name)]
    partial = list((runs / "artifacts").glob("*/*.partial"))
    yield "files that differ from their manifest", str(len(problems)), not problems
    yield "incomplete artifacts", str(len(partial)), not partial
    made = [path.parent.name for path in (runs / "artifacts" / "train").glob("*/manifest.json")]
    links = [(runs / name / "train").resolve() for name in (chain.NAME, "twin", "other")]
    is_shared = links[0] == links[1] != links[2]
    yield "training artifacts of three runs, two of them equal", str(len(made)), len(made) == 2 and is_shared


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def by_interval(api: str, runs: Path, config: Path) -> Iterator[Row]:
    """evaluate-new on a schedule, with nothing to benchmark."""
    deployment = chain.ask(f"{api}/deployments/name/evaluate-new/during-training")["id"]
    parameters = {"config": str(config), "runs": str(runs), "overrides": {"name": "untrained"}}
    schedule = {"schedule": {"interval": INTERVAL_S}, "active": True, "parameters": parameters}
    (made,) = chain.ask(f"{api}/deployments/{deployment}/schedules", [schedule])
    wanted = {
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    }
    over = chain.wait_for(
        lambda: found if len(found := chain.ask(f"{api}/flow_runs/filter", wanted)) >= 2 else None,
        "two scheduled runs end",
        pause_s=1.0,
    )
    chain.delete(f"{api}/deployments/{deployment}/schedules/{made['id']}")
    states = {run["state_type"] for run in over}
    creators = {(run["created_by"] or {}).get("type") for run in over}
    shown = f"{len(over)}: {', '.join(states)}"
    yield f"runs on an interval of {INTERVAL_S} s", shown, states == {"COMPLETED"}
    yield "created by", ", ".join(map(str, creators)), creators == {"SCHEDULE"}


def by_new_corpus(api: str, runs: Path, config: Path) -> Iterator[Row]:
    """The automation train-on-new-corpus, enabled, after a refresh of the corpus."""
    wanted = {"automations": {"name": {"any_": ["train-on-new-corpus"]}}}
    (automation,) = chain.ask(f"{api}/automations/filter", wanted)
    chain.ask(f"{api}/automations/{automation['id']}", {"enabled": True}, method="PATCH")
    time.sleep(5)  # The server's triggers need this time to notice the change.
    asked = {
        "config": str(config),
        "runs": str(runs),
        "overrides": {"name": "refreshed", "training.n_steps": 2},
    }
    chain.create_run(api, "curate/weekly", asked)
    deployment = chain.ask(f"{api}/deployments/name/train/on-demand")["id"]
    wanted = {"deployments": {"id": {"any_": [deployment]}}}

    def started() -> dict | None:
        found = chain.ask(f"{api}/flow_runs/filter", wanted)
        return found[0] if found and found[0]["state_type"] in ("COMPLETED", "FAILED", "CRASHED") else None

    run = chain.wait_for(started, "a training run starts automatically and ends", pause_s=1.0)
    given = run["parameters"]
    is_same = asked.items() <= given.items()
    shown = f"{run['state_type']}, with {Path(given['config']).name} and {given['overrides']}"
    yield "training run started by a new corpus", shown, run["state_type"] == "COMPLETED" and is_same


def word_of_failure(api: str, runs: Path, config: Path) -> Iterator[Row]:
    """The automation notify-failed-training, with a webhook block."""
    with listener() as (url, received):
        command = [sys.executable, "-c", MAKE_NOTIFICATION, url]
        environment = chain.environment(runs) | {"PREFECT_API_URL": api, "PYTHONPATH": str(chain.ROOT)}
        subprocess.run(command, cwd=chain.ROOT, env=environment, check=True)
        time.sleep(5)
        chain.create_run(api, "train/on-demand", {"config": "absent.toml", "runs": str(runs)})
        chain.wait_for(lambda: received, "the notification of a failed training run")
    text = received[0].decode()
    Console().print(text, markup=False)
    yield "notification of a failed training run", text[:60], "Training train absent: Failed" in text


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A web server on 127.0.0.1 that stores what is posted to it."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()


if __name__ == "__main__":
    os.environ.pop("PREFECT_API_URL", None)
    main()
