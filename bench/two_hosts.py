"""Train on two hosts that share only a network and a disk, kill one, and resume (Linux, needs root).

python bench/two_hosts.py

The hosts are two network namespaces joined by a veth pair, over which torchrun's launchers meet, one rank on
each. The run must equal one with two ranks on a single host, byte for byte. When one host's rank is killed,
the other host's launcher must end by itself, and the same two commands must finish the run with the same
bytes.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from bench.resume import ROOT, fingerprint, make_base, train_once

HOSTS = {"rz-a": "10.213.7.1", "rz-b": "10.213.7.2"}
LINKS = {"rz-a": "rz-va", "rz-b": "rz-vb"}
PORT = 29517
DEADLINE_S = 300


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def raise_hosts() -> None:
    first, second = LINKS.values()
    for name in HOSTS:
        run("ip", "netns", "add", name)
    run("ip", "link", "add", first, "type", "veth", "peer", "name", second)
    for name, address in HOSTS.items():
        run("ip", "link", "set", LINKS[name], "netns", name)
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", LINKS[name])
        run("ip", "-n", name, "link", "set", LINKS[name], "up")
        run("ip", "-n", name, "link", "set", "lo", "up")


def remove_hosts() -> None:
    for name in HOSTS:
        subprocess.run(["ip", "netns", "del", name], check=False)


def train_on_hosts(base: Path, out: Path, phase: str = "none") -> list[int]:
    """Start the launcher on both hosts; returns their exit statuses."""
    first = next(iter(HOSTS.values()))
    launchers = []
    for name in HOSTS:
        command = ["ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run"]
        command += ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", "--rdzv-id=two-hosts"]
        command += [f"--rdzv-endpoint={first}:{PORT}", f"--local-addr={HOSTS[name]}", "--max-restarts=0"]
        # Both namespaces have the same host name, by which torchrun would decide who hosts the rendezvous.
        command.append(f"--rdzv-conf=is_host={int(HOSTS[name] == first)}")
        command += [str(ROOT / "bench" / "resume.py"), "--child", str(base), str(out), "2", phase]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": LINKS[name]}
        log = (out.parent / f"{out.name}-{name}.log").open("a")
        launchers.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        )
    ends = time.monotonic() + DEADLINE_S
    while any(launcher.poll() is None for launcher in launchers) and time.monotonic() < ends:
        time.sleep(0.5)
    for launcher in launchers:
        if launcher.poll() is None:
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
            raise RuntimeError(f"a launcher did not end within {DEADLINE_S} s; see the logs in {out.parent}")
    return [launcher.returncode for launcher in launchers]


def main() -> None:
    table = Table(
        "run", "exit statuses", "bytes", "equal to one host", title="Two hosts", title_justify="left"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = make_base(folder)
        train_once(base, folder / "one-host", 2)
        expected = fingerprint(folder / "one-host")
        table.add_row("one host, two ranks", "0", expected, "")
        raise_hosts()
        try:
            whole = train_on_hosts(base, folder / "whole")
            killed = train_on_hosts(base, folder / "killed", "policy")
            resumed = train_on_hosts(base, folder / "killed")
        finally:
            remove_hosts()
        found = {name: fingerprint(folder / name) for name in ("whole", "killed")}
    is_right = set(found.values()) == {expected} and whole == resumed == [0, 0] and all(killed)
    table.add_row("two hosts", str(whole), found["whole"], str(found["whole"] == expected))
    table.add_row("  one rank killed", str(killed), "", "")
    table.add_row("  started again", str(resumed), found["killed"], str(found["killed"] == expected))
    Console().print(table)
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
