"""The work pool templates: complete, explained, and rendered by Prefect's own code."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from prefect.utilities.templating import apply_values, find_placeholders
from prefect.workers.process import ProcessJobConfiguration

from pipelines.work_pools.__main__ import main, sbatch_script
from tests.pipelines.conftest import ROOT

FOLDER = ROOT / "pipelines" / "work_pools"
KINDS = ("process", "docker", "kubernetes")


def load(kind: str) -> dict:
    return json.loads((FOLDER / f"{kind}.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
def test_every_placeholder_is_a_variable_that_is_explained(kind):
    template = load(kind)
    variables = template["variables"]["properties"]
    used = {placeholder.name for placeholder in find_placeholders(template["job_configuration"])}
    assert used == set(variables)
    assert all(variable["description"] and "default" in variable for variable in variables.values())


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_render_without_a_rest(kind):
    template = load(kind)
    defaults = {name: value["default"] for name, value in template["variables"]["properties"].items()}
    rendered = apply_values(
        template["job_configuration"], defaults | {"command": "python -m prefect flow-run"}
    )
    assert "{{" not in json.dumps(rendered)
    if kind == "docker":
        assert rendered["container_create_kwargs"]["device_requests"][0]["Count"] == -1
    if kind == "kubernetes":
        pod = rendered["job_manifest"]["spec"]["template"]["spec"]
        assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 8
        mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}


def test_prefect_reads_the_process_template():
    template = load("process")
    defaults = {name: value["default"] for name, value in template["variables"]["properties"].items()}
    values = defaults | {"working_dir": str(ROOT), "env": {"A": "1"}}
    configuration = ProcessJobConfiguration(**apply_values(template["job_configuration"], values))
    assert configuration.working_dir == ROOT and configuration.env == {"A": "1"}


def test_the_slurm_script_is_a_shell_script_with_its_options(tmp_path: Path, capsys):
    main(["--api-url", "http://head:4200/api", "--partition", "gpu", "--gpus", "4", "--project", "/a b"])
    script = capsys.readouterr().out
    path = tmp_path / "worker.sbatch"
    path.write_text(script)
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
    options = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --gpus-per-node=4" in options and "#SBATCH --partition=gpu" in options
    assert "cd '/a b'" in script and "PREFECT_API_URL=http://head:4200/api" in script


def test_a_value_cannot_leave_its_place_in_the_script():
    script = sbatch_script(
        nodes=1,
        api_url="http://h/api; touch /tmp/x",
        partition="gpu",
        gpus=1,
        cpus=1,
        hours=1,
        pool="p",
        project=".",
    )
    assert "PREFECT_API_URL='http://h/api; touch /tmp/x'" in script


def test_the_jobset_runs_one_leader_and_reaches_every_other_pod(capsys):
    main(["jobset", "--image", "registry/rz:gpu", "--config", "configs/orz_7b.toml", "--nodes", "3"])
    made = yaml.safe_load(capsys.readouterr().out)
    assert made["kind"] == "JobSet" and made["spec"]["successPolicy"]["targetReplicatedJobs"] == ["leader"]
    leader, host = (job["template"]["spec"] for job in made["spec"]["replicatedJobs"])
    assert (leader["parallelism"], host["parallelism"]) == (1, 2)
    script = leader["template"]["spec"]["containers"][0]["args"][0]
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr
    assert "--training.deepspeed.n-ranks 24" in script and "seq 0 1" in script
    for job in (leader, host):
        pod = job["template"]["spec"]
        mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}
