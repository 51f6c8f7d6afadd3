"""The flows: the public ones, the deployments, and the whole chain killed and resumed."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
import torch
import yaml
from prefect.exceptions import FailedRun
from prefect.states import Completed, Failed
from safetensors.torch import load_file

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.audit import check_run
from pipelines.artifacts.workspace import open_workspace
from pipelines.claims.config import claim_names
from pipelines.cli.main import main
from pipelines.config import load_config
from pipelines.stages.chain import Chain
from rewards.contracts.records import METRIC
from training.recorder import read_records

ROOT = Path(__file__).resolve().parent.parent
FLOWS = {
    "ablate",
    "claims",
    "curate",
    "score",
    "train",
    "evaluate",
    "evaluate-new",
    "mine-hard",
    "audit-golds",
    "publish",
    "reasoner-zero",
}

# The demo, small enough for CI: one-digit sums, a warm-up of seconds, a few steps.
SMALL = {
    "held_out.0.generator.digits": 1,
    "held_out.0.generator.n_problems": 20,
    "curation.sources.0.generator.digits": 1,
    "curation.sources.0.generator.n_problems": 75,
    "training.n_steps": 8,
    "training.save_every": 2,
    "training.model.warmup.batch_size": 64,
    "training.model.warmup.phases": [{"n_steps": 120, "careful": 0.3, "quick": 0.7, "quick_correct": 0.5}],
    "training.rollout.prompts_per_step": 8,
    "training.rollout.samples_per_prompt": 4,
    "training.ppo.critic_minibatches": 2,
    "training.actor.final_lr": 1e-5,
    "evals.benchmarks.0.n_samples": 2,
}


@pytest.fixture(scope="module")
def small_config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.json"
    config = load_config(ROOT / "configs" / "demo.toml", SMALL | {"name": "small"})
    path.write_text(config.model_dump_json())
    return path


SECRETS = {
    "HF_TOKEN": "hf_plantedHubToken1234567",
    "WANDB_API_KEY": "planted89abcdef0123456789abcdef01234567",
}


def start(config: Path, runs: Path) -> subprocess.Popen:
    environment = os.environ | {"PREFECT_HOME": str(runs / ".prefect"), "COLUMNS": "200"} | SECRETS
    command = [sys.executable, "-m", "pipelines", "run", "--config", str(config), "--runs", str(runs)]
    log = (runs / "output.log").open("ab")
    return subprocess.Popen(command, cwd=users_folder(runs), env=environment, stdout=log, stderr=log)


def users_folder(runs: Path) -> Path:
    """A working folder with user files named like our packages; importing one would end the run."""
    folder = runs / "working-folder"
    for file in (
        "rewards.py",
        "flows.py",
        "evals/__init__.py",
        "training/__init__.py",
        "curation/__init__.py",
    ):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('the user\\'s own file was imported')\n")
    return folder


def finish(process: subprocess.Popen, runs: Path) -> None:
    """Wait for a run that must succeed, while no process shows a secret in its command line."""
    while process.poll() is None:
        for found in our_processes(runs):
            with suppress(psutil.NoSuchProcess):
                assert not any(secret in word for word in found.cmdline() for secret in SECRETS.values())
        time.sleep(0.2)
    assert process.returncode == 0, (runs / "output.log").read_text()[-4000:]


def files_with(folder: Path, secret: str) -> list[Path]:
    """Files in `folder` that contain `secret`, including databases, logs and archives."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if secret.encode() in path.read_bytes()]


def artifacts(runs: Path) -> dict[str, str]:
    """Newest data of every artifact, by key, from the database file of the run's temporary server."""
    with closing(sqlite3.connect(runs / ".prefect" / "prefect.db")) as database:
        return dict(database.execute("select key, data from artifact_collection"))


