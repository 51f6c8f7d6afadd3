"""Publishing through the real hub client to a hub server on the loopback interface."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipelines.workspace import Workspace
from tests.pipelines.conftest import ROOT, Cli
from tests.pipelines.hub_server import HubServer

TOKEN = "hf_plantedTokenThatMustNotLeak"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(TOKEN) as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    """Environment that points the hub client at our server, with a home of its own."""
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
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
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

    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    loaded = json.loads(
        python(
            "import datasets, json\n"
            "data = datasets.load_dataset('me/sums')\n"
            "print(json.dumps({name: split.to_list() for name, split in data.items()}))",
            client,
        ).splitlines()[-1]
    )
    assert set(loaded) == {"train", "validation"}
    for split, rows in loaded.items():
        assert pl.DataFrame(rows, schema=prompts.schema).equals(prompts.filter(pl.col("split") == split))

    # Published again, nothing is sent and no commit is made.
    n_commits, n_requests = len(hub.repos["datasets/me/sums"]), len(hub.requests)
    again = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert again.returncode == 0, again.stderr
    assert len(hub.repos["datasets/me/sums"]) == n_commits
    assert not [line for line in hub.requests[n_requests:] if "/commit/" in line or line.startswith("PUT")]


def test_data_set_card_says_where_rows_come_from(tmp_path: Path, cli: Cli, licensed_run: Workspace) -> None:
    kept = tmp_path / "kept"
    run = str(licensed_run.folder)
    done = cli("publish", run, "dataset", "--repo", "me/sums", "--dry-run", "--out", str(kept))
    assert done.returncode == 0, done.stderr
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


def test_dry_run_sends_nothing_and_lists_what_would_be_sent(
    hub: HubServer, client: dict[str, str], tmp_path: Path, cli: Cli, licensed_run: Workspace
) -> None:
    kept = tmp_path / "kept"
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    dry = cli(*arguments, "--dry-run", "--out", str(kept), **client)
    assert dry.returncode == 0, dry.stderr
    assert hub.requests == []
    assert "nothing was sent" in dry.stdout
    assert cli(*arguments, **client).returncode == 0
    sent = {name: content for name, content in hub.files("datasets/me/sums").items() if name[0] != "."}
    assert sent == {p.relative_to(kept).as_posix(): p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    for name, content in sent.items():
        assert any(
            name in line and f"{len(content):,}" in line and hashlib.sha256(content).hexdigest()[:16] in line
            for line in dry.stdout.splitlines()
        )


def test_source_without_licence_is_refused_until_forced(cli: Cli, unlicensed_run: Workspace) -> None:
    arguments = ("publish", str(unlicensed_run.folder), "dataset", "--repo", "me/sums", "--dry-run")
    refused = cli(*arguments)
    assert refused.returncode == 2
    n_mine = unlicensed_run.linked("rewards").read("prompts.parquet")["source"].to_list().count("mine")
    assert f"no licence is stated for mine ({n_mine} rows)" in refused.stderr
    assert "--force-licence mine" in refused.stderr and "addition" not in refused.stderr
    assert cli(*arguments, "--force-licence", "mine").returncode == 0
    misspelt = cli(*arguments, "--force-licence", "min")
    assert misspelt.returncode == 2 and "no such source" in misspelt.stderr


@pytest.mark.parametrize(
    ("token", "said"),
    [pytest.param("", "no hub token", id="none"), pytest.param("hf_wrong", "refused the token", id="wrong")],
)
def test_unusable_token_gives_one_clear_message(
    client: dict[str, str], cli: Cli, licensed_run: Workspace, token: str, said: str
) -> None:
    given = {**client, "HF_TOKEN": token}
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **given)
    assert done.returncode == 2
    assert said in done.stderr and "HF_TOKEN" in done.stderr and "Traceback" not in done.stderr
    assert "hf_wrong" not in done.stdout + done.stderr


def test_damage_on_the_hub_is_found_by_reading_back(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    hub.damage = "data/validation-00000-of-00001.parquet"
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 1
    assert f"does not hold what was sent: {hub.damage};" in done.stderr


def test_files_of_an_older_version_are_removed(
    hub: HubServer, client: dict[str, str], cli: Cli, licensed_run: Workspace
) -> None:
    hub.commit("datasets/me/sums", {".gitattributes": b"", "data/train-00001-of-00002.parquet": b"old"})
    done = cli("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", **client)
    assert done.returncode == 0, done.stderr
    names = set(hub.files("datasets/me/sums"))
    assert "data/train-00001-of-00002.parquet" not in names and ".gitattributes" in names
