"""The machines of a run: a hostfile or an allocation in, commands that reach them out."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.jobs.hosts import Host, choose, command_on, forwarded, read_hosts, starter_command
from rewards.contracts.files import ROOT

A, B = Host("node-a", 8), Host("node-b", 4)


def test_a_hostfile_names_machines_and_their_slots(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\nnode-a slots=8\n\n  node-b   slots=4  # half\n")
    assert read_hosts(str(file)) == [A, B]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no host", id="empty"),
        pytest.param("# nothing\n", "no host", id="comment only"),
        pytest.param("node-a\n", r"line 1: expected HOST slots=N, got 'node-a'", id="no slots"),
        pytest.param("node-a slots=0\n", "line 1: expected", id="no slot"),
        pytest.param("node-a slots=x\n", "line 1: expected", id="no number"),
        pytest.param("node-a slots=8\nnode-b gpus=8\n", "line 2: expected", id="another word"),
        pytest.param("node-a slots=8\nnode-a slots=8\n", "line 2: node-a is listed twice", id="twice"),
        pytest.param("-oProxyCommand=x slots=1\n", "line 1: .* is not the name of a host", id="an option"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "hosts"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_hosts(str(file))


def test_a_missing_hostfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such hostfile"):
        read_hosts(str(tmp_path / "none"))


def test_an_allocation_gives_its_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "scontrol"
    tool.write_text('#!/bin/sh\n[ "$*" = "show hostnames node-[1-2]" ] && printf "node-1\\nnode-2\\n"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_NODELIST", raising=False)
    with pytest.raises(ValueError, match="inside an allocation"):
        read_hosts("slurm")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node-[1-2]")
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "4")
    assert read_hosts("slurm") == [Host("node-1", 4), Host("node-2", 4)]


@pytest.mark.parametrize(
    ("shell", "start"),
    [
        pytest.param("ssh -p 22", ["ssh", "-p", "22", "node-a"], id="ssh"),
        pytest.param("kubectl exec -i {host} --", ["kubectl", "exec", "-i", "node-a", "--"], id="kubectl"),
        pytest.param(
            "slurm", ["srun", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=node-a"], id="srun"
        ),
        pytest.param("ip netns exec", ["ip", "netns", "exec", "node-a"], id="the host comes last"),
    ],
)
def test_a_remote_shell_gets_the_host_and_one_line(shell: str, start: list[str]) -> None:
    command = command_on(A, shell, ["env", "X=a b", "python"])
    assert command[: len(start)] == start
    assert command[-1] == f"cd {ROOT} && exec env 'X=a b' python"


def test_the_starter_runs_from_any_folder_and_forgets_processes_of_other_machines(tmp_path: Path) -> None:
    """A file of the user's that has the name of a package of ours is not imported."""
    (tmp_path / "pipelines.py").write_text("raise SystemExit('the wrong one')")
    for host in (Host("", 1), A):
        env = {"PATH": os.environ["PATH"], **({"REASONER_ZERO_PARENT": "1"} if host.name else {})}
        done = subprocess.run(
            starter_command(host), cwd=tmp_path, env=env, input="", capture_output=True, text=True
        )
        assert done.stdout.startswith("@ready {") and done.returncode == 0, done.stderr


def test_this_machine_needs_no_shell() -> None:
    assert command_on(Host("", 2), "ssh", [sys.executable]) == [sys.executable]


def test_what_ranks_need_is_forwarded_and_what_one_machine_owns_is_not() -> None:
    given = {
        "HF_HOME": "/big",
        "OMP_NUM_THREADS": "4",
        "NCCL_IB_HCA": "mlx5",
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "GLOO_SOCKET_IFNAME": "eth0",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "HOME": "/root",
    }
    assert set(forwarded(given)) == {"HF_HOME", "OMP_NUM_THREADS", "NCCL_IB_HCA", "PATH"}


@pytest.mark.parametrize(
    ("n", "slots"), [(12, [8, 4]), (10, [8, 2]), (8, [8]), (3, [3])], ids=["all", "most", "one", "part"]
)
def test_ranks_fill_the_hosts_in_order(n: int, slots: list[int]) -> None:
    assert [host.slots for host in choose([A, B], n)] == slots
