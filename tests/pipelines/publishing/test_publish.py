"""Publishing with the real hub client to a hub server on the loopback interface."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipelines.artifacts.workspace import Workspace
from pipelines.cli.main import main
from pipelines.publishing.clearance import check_licenses
from pipelines.publishing.model import chat_template
from pipelines.publishing.publish import publish
from rewards.contracts.prompts import ORZ_INSTRUCTION, PromptConfig, Shot, render_prompt
from tests.pipelines.conftest import ROOT, Cli
from tests.pipelines.publishing.hub_server import HubServer

TOKEN = "hf_plantedTokenThatMustNotLeak"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(TOKEN) as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    """Environment that points the hub client at our server, with a separate home."""
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_CACHE": str(tmp_path / "hf" / "datasets")}
    return {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", **home}


def python(code: str, client: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **client}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def front_matter(card: bytes) -> dict:
    return yaml.safe_load(card.decode().split("---\n")[1])


def test_data_set_round_trip(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace, tmp_path: Path
) -> None:
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 0, done.stderr
    assert "published and read back" in done.stdout
    assert TOKEN not in done.stdout + done.stderr

    files = hub.files("datasets/me/sums")
    for line in files["SHA256SUMS"].decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest
    assert set(files) >= {"README.md", "manifests/curate.json", "manifests/rewards.json"}
    assert not any(TOKEN.encode() in content for content in files.values())

    copy = tmp_path / "copy"
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    loaded = json.loads(
        python(
            "import datasets, huggingface_hub, json\n"
            "data = datasets.load_dataset('me/sums')\n"
            f"huggingface_hub.snapshot_download('me/sums', repo_type='dataset', local_dir={str(copy)!r})\n"
            "print(json.dumps({name: split.to_list() for name, split in data.items()}))",
            client,
        ).splitlines()[-1]
    )
    assert set(loaded) == {"train", "validation"}
    for split, rows in loaded.items():
        published = pl.DataFrame(rows, schema=prompts.schema).drop("provenance")
        assert published.equals(prompts.filter(pl.col("split") == split).drop("provenance"))
    check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=copy, capture_output=True)
    assert check.returncode == 0, check.stdout
    described = json.loads((copy / "croissant.json").read_text())
    assert {entry["contentUrl"] for entry in described["distribution"]} == {
        str(path.relative_to(copy)) for path in copy.glob("data/*.parquet")
    }
    for entry in described["distribution"]:
        assert hashlib.sha256((copy / entry["contentUrl"]).read_bytes()).hexdigest() == entry["sha256"]
    for shard in described["recordSet"]:
        assert [field["source"]["extract"]["column"] for field in shard["field"]] == prompts.columns
    # The folder of a file on this machine is not published, only its name and row.
    folder = str(licensed_run.root.parent)
    assert prompts["provenance"].str.contains(folder, literal=True).any()
    mine = [row for row in loaded["train"] if row["source"] == "mine"][0]
    assert json.loads(mine["provenance"]) == {"file": "mine.jsonl", "row": int(mine["source_id"])}
    assert not any(folder.encode() in content for content in files.values())

    # On a second publication nothing is sent and no commit is made.
    n_commits, n_requests = len(hub.repos["datasets/me/sums"]), len(hub.requests)
    again = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert again.returncode == 0, again.stderr
    assert len(hub.repos["datasets/me/sums"]) == n_commits
    assert not [line for line in hub.requests[n_requests:] if "/commit/" in line or line.startswith("PUT")]


def test_a_consumer_can_paste_the_cards_code(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace, tmp_path: Path
) -> None:
    """load_dataset and DuckDB read from the hub; polars, whose hub cannot be another one, from a copy."""
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 0, done.stderr
    files = hub.files("datasets/me/sums")
    copy = tmp_path / "copy"
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(files[name])
    blocks = re.findall(r"```python\n(.*?)```", files["README.md"].decode(), flags=re.DOTALL)
    assert [block.split()[1] for block in blocks] == ["datasets", "polars", "duckdb"]
    prompts = licensed_run.linked("rewards").read("prompts.parquet").filter(pl.col("split") == "train")
    first, per_source = prompts.row(0, named=True), dict(prompts.group_by("source").len().iter_rows())

    loaded, grouped, counted = (
        python(block.replace("hf://datasets/me/sums", str(copy)) if "polars" in block else block, client)
        for block in blocks
    )
    assert loaded.splitlines()[-1] == f"{first['problem']} {first['answer']}"
    for shown in (grouped, counted):
        for source, n_rows in per_source.items():
            assert re.search(rf"{source}\W+{n_rows}\b", shown), shown

    # DuckDB on the files themselves, as somebody without Python would read them.
    sql = f"SELECT count(*), count(DISTINCT problem_id) FROM '{copy}/data/*.parquet'"
    with closing(duckdb.connect()) as database:
        n_rows, n_ids = database.sql(sql).fetchall()[0]
        types = dict(
            database.sql(
                f"SELECT column_name, column_type FROM (DESCRIBE FROM '{copy}/data/*.parquet')"
            ).fetchall()
        )
    assert n_rows == n_ids == licensed_run.linked("rewards").read("prompts.parquet").height
    assert types["problem"] == "VARCHAR" and list(types) == prompts.columns


def test_data_set_card_says_where_rows_come_from(tmp_path: Path, licensed_run: Workspace) -> None:
    kept = tmp_path / "kept"
    publish(licensed_run.folder, "dataset", "me/sums", is_dry_run=True, keep=kept)
    card = (kept / "README.md").read_bytes()
    matter = front_matter(card)
    assert matter["license"] == ["apache-2.0", "cc-by-sa-4.0"]
    assert matter["configs"][0]["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "validation")
    ]
    text = card.decode()
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    n_sums = prompts.filter(pl.col("source") == "addition").height
    assert f"| addition | Apache-2.0 | {n_sums} |" in text
    funnel = licensed_run.linked("curate").read("funnel.parquet")
    for step, read, n_kept, dropped in funnel.iter_rows():
        assert f"| {step} | {read} | {n_kept} | {dropped} |" in text
    rejects = licensed_run.linked("curate").read("rejects.parquet")
    n_leaks = rejects.filter(pl.col("step") == "decontaminate").height
    assert n_leaks > 0
    assert [line for line in text.splitlines() if line.startswith("| sums |")][0].endswith(f"| {n_leaks} |")
    assert not any(path.is_symlink() for path in kept.rglob("*"))


def test_dry_run_sends_nothing_and_lists_exactly_what_is_sent_later(
    hub: HubServer, client: dict[str, str], tmp_path: Path, cli: Cli, licensed_run: Workspace
) -> None:
    # An older version of ours with one shard more, which must be removed.
    old = {"data/train-00001-of-00002.parquet": b"old", "manifests/rewards.json": b"{}"}
    sums = "".join(f"{hashlib.sha256(old[name]).hexdigest()}  {name}\n" for name in old)
    hub.commit("datasets/me/sums", {".gitattributes": b"", "SHA256SUMS": sums.encode(), **old})
    kept = tmp_path / "kept"
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    dry = cli(*arguments, "--dry-run", "--out", str(kept), **client)
    assert dry.returncode == 0, dry.stderr
    assert len(hub.repos["datasets/me/sums"]) == 1
    assert not [line for line in hub.requests if not line.startswith(("GET", "HEAD"))]
    assert "nothing was sent" in dry.stdout
    assert re.search(r"delete\W+data/train-00001-of-00002.parquet", dry.stdout)
    assert "2 changed, 1 deleted" in dry.stdout
    assert cli(*arguments, **client).returncode == 0
    sent = dict(hub.files("datasets/me/sums"))
    assert sent.pop(".gitattributes") == b""
    assert sent == {p.relative_to(kept).as_posix(): p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    for name, content in sent.items():
        assert any(
            name in line and f"{len(content):,}" in line and hashlib.sha256(content).hexdigest()[:16] in line
            for line in dry.stdout.splitlines()
        )


def test_source_without_license_is_refused_until_forced(
    unlicensed_run: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["publish", str(unlicensed_run.folder), "dataset", "--repo", "me/sums", "--dry-run"]
    assert main(arguments) == 2
    refused = capsys.readouterr().err
    n_mine = unlicensed_run.linked("rewards").read("prompts.parquet")["source"].to_list().count("mine")
    assert f"no license is stated for mine ({n_mine} rows)" in refused
    assert "--force-license mine" in refused and "addition" not in refused
    assert main([*arguments, "--force-license", "min"]) == 2
    assert "min: no such source; the prompt set has addition, mine" in capsys.readouterr().err
    assert main([*arguments, "--force-license", "mine"]) == 0
    assert "none stated" not in capsys.readouterr().err


def test_forbidding_license_is_refused_even_when_forced(licensed_run: Workspace) -> None:
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    for license in ("CC BY-NC-ND 4.0", "All rights reserved", "research only, no redistribution"):
        mine = pl.when(source="mine").then(pl.lit(license)).otherwise("license").alias("license")
        with pytest.raises(ValueError, match=f"the license of mine .* forbids it: '{license}'"):
            check_licenses(prompts.with_columns(mine), {"mine"})
    check_licenses(prompts, set())


def test_a_leak_that_remains_is_found_and_refused(tmp_path: Path, licensed_run: Workspace) -> None:
    """The benchmarks are checked again; one that curation did not know is enough."""
    shutil.copytree(licensed_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    leaked = prompts.filter(source="mine").row(3, named=True)
    late = tmp_path / "late.jsonl"
    late.write_text(json.dumps({"problem": leaked["problem"].upper(), "id": "q7"}))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"protect_files": [str(late)]}))
    with pytest.raises(
        ValueError, match=f"1 of {prompts.height} problems .*{leaked['problem_id']} repeats late:q7"
    ):
        publish(run, "dataset", "me/sums", is_dry_run=True)


def test_missing_token_is_reported_before_anything_is_sent(
    licensed_run: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="no hub token: set HF_TOKEN"):
        publish(licensed_run.folder, "dataset", "me/sums")


def test_refused_token_gives_one_clear_message(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    wrong = {**client, "HF_TOKEN": "hf_wrong"}
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **wrong)
    assert done.returncode == 2 and hub.repos == {}
    assert "the hub refused the token" in done.stderr and "set HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr and "hf_wrong" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([("POST /api/datasets/me/sums/commit", 500)], id="500 at the commit"),
        pytest.param([("POST /api/datasets/me/sums/preupload", 429)], id="429"),
        pytest.param([("PUT /objects", 0), ("PUT /objects", 503)], id="cut in mid-upload"),
        pytest.param([("GET /api/datasets/me/sums/tree", 502)], id="502 while reading back"),
    ],
)
def test_passing_faults_are_overcome(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace, faults: list[tuple[str, int]]
) -> None:
    hub.faults = list(faults)
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 0, done.stderr
    assert not hub.faults and "published and read back" in done.stdout
    assert len(hub.repos["datasets/me/sums"]) == 2  # One commit creates the repository, one publishes.
    tag = f"v-{licensed_run.linked('rewards').content}"
    assert hub.tags["datasets/me/sums"] == {tag: hub.repos["datasets/me/sums"][-1][0]}
    assert TOKEN not in done.stdout + done.stderr


def test_a_rivals_commit_in_between_is_not_wiped(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    hub.rival = {"stray.txt": b"somebody was faster"}
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    done = cli(*arguments, **client)
    assert done.returncode == 2 and "stray.txt" in done.stderr and "--replace" in done.stderr
    assert hub.files("datasets/me/sums")["stray.txt"] == b"somebody was faster"
    assert cli(*arguments, "--replace", **client).returncode == 0
    assert len(hub.repos["datasets/me/sums"]) == 3 and "stray.txt" not in hub.files("datasets/me/sums")


def test_a_full_quota_is_reported_in_the_hubs_words(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    hub.faults = [("POST /datasets/me/sums.git/info/lfs/objects/batch", 403)]
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 2
    assert "planted 403" in done.stderr and "free space" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert len(hub.repos["datasets/me/sums"]) == 1  # Nothing is partly published.


def test_damage_on_the_hub_is_found_by_reading_back(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    hub.damage = "data/validation-00000-of-00001.parquet"
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 1
    assert f"differs from what was sent: {hub.damage};" in done.stderr


def test_model_round_trip(hub: HubServer, client: dict[str, str], cli: Cli, trained_run: Workspace) -> None:
    done = cli("publish", str(trained_run.folder), "model", "--repo", "me/small-ppo", **client)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    files = hub.files("models/me/small-ppo")
    export = trained_run.linked("train").folder / "exports" / "step-000002"
    for name in ("actor/model.safetensors", "actor/tokenizer.json", "critic/value_head.safetensors"):
        assert files[name.removeprefix("actor/")] == (export / name).read_bytes()
    assert {f"manifests/{stage}.json" for stage in ("curate", "rewards", "base", "train")} <= set(files)
    assert not any(str(trained_run.root).encode() in content for content in files.values())

    matter = front_matter(files["README.md"])
    result = matter["model-index"][0]["results"][0]
    assert result["metrics"][0] == {"type": "accuracy", "name": "avg@2", "value": 0.875}
    card = files["README.md"].decode()
    assert "| sums (avg@2) | 200 | 25.0 [20.0, 30.0] | 87.5 [80.0, 95.0] | +62.5 | 0.0001 |" in card
    assert "| training reward | 0.125 | 0.750 |" in card
    problem = re.search(r'"content": "(.*?)"', card)
    assert problem and f"User: {ORZ_INSTRUCTION}{problem[1]}\nAssistant: <think>\n```" in card
    assert "| 2 | 0.75 | 1 | 1 | 1 | 1 |" in card

    # The same bytes again: a second publication would send nothing.
    again = publish(trained_run.folder, "model", "me/small-ppo", is_dry_run=True)
    assert again.commit is None
    sent = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert {name: sha256 for name, _, sha256 in again.files} | {
        ".gitattributes": sent[".gitattributes"]
    } == sent


def test_model_without_its_own_summary_is_refused(tmp_path: Path, trained_run: Workspace) -> None:
    shutil.copytree(trained_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    summary = json.loads((run / "summary.json").read_text())
    summary["fingerprints"]["train"]["fingerprint"] = "of another training"
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="is about another training"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    (run / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match="reasoner-zero report"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)


def test_damaged_or_unfinished_artifacts_are_refused(tmp_path: Path, trained_run: Workspace) -> None:
    shutil.copytree(trained_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    weights = run / "train" / "exports" / "step-000002" / "actor" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match=r"damaged: exports/step-000002/actor/model.safetensors differs"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    weights.unlink()
    with pytest.raises(ValueError, match=r"actor: no \*.safetensors"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    (run / "train").unlink()
    with pytest.raises(FileNotFoundError, match="reasoner-zero train"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    assert not list(run.glob(".publish-*"))


@pytest.mark.parametrize("template", ["orz", "few_shot", "bare", "plain"])
def test_chat_template_writes_the_training_prompt(template: str) -> None:
    shot = Shot(problem='Say "é"\n{{ 1 }}', thought="\\frac{1}{2} }} {% if %}", answer="1")
    config = PromptConfig(template=template, shots=(shot,))
    problem = "What is $\\{x : x > 0\\}$?\n'{{ y }}'"
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    for begins in ("", "<s>"):
        rendered = environment.from_string(chat_template(config, begins)).render(
            messages=[{"role": "user", "content": problem}], add_generation_prompt=True
        )
        assert rendered == begins + render_prompt(problem, config)


@pytest.mark.slow
def test_published_model_loads_and_answers_as_in_training(
    hub: HubServer, client: dict[str, str], cli: Cli, trained_run: Workspace
) -> None:
    done = cli("publish", str(trained_run.folder), "model", "--repo", "me/small-ppo", **client)
    assert done.returncode == 0, done.stderr
    export = trained_run.linked("train").folder / "exports" / "step-000002" / "actor"
    shown = python(
        "import json, torch\n"
        "from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained('me/small-ppo')\n"
        "text = tokenizer.apply_chat_template([{'role': 'user', 'content': '1+2=?'}], tokenize=False)\n"
        "ids = tokenizer(text, return_tensors='pt', add_special_tokens=False)\n"
        "made = [AutoModelForCausalLM.from_pretrained(name)(**ids).logits\n"
        f"        for name in ('me/small-ppo', {str(export)!r})]\n"
        "critic = AutoModel.from_pretrained('me/small-ppo', subfolder='critic')\n"
        "print(json.dumps([text, torch.equal(*made), float(made[0].std()), critic.config.hidden_size]))",
        client,
    )
    text, is_equal, spread, hidden = json.loads(shown.splitlines()[-1])
    assert text == render_prompt("1+2=?", trained_run.config.training.prompt)
    assert is_equal and spread > 0.01 and hidden == 32


PUBLISH_FLOW = """\
import sys