def our_processes(runs: Path) -> list[psutil.Process]:
    """Workers and servers that were started for `runs`."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            is_ours = str(runs) in line or process.environ().get("PREFECT_HOME", "").startswith(str(runs))
            if is_ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def test_the_settings_reach_prefect_before_it_reads_them(tmp_path):
    code = (
        "import flows; from prefect.settings import get_current_settings; s = get_current_settings();"
        "print(s.home, s.server.ephemeral.startup_timeout_seconds, s.server.analytics_enabled)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "runs" / ".prefect"), "180", "False"]


def wait_until(condition, timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())


def test_public_flows_have_names_and_typed_parameters():
    from prefect import Flow

    import flows

    found = {item.name: item for item in vars(flows).values() if isinstance(item, Flow)}
    assert set(found) == FLOWS
    for item in found.values():
        own = {
            "ablate": ["vary", "config", "seeds", "n_steps", "runs"],
            "claims": ["names", "runs", "data_root"],
            "mine-hard": ["config", "overrides", "runs", "anneal_steps"],
            "audit-golds": ["config", "overrides", "runs", "rollouts"],
            "publish": [
                *("repo", "run", "what", "dry_run", "forced_licenses", "token_block"),
                *("private", "branch", "replace_foreign"),
            ],
            "reasoner-zero": [
                *("config", "overrides", "runs"),
                *("dataset_repo", "model_repo", "token_block"),
            ],
        }
        assert list(item.parameters.properties) == own.get(item.name, ["config", "overrides", "runs"])
        assert item.description
        for name, field in item.parameters.properties.items():
            assert field.get("description"), f"the form of {item.name} does not explain {name}"


def test_the_whole_chain_in_order(small_config, tmp_path, monkeypatch):
    """The flow's function without Prefect; its tasks are only recorded."""
    import flows

    noted: list[tuple] = []

    class Tasks:
        def __getattr__(self, name):
            return lambda *given, **_: noted.append((name, *map(str, given[1:]))) or name

    monkeypatch.setattr(flows, "tasks", Tasks())
    monkeypatch.setattr(flows.Model, "of_stage", lambda artifact: f"model of {artifact}")
    assert flows.reasoner_zero.fn(str(small_config), None, str(tmp_path)) == "report"
    chain = [
        ("curate",),
        ("compile_rewards", "curate"),
        ("make_base", "compile_rewards"),
        ("evaluate", "compile_rewards", "model of make_base", "base"),
        ("train", "compile_rewards", "make_base"),
        ("evaluate", "compile_rewards", "model of train", "final"),
        ("report", "evaluate", "train", "evaluate"),
    ]
    assert noted == chain
    noted.clear()
    flows.reasoner_zero.fn(str(small_config), None, str(tmp_path), "me/sums", "me/model", "hub")
    sent = [
        ("publish", what, repo, "False", "()", "hub")
        for what, repo in (("dataset", "me/sums"), ("model", "me/model"))
    ]
    assert noted == chain + sent


def test_claims_are_tried_in_turn_and_those_that_take_hours_only_by_name(monkeypatch):
    import flows

    noted: list[tuple] = []

    class Tasks:
        def __getattr__(self, name):
            return lambda *given, **asked: noted.append((name, *given)) or Ended(given[0])

    class Ended:
        def __init__(self, name):
            self.name = name

        def result(self):
            if self.name == "lambda" and fails:
                raise ValueError("no base passes")
            return "shown"

    fails = False
    monkeypatch.setattr(flows, "tasks", Tasks())
    assert set(flows.claims.fn([], "r", "")) == {*claim_names()} - {"smollm2"}
    assert noted[-1] == ("show_claims", "r") and ("try_claim", "lambda", "r", None) in noted
    noted.clear()
    assert flows.claims.fn(["smollm2"], "r", "d") == {"smollm2": "shown"}
    assert noted == [("try_claim", "smollm2", "r", "d"), ("show_claims", "r")]
    noted.clear()
    fails = True
    with pytest.raises(ValueError, match="no base passes"):  # After the others, and with their page.
        flows.claims.fn(["lambda", "kl"], "r", "")
    assert [name for name, *_ in noted] == ["try_claim", "try_claim", "show_claims"]


