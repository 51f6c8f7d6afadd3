"""Two hosts on this machine: network namespaces joined by a link, each with an ssh server (Linux, root)."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

HOSTS = {"rz-a": "10.213.7.1", "rz-b": "10.213.7.2"}
LINKS = {"rz-a": "rz-va", "rz-b": "rz-vb"}


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def on(host: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", host, *command]


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
        if Path("/run/netns", name).exists():
            kill_all(name)
            run("ip", "netns", "del", name)


def processes_on(host: str) -> list[int]:
    shown = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True)
    return [int(pid) for pid in shown.stdout.split()]


def kill_all(host: str) -> None:
    for pid in processes_on(host):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def set_link(host: str, state: str) -> None:
    run("ip", "-n", host, "link", "set", LINKS[host], state)


class Ssh:
    """Keys and servers of the two hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        shutil.copy(folder / "user.pub", folder / "authorized")
        Path("/run/sshd").mkdir(exist_ok=True)

    @property
    def shell(self) -> str:
        """The remote shell, for training.deepspeed.remote_shell."""
        options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
        options += ("ConnectTimeout=2", "ServerAliveInterval=2", "ServerAliveCountMax=2", "LogLevel=ERROR")
        return " ".join(["ssh", "-F", "none", "-i", str(self.folder / "user"), *(f"-o {o}" for o in options)])

    def serve(self, host: str) -> None:
        own = self.folder / host
        own.mkdir(exist_ok=True)
        (own / "config").write_text(
            f"ListenAddress {HOSTS[host]}\nHostKey {self.folder / 'host'}\n"
            f"AuthorizedKeysFile {self.folder / 'authorized'}\nStrictModes no\nPidFile none\n"
            "PasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\n"
        )
        subprocess.Popen(
            on(host, shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", str(own / "config")),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(0.5)


@contextmanager
def two_hosts(folder: Path):
    """Yields the Ssh of two running hosts; they and all their processes are gone afterwards."""
    remove_hosts()  # What a killed bench has left.
    raise_hosts()
    try:
        ssh = Ssh(folder)
        for host in HOSTS:
            ssh.serve(host)
        yield ssh
    finally:
        remove_hosts()
