"""The start of ranks on several hosts; the launched processes are tested in test_process.py."""

from argparse import Namespace
from pathlib import Path

import pytest
from deepspeed.launcher.multinode_runner import PDSHRunner
from deepspeed.launcher.runner import encode_world_info, fetch_hostfile, parse_args

from pipelines.jobs import job
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.worker import host_arguments
from tests.pipelines.conftest import ROOT


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_text("node-a slots=8\nnode-b slots=8\n")
    return file


def test_every_host_runs_the_worker_on_its_share_of_the_ranks(hosts: Path) -> None:
    """Read by DeepSpeed itself, down to the command that goes to the hosts."""
    read: Namespace = parse_args(host_arguments("/runs/job-0.json", 16, str(hosts)))
    slots = fetch_hostfile(read.hostfile)
    runner = PDSHRunner(read, encode_world_info({host: [*range(n)] for host, n in slots.items()}))
    command, _, _ = runner.get_cmd({}, slots)
    assert command[command.index("-w") + 1] == "node-a,node-b"
    assert command[-2:] == ["pipelines.jobs.worker", "/runs/job-0.json"]
    # Without the last argument, each rank would get one that the worker does not know.
    assert {"--master_addr=node-a", "--module", "--no_local_rank"} <= set(command)
    assert f"cd {Path.cwd()};" in command


def test_slots_that_are_not_the_ranks_are_refused(hosts: Path) -> None:
    with pytest.raises(ValueError, match=r"slots \(node-a: 8, node-b: 8\) do not add up to .*n_ranks \(32\)"):
        host_arguments("job.json", 32, str(hosts))
    with pytest.raises(ValueError, match="no host"):
        host_arguments("job.json", 1, str(hosts.with_name("missing")))


@pytest.mark.parametrize(
    "n_ranks, hostfile, extra",
    [
        pytest.param(1, None, [], id="one process"),
        pytest.param(2, None, ["2"], id="this machine"),
        pytest.param(2, "hosts", ["2", str(ROOT / "hosts")], id="hosts"),
        pytest.param(1, "hosts", [], id="a stage of one process"),
    ],
)
def test_the_configuration_decides_where_the_ranks_run(
    n_ranks: int, hostfile: str | None, extra: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    seen = []
    monkeypatch.setattr(job, "run_child", lambda command, **options: seen.append((command, options)))
    training = {"model": {"scratch": {}}, "deepspeed": {"hostfile": hostfile}}
    config = {"training": training, "deadline_hours": 2.0}
    made = Job("train", config, str(tmp_path / "a" / "b" / "c"))
    Path(made.out).mkdir(parents=True)
    run_job(made, tmp_path / "log", print, n_ranks)
    ((command, options),) = seen
    assert command[1:] == ["-m", "pipelines.jobs.worker", f"{made.out}/job-0.json", *extra]
    assert options["deadline_s"] == 7200
    # Hosts do not find each other over the loopback interface.
    assert ("GLOO_SOCKET_IFNAME" in options["environment"]) == (len(extra) < 2)