import flows
from prefect.blocks.system import Secret

@flows.flow
def operator():
    Secret(value=sys.stdin.readline().strip()).save("hub-token")
    return flows.publish("me/sums", sys.argv[1], "dataset", dry_run=False, token_block="hub-token")

print(operator())
"""


@pytest.mark.slow
def test_a_token_in_a_block_is_used_and_nowhere_written(
    hub: HubServer, client: dict[str, str], tmp_path: Path, licensed_run: Workspace
) -> None:
    """The flow on a temporary server: logs, database, artifacts and what is sent do not contain the token."""
    home = tmp_path / "prefect"
    without = {name: value for name, value in client.items() if name != "HF_TOKEN"}
    environment = {**os.environ, **without, "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment |= {"PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_LOCAL_STORAGE_PATH": str(home / "storage")}
    environment.pop("HF_TOKEN", None)
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH_FLOW, str(licensed_run.folder)],
        input=TOKEN,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == hub.repos["datasets/me/sums"][-1][0]
    with closing(sqlite3.connect(home / "prefect.db")) as database:
        (rows,) = database.execute("select data from artifact where key = 'published-dataset'").fetchone()
    assert "SHA256SUMS" in rows
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    written += [path for path in licensed_run.root.rglob("*") if path.is_file()]
    assert home / "prefect.db" in written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in content for content in hub.files("datasets/me/sums").values())
