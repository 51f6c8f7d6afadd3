"""Start a job's ranks on one machine with torchrun's elastic agent: python -m pipelines.jobs.starter

The supervisor (`pipelines.jobs.supervise`) runs it on every machine, on others over ssh. They talk through
its standard streams: it prints `@ready {...}`, reads one JSON line that says what to run, and from then on
only signs of life. When these stop, because the connection, the supervisor or its machine is gone, the ranks
are ended: nothing goes on training that nobody waits for.
"""

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipelines.jobs.process import PARENT, describe_exit, die_with_parent
from pipelines.jobs.versions import library_versions
from rewards.contracts.files import ROOT

READY, FAILED = "@ready ", "@failed "
SILENCE_S = 30.0
"""Seconds without a sign of life after which the ranks are ended."""
GRACE_S = 5.0


def main() -> int:
    if os.getpgrp() != os.getpid():
        os.setsid()
    die_with_parent()
    say(READY, {"port": free_port(), **facts()})
    # The ranks inherit an empty input; only this process hears the supervisor.
    heard = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with os.fdopen(heard, "rb", buffering=0, closefd=False) as file:
        order = file.readline()
    if not order.strip():
        return 0
    spec = json.loads(order)
    if "check" in spec:
        say(READY, {"seen": {path: Path(path).exists() for path in spec["check"]}})
        return 0
    threading.Thread(target=watch, args=(heard,), daemon=True).start()
    return start(spec)


def start(spec: dict[str, Any]) -> int:
    """Run the ranks of this machine to their end; returns the exit status, and prints why they failed."""
    os.environ.update(spec["environment"] | {PARENT: str(os.getpid())})
    address = own_address(spec["endpoint"])
    os.environ.setdefault("GLOO_SOCKET_IFNAME", interface_of(address))
    os.environ["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"] = str(int(GRACE_S))
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, launch_agent

    config = LaunchConfig(
        min_nodes=spec["n_nodes"],
        max_nodes=spec["n_nodes"],
        nproc_per_node=spec["n_local"],
        run_id=spec["run_id"],
        rdzv_backend="c10d",
        rdzv_endpoint=spec["endpoint"],
        # Machines may share a host name, by which torch would decide who hosts the rendezvous.
        rdzv_configs={"is_host": spec["node"] == 0, "timeout": spec["rendezvous_s"]},
        max_restarts=0,  # The supervisor restarts, also without this machine.
        monitor_interval=0.2,
        local_addr=address,
    )
    try:
        launch_agent(config, sys.executable, spec["arguments"])
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        say(FAILED, {"rank": rank, "how": describe_exit(failure.exitcode), "host": socket.gethostname()})
        return 1
    return 0


def watch(heard: int) -> None:
    """Wait for signs of life; without them, end this process and its ranks."""
    while True:
        readable, _, _ = select.select([heard], [], [], SILENCE_S)
        if not readable:
            return end(f"no sign of life from the supervisor for {SILENCE_S:.0f} s")
        if not os.read(heard, 4096):
            return end("the connection to the supervisor is gone")


def end(reason: str) -> None:
    sys.stderr.write(f"{socket.gethostname()}: {reason}: ending the ranks\n")
    os.kill(os.getpid(), signal.SIGTERM)  # The agent then ends its ranks.
    time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)  # And the kernel those that are left, see die_with_parent.


def say(mark: str, facts: dict[str, Any]) -> None:
    sys.stdout.write(mark + json.dumps(facts) + "\n")
    sys.stdout.flush()


def facts() -> dict[str, Any]:
    """What has to be alike on all machines."""
    return {
        "host": socket.gethostname(),
        "python": sys.version.split()[0],
        "libraries": library_versions(),
        "root": str(ROOT),
        "time": time.time(),
    }


def free_port() -> int:
    """A port that is free on this machine now."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


def own_address(endpoint: str) -> str:
    """The address of this machine on the network that leads to `endpoint` (HOST:PORT)."""
    host, _, port = endpoint.rpartition(":")
    family, kind, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(place)  # Sends nothing.
        return probe.getsockname()[0]


def interface_of(address: str) -> str:
    """Name of the network interface that has `address`; without it, gloo asks the host's name for one."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            packed = struct.pack("256s", name[:15].encode())
            try:
                found = fcntl.ioctl(probe.fileno(), 0x8915, packed)  # SIOCGIFADDR
            except OSError:  # An interface without an address.
                continue
            if socket.inet_ntoa(found[20:24]) == address:
                return name
    return "lo"


if __name__ == "__main__":
    sys.exit(main())