def test_a_lost_server_is_one_message(small_config, tmp_path, monkeypatch, capsys):
    import flows

    def lose(**_):
        raise httpx.ConnectError("Connection refused")

    monkeypatch.setattr(flows, "reasoner_zero", lose)
    monkeypatch.setattr("pipelines.orchestration.own_server.start_server", lambda: None)
    assert main(["run", "--config", str(small_config), "--runs", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "reasoner-zero: the Prefect server is gone (Connection refused); "
        "run the same command again to continue"
    ]


def test_every_cell_of_an_ablation_is_tried_before_one_fails_it(small_config, tmp_path, monkeypatch):
    import flows

    tried: list[str] = []

    def train(config, overrides, runs, return_state):
        tried.append(overrides["training.ppo.gae_lambda"])
        return Failed(message="lost") if len(tried) == 1 else Completed()

    monkeypatch.setattr(flows, "train", train)
    with pytest.raises(FailedRun, match="lost"):
        flows.ablate.fn(["training.ppo.gae_lambda=1.0,0.95"], str(small_config), (0,), None, str(tmp_path))
    assert tried == [1.0, 0.95]


def test_every_deployment_names_a_flow_and_a_config_that_loads():
    import flows

    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert declared["deployments"]
    for deployment in declared["deployments"]:
        file, _, name = deployment["entrypoint"].partition(":")
        assert (ROOT / file).exists()
        flow = getattr(flows, name)
        validated = flow.validate_parameters(deployment["parameters"])
        if "config" in validated:
            load_config(ROOT / validated["config"])
        # Deployments with a schedule queue their runs, and the operator enables the schedule.
        for schedule in deployment.get("schedules", ()):
            assert deployment["concurrency_limit"]["collision_strategy"] == "ENQUEUE"
            assert schedule["active"] is False and {"cron", "interval"} & set(schedule)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_run_resumes_to_the_same_bytes(small_config, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for runs in (whole, killed):
        runs.mkdir()
    finish(start(small_config, whole), whole)
    assert (whole / ".prefect" / "prefect.db").exists()
    assert not any(files_with(whole, secret) for secret in SECRETS.values())

    process = start(small_config, killed)
    metrics = killed / "small" / "train" / "metrics.jsonl"
    assert wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 3, 400)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert wait_until(lambda: not our_processes(killed), 30), our_processes(killed)
    assert not (killed / "small" / "summary.json").exists()

    finish(start(small_config, killed), killed)
    assert "resumed step=" in (killed / "small" / "logs" / "train.log").read_text()
    summaries = [json.loads((runs / "small" / "summary.json").read_text()) for runs in (whole, killed)]
    assert summaries[0] == summaries[1]
    assert len(summaries[0]["fingerprints"]) == 9
    assert check_run(killed / "small") == []
    shown = artifacts(killed)
    assert float(shown["training-progress-small"]) == 100
    page = json.loads(shown["training-live-small"])
    assert "Step 8 of 8." in page and re.search(r"\| reward \|.*`[▁-█]{8}` \|", page)
    tables = ("curation-funnel", "answer-types", "evaluate-base", "report")
    assert {f"{name}-small" for name in tables} < set(shown)
    assert not list((killed / "artifacts").rglob("*.partial"))
    assert wait_until(lambda: not our_processes(killed), 30), our_processes(killed)

    # Of what is there, nothing is made again: no stage starts a worker.
    before = (killed / "small" / "logs" / "train.log").stat().st_mtime_ns
    check_annealing(small_config, killed)
    assert (killed / "small" / "logs" / "train.log").stat().st_mtime_ns == before


def check_annealing(config: Path, runs: Path) -> None:
    """Optional stages: prompts that are hard for the trained model, and more steps on them."""
    mining = {"difficulty.n_samples": 2, "difficulty.hard_below": 64}
    chain = Chain(open_workspace(config, mining, runs))
    annealed = chain.anneal(2)
    hard = pl.read_parquet(runs / "small" / "difficulty" / "hard.parquet")
    assert hard.height > 0 and set(hard["n_solved"]) <= {0, 1}
    asked = pl.read_parquet(annealed.folder / "rollouts" / "*.parquet")["problem_id"]
    assert set(asked) <= set(hard["problem_id"])
    rates = read_records(annealed.folder / "metrics.jsonl", METRIC)["actor_lr"].to_list()
    assert rates[0] > rates[1] == pytest.approx(1e-5)
    # Both models continue: the critic starts from the trained critic, not from the policy.
    actor, critic = (last_export(chain.trained, name) for name in ("actor", "critic"))
    after = last_export(annealed, "critic")
    shared = sorted(actor.keys() & critic.keys() & after.keys())
    assert shared
    assert distance(after, critic, shared) < distance(after, actor, shared)


def last_export(artifact: Artifact, name: str) -> dict[str, torch.Tensor]:
    """Weights by their name in the backbone."""
    folder = sorted((artifact.folder / "exports").iterdir())[-1] / name
    weights = load_file(folder / "model.safetensors")
    return {key.removeprefix("model."): tensor for key, tensor in weights.items()}


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], names: list[str]) -> float:
    return sum(float((one[name] - other[name]).square().sum()) for name in names)
