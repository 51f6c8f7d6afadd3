"""The published data set: its files, its card, and what a consumer gets who pastes the card's code."""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

from pipelines.artifacts.workspace import Workspace
from tests.pipelines.conftest import run_cli
from tests.pipelines.publishing.conftest import REPO, TOKEN, python, settings
from tests.pipelines.publishing.hub_server import HubServer


@dataclass(frozen=True, slots=True)
class Published:
    """The data set of the licensed run on a hub, and a copy of its files."""

    hub: HubServer
    client: dict[str, str]
    command: tuple[str, ...]
    copy: Path

    @property
    def card(self) -> str:
        return (self.copy / "README.md").read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[str]:
        """The card's code blocks: datasets, polars, DuckDB."""
        return re.findall(r"```python\n(.*?)```", self.card, flags=re.DOTALL)


@pytest.fixture(scope="module")
def published(licensed_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("published")
    command = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    with HubServer(TOKEN) as hub:
        client = settings(hub, folder / "hf")
        done = run_cli(*command, **client)
        assert done.returncode == 0 and "published and read back" in done.stdout, done.stderr
        for name, content in hub.files(REPO).items():
            path = folder / "copy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Published(hub, client, command, folder / "copy")


def test_every_file_is_listed_and_no_folder_of_this_machine(
    published: Published, licensed_run: Workspace
) -> None:
    copy = published.copy
    names = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    listed = {line.split("  ")[1] for line in (copy / "SHA256SUMS").read_text().splitlines()}
    assert names == listed | {"SHA256SUMS", ".gitattributes"}
    assert names >= {"README.md", "manifests/curate.json", "manifests/rewards.json"}
    check = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=copy, capture_output=True)
    assert check.returncode == 0, check.stdout
    # The folder of a file on this machine is not published, only its name and row.
    folder = str(licensed_run.root.parent)
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    assert prompts["provenance"].str.contains(folder, literal=True).any()
    mine = pl.read_parquet(copy / "data").filter(source="mine").row(0, named=True)
    assert json.loads(mine["provenance"]) == {"file": "mine.jsonl", "row": int(mine["source_id"])}
    for path in copy.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert folder.encode() not in content and TOKEN.encode() not in content, path


def test_a_consumer_can_paste_the_cards_code(published: Published, licensed_run: Workspace) -> None:
    """load_dataset and DuckDB read from the hub; polars, whose hub cannot be another one, from a copy."""
    assert [block.split()[1] for block in published.blocks] == ["datasets", "polars", "duckdb"]
    code = "\nprint('-----')\n".join(published.blocks).replace(
        "hf://datasets/me/sums", str(published.copy), 1
    )
    code += "\nimport datasets, json\nprint('-----')\ndata = datasets.load_dataset('me/sums')\n"
    code += "print(json.dumps({name: split.to_list() for name, split in data.items()}))"
    loaded, grouped, counted, whole = python(code, published.client).split("-----\n")
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    train = prompts.filter(pl.col("split") == "train")
    first, per_source = train.row(0, named=True), dict(train.group_by("source").len().iter_rows())
    assert loaded.splitlines()[-1] == f"{first['problem']} {first['answer']}"
    for shown in (grouped, counted):
        for source, n_rows in per_source.items():
            assert re.search(rf"{source}\W+{n_rows}\b", shown), shown
    splits = json.loads(whole)
    assert set(splits) == {"train", "validation"}
    for split, rows in splits.items():
        sent = pl.DataFrame(rows, schema=prompts.schema).drop("provenance")
        assert sent.equals(prompts.filter(pl.col("split") == split).drop("provenance"))


def test_duckdb_and_croissant_readers_find_every_column(
    published: Published, licensed_run: Workspace
) -> None:
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    files = f"'{published.copy}/data/*.parquet'"
    with closing(duckdb.connect()) as database:
        counts = database.sql(f"SELECT count(*), count(DISTINCT problem_id) FROM {files}").fetchall()
        columns = database.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {files})").fetchall()
    assert counts == [(prompts.height, prompts.height)]
    assert dict(columns)["problem"] == "VARCHAR" and [name for name, _ in columns] == prompts.columns
    described = json.loads((published.copy / "croissant.json").read_text())
    assert {entry["contentUrl"] for entry in described["distribution"]} == {
        str(path.relative_to(published.copy)) for path in published.copy.glob("data/*.parquet")
    }
    for entry in described["distribution"]:
        content = (published.copy / entry["contentUrl"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    for shard in described["recordSet"]:
        assert [field["source"]["extract"]["column"] for field in shard["field"]] == prompts.columns


def test_the_card_says_where_rows_come_from(published: Published, licensed_run: Workspace) -> None:
    text = published.card
    matter = yaml.safe_load(text.split("---\n")[1])
    assert matter["license"] == ["apache-2.0", "cc-by-sa-4.0"]
    assert matter["configs"][0]["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "validation")
    ]
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
    # Two sources, of which none states a problem of the other.
    assert "No share of wrong answers is estimated" in text


def test_the_same_again_changes_nothing_and_says_so(published: Published) -> None:
    hub = published.hub
    n_commits, n_requests = len(hub.repos[REPO]), len(hub.requests)
    again = run_cli(*published.command, **published.client)
    assert again.returncode == 0, again.stderr
    assert "nothing changed and nothing was sent" in again.stdout
    assert "published" not in again.stdout + again.stderr
    assert len(hub.repos[REPO]) == n_commits
    assert not [line for line in hub.requests[n_requests:] if "/commit/" in line or line.startswith("PUT")]
