"""Checks of the machines of a hostfile before a run: shell, Python, versions, shared folders, clocks."""

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.cli.doctor import Finding
from pipelines.jobs.hosts import SLURM, read_hosts
from pipelines.jobs.starter import facts
from pipelines.jobs.supervise import READY_S, Connection, connect
from rewards.contracts.files import ROOT

CLOCK_S = 5.0
"""Difference of clocks from which logs and files of several machines can no longer be put in order."""


def examine_hosts(hostfile: str, remote_shell: str, runs: Path) -> list[Finding]:
    """Start what a training starts on every machine, and compare what it reports with this machine."""
    hosts = read_hosts(hostfile)
    shell = SLURM if hostfile == SLURM and remote_shell.startswith("ssh ") else remote_shell
    runs.mkdir(parents=True, exist_ok=True)
    logging.getLogger("pipelines.jobs.supervise").setLevel(logging.ERROR)
    own = facts()
    with (
        tempfile.NamedTemporaryFile(dir=runs, prefix=".doctor-") as shared,
        tempfile.TemporaryDirectory() as folder,
    ):
        os.fsync(shared.fileno())
        said: list[str] = []
        with connect(hosts, shell, Path(folder) / "log", said.append) as connections:
            ends = time.monotonic() + READY_S
            return [
                finding
                for connection in connections
                for finding in _examine(connection, own, shared.name, ends, said)
            ]


def _examine(
    connection: Connection, own: dict[str, Any], shared: str, ends: float, said: list[str]
) -> Iterator[Finding]:
    name, sent = connection.host.name, time.time()
    found = connection.ready(ends)
    if found is None:
        why = said[-1] if said else f"no answer within {READY_S:.0f} s"
        mend = f"reach it by hand first; project and environment have to be in {ROOT} there, too"
        yield Finding("problem", name, why, mend)
        return
    wrong = [
        f"{library} {found['libraries'].get(library, 'missing')}, here {version}"
        for library, version in own["libraries"].items()
        if found["libraries"].get(library) != version
    ]
    if found["python"] != own["python"]:
        wrong.insert(0, f"Python {found['python']}, here {own['python']}")
    if wrong:
        yield Finding("problem", name, "; ".join(wrong), "run make setup there")
    late = found["time"] - sent
    if not -CLOCK_S < late < CLOCK_S + (time.time() - sent):
        yield Finding(
            "problem", name, f"clock differs by {late:+.0f} s", "set it by NTP: timedatectl set-ntp true"
        )
    connection.send(json.dumps({"check": [shared, str(ROOT)]}))
    seen = (connection.ready(ends) or {}).get("seen", {})
    if not seen.get(shared):
        what = f"does not see {Path(shared).parent}"
        yield Finding("problem", name, what, "all machines need the same folder of runs: mount it there")
    elif not wrong:
        text = f"{found['host']}: Python {found['python']}, {connection.host.slots} slots, folders shared"
        yield Finding("ok", name, text, "")
