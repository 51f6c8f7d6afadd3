"""What a publication may overwrite, and what it says before it does."""

import hashlib
import json
from pathlib import Path

import pytest

from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.head import Head
from tests.pipelines.conftest import Cli
from tests.pipelines.publishing.hub_server import HubServer
from tests.pipelines.publishing.test_publish import client, hub, python  # noqa: F401

REPO = "datasets/me/sums"
FOREIGN = {".gitattributes": b"", "README.md": b"mine", "data/old.parquet": b"x", "notes/paper.pdf": b"y"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def head(ours: dict[str, bytes], now: dict[str, bytes]) -> Head:
    """A head that we published as `ours` and that holds `now`."""
    return Head(
        "c",
        False,
        {name: len(content) for name, content in now.items()},
        {name: sha(content) for name, content in now.items()},
        {name: sha(content) for name, content in ours.items() if name != "SHA256SUMS"},
    )


CARD, SUMS = {"README.md": b"a"}, {"SHA256SUMS": b"s"}


@pytest.mark.parametrize(
    ("ours", "now", "foreign"),
    [
        pytest.param({}, {}, [], id="nothing there"),
        pytest.param({}, {".gitattributes": b""}, [], id="made on the page of the hub"),
        pytest.param({}, CARD, ["README.md"], id="a card of one's own"),
        pytest.param({}, {"README.md": b"new"}, [], id="equal by chance: nothing to lose"),
        pytest.param({}, SUMS, ["SHA256SUMS"], id="checksums of another tool"),
        pytest.param(CARD, CARD, [], id="our older card"),
        pytest.param(CARD, {"README.md": b"edited"}, ["README.md"], id="edited by hand"),
        pytest.param({"data/1.parquet": b"1"}, {"data/1.parquet": b"1"}, [], id="our older shard goes"),
        pytest.param(CARD, CARD | {"notes.pdf": b"n"}, ["notes.pdf"], id="added by hand"),
        pytest.param(CARD | SUMS, CARD | SUMS, [], id="our older checksums"),
    ],
)
def test_only_what_we_wrote_is_overwritten(ours, now, foreign):
    new = [("README.md", 3, sha(b"new")), ("SHA256SUMS", 3, sha(b"sum"))]
    assert head(ours, now).changes(new).foreign == foreign


def test_a_repository_of_somebody_else_is_refused_until_replaced(
    hub: HubServer,  # noqa: F811
    client: dict[str, str],  # noqa: F811
    cli: Cli,
    licensed_run: Workspace,
) -> None:
    hub.commit(REPO, dict(FOREIGN))
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    for extra in ((), ("--dry-run",)):
        done = cli(*arguments, *extra, **client)
        assert done.returncode == 2 and "--replace" in done.stderr
        for name in ("README.md", "data/old.parquet", "notes/paper.pdf"):
            assert name in done.stderr
        assert hub.files(REPO) == FOREIGN
    shown = cli(*arguments, "--dry-run", "--replace", **client)
    assert shown.returncode == 0 and "1 changed, 2 deleted" in shown.stdout
    assert cli(*arguments, "--replace", **client).returncode == 0
    assert "notes/paper.pdf" not in hub.files(REPO)


def test_a_new_repository_is_private_and_a_hand_edited_card_is_not_lost(
    hub: HubServer,  # noqa: F811
    client: dict[str, str],  # noqa: F811
    cli: Cli,
    licensed_run: Workspace,
) -> None:
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    assert cli(*arguments, **client).returncode == 0
    assert hub.private[REPO] is True
    hub.commit(REPO, hub.files(REPO) | {"README.md": b"---\n{}\n---\nby hand"})
    done = cli(*arguments, **client)
    assert done.returncode == 2 and "edited since" in done.stderr and "README.md" in done.stderr
    assert hub.files(REPO)["README.md"].endswith(b"by hand")


def test_branch_pull_request_and_public(
    hub: HubServer,  # noqa: F811
    client: dict[str, str],  # noqa: F811
    cli: Cli,
    licensed_run: Workspace,
) -> None:
    arguments = ("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums")
    done = cli(*arguments, "--branch", "next", "--no-private", **client)
    assert done.returncode == 0, done.stderr
    assert hub.private[REPO] is False and list(hub.files(REPO)) == [".gitattributes"]
    assert "README.md" in hub.branches[f"{REPO}@next"][-1][1]
    refused = cli(*arguments, "--private", **client)
    assert refused.returncode == 2 and "is public" in refused.stderr
    done = cli(*arguments, "--pull-request", **client)
    assert done.returncode == 0, done.stderr
    assert "discussions/1" in done.stdout and list(hub.files(REPO)) == [".gitattributes"]


def test_dry_run_without_a_hub_says_so(cli: Cli, licensed_run: Workspace) -> None:
    done = cli(
        *("publish", str(licensed_run.folder), "dataset", "--repo", "me/sums", "--dry-run"),
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    assert "could not be asked" in done.stdout and "nothing was sent" in done.stdout


MANY = """
import json, sys
from pathlib import Path
from pipelines.publishing.hub import Target, make_repository, send_folder
folder = Path(FOLDER)
(folder / "data").mkdir(parents=True)
for n in range(2000):
    (folder / "data" / f"{n:05d}.parquet").write_bytes(b"%d" % n)
target = Target("dataset", "me/many")
make_repository(target)
print(json.dumps(send_folder(folder, target, "many", lambda: None)))
"""


def test_two_thousand_files_are_one_commit_and_a_retry_sends_only_what_is_missing(
    hub: HubServer,  # noqa: F811
    client: dict[str, str],  # noqa: F811
    tmp_path: Path,
) -> None:
    hub.faults = [("POST /api/datasets/me/many/commit", 500)]
    commit, _ = json.loads(
        python(MANY.replace("FOLDER", repr(str(tmp_path / "send"))), client).splitlines()[-1]
    )
    commits = hub.repos["datasets/me/many"]
    assert len(commits) == 2 and commits[-1][0] == commit and len(commits[-1][1]) == 2001
    assert len([line for line in hub.requests if line.startswith("PUT /objects")]) == 2000
