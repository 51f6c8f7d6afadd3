"""The machines of a run: read from a hostfile or a Slurm allocation, and reached through a remote shell."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.jobs.process import PARENT
from rewards.contracts.files import ROOT

SLURM = "slurm"
SRUN = "srun --overlap --nodes=1 --ntasks=1 --nodelist={host}"
FORWARDED = (
    *("OMP_", "MKL_", "HF_", "HUGGING", "TRANSFORMERS_", "TOKENIZERS_", "TORCH", "PYTORCH_", "CUDA_"),
    *("NCCL_", "GLOO_", "UCX_", "FI_", "VLLM_", "DS_", "TRITON_", "WANDB_", "TRACKIO_", "XDG_CACHE_HOME"),
    *("TMPDIR", "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSAFEPATH", "LC_", "LANG"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Beginnings of the environment variables that the ranks on other machines get."""
OF_ONE_MACHINE = ("CUDA_VISIBLE_DEVICES", "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
"""Variables whose values hold on one machine only; set them in the shell's start-up files there."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine and the ranks that it can run; the name "" is this one."""

    name: str
    slots: int

    def __str__(self) -> str:
        return self.name or "this machine"


def read_hosts(hostfile: str) -> list[Host]:
    """The machines of a hostfile, or of the Slurm allocation; ValueError names what is wrong with a line."""
    if hostfile == SLURM:
        return slurm_hosts()
    path = Path(hostfile)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such hostfile (training.deepspeed.hostfile)")
    hosts: list[Host] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        key, _, slots = words[-1].partition("=")
        if len(words) != 2 or key != "slots" or not slots.isdecimal() or not int(slots):
            raise ValueError(f"{path}, line {number}: expected HOST slots=N, got {line.strip()!r}")
        if words[0].startswith("-"):  # The remote shell would take it for an option.
            raise ValueError(f"{path}, line {number}: {words[0]!r} is not the name of a host")
        if any(host.name == words[0] for host in hosts):
            raise ValueError(f"{path}, line {number}: {words[0]} is listed twice")
        hosts.append(Host(words[0], int(slots)))
    if not hosts:
        raise ValueError(f"{path}: no host; write a line HOST slots=N for each machine")
    return hosts


def slurm_hosts() -> list[Host]:
    """The nodes of the current allocation, each with its GPUs, or with its tasks if it has none."""
    nodes = os.environ.get("SLURM_JOB_NODELIST")
    if not nodes:
        raise ValueError('training.deepspeed.hostfile = "slurm" works inside an allocation (sbatch, salloc)')
    command = ["scontrol", "show", "hostnames", nodes]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    slots = os.environ.get("SLURM_GPUS_ON_NODE") or os.environ.get("SLURM_NTASKS_PER_NODE") or "1"
    return [Host(name, int(slots)) for name in shown.stdout.split()]


def command_on(host: Host, remote_shell: str, command: list[str]) -> list[str]:
    """The command that runs `command` on `host`, in the project's folder."""
    if not host.name:
        return command
    shell = SRUN if remote_shell == SLURM else remote_shell
    words = shlex.split(shell)
    if "{host}" not in shell:
        words.append("{host}")
    words = [word.replace("{host}", host.name) for word in words]
    # kubectl and srun pass words on as they are, ssh joins them: one word for sh fits both.
    line = f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(command)}"
    is_ssh = Path(words[0]).name == "ssh"
    return [*words, line] if is_ssh else [*words, "sh", "-c", line]


def starter_command(host: Host) -> list[str]:
    """The command of `pipelines.jobs.starter`, with nothing from the machine's own working folder.

    Some shells take along the environment, and with it the id of a process that exists only here.
    """
    own = ["env", *(["-u", PARENT] if host.name else []), "PYTHONSAFEPATH=1", f"PYTHONPATH={ROOT}"]
    return [*own, sys.executable, "-m", "pipelines.jobs.starter"]


def forwarded(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of this process that ranks on other machines need, such as HF_HOME and NCCL_*."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(FORWARDED) and name not in OF_ONE_MACHINE
    }


def choose(hosts: list[Host], n_ranks: int) -> list[Host]:
    """The first hosts that have `n_ranks` slots together, the last of them with as many as are needed."""
    chosen = []
    for host in hosts:
        if n_ranks:
            chosen.append(Host(host.name, min(host.slots, n_ranks)))
            n_ranks -= chosen[-1].slots
    return chosen
