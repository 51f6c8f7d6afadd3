"""What a publication changes in a repository, and what it says before it does."""

import hashlib
import re
from pathlib import Path

from tests.pipelines.publishing.conftest import NOBODY, REPO, Publish
from tests.pipelines.publishing.hub_server import HubServer

FOREIGN = {".gitattributes": b"", "README.md": b"mine", "data/old.parquet": b"x", "notes/paper.pdf": b"y"}


def test_a_repository_of_somebody_else_is_refused_until_replaced(hub: HubServer, publish: Publish) -> None:
    hub.commit(REPO, dict(FOREIGN))
    for extra in ((), ("--dry-run",)):
        done = publish(*extra)
        assert done.returncode == 2 and "--replace" in done.stderr
        for name in ("README.md", "data/old.parquet", "notes/paper.pdf"):
            assert name in done.stderr
        assert hub.files(REPO) == FOREIGN
    shown = publish("--dry-run", "--replace")
    assert shown.returncode == 0 and "1 changed, 2 deleted" in shown.stdout
    assert publish("--replace").returncode == 0
    assert "notes/paper.pdf" not in hub.files(REPO)


def test_a_new_repository_is_private_and_a_hand_edited_card_is_not_lost(
    hub: HubServer, publish: Publish
) -> None:
    assert publish().returncode == 0
    assert hub.private[REPO] is True
    hub.commit(REPO, hub.files(REPO) | {"README.md": b"---\n{}\n---\nby hand"})
    done = publish()
    assert done.returncode == 2 and "edited since" in done.stderr and "README.md" in done.stderr
    assert hub.files(REPO)["README.md"].endswith(b"by hand")


def test_branch_pull_request_and_public(hub: HubServer, publish: Publish) -> None:
    done = publish("--branch", "next", "--no-private")
    assert done.returncode == 0, done.stderr
    assert hub.private[REPO] is False and list(hub.files(REPO)) == [".gitattributes"]
    assert "README.md" in hub.branches[f"{REPO}@next"][-1][1]
    refused = publish("--private")
    assert refused.returncode == 2 and "is public" in refused.stderr
    done = publish("--pull-request")
    assert done.returncode == 0, done.stderr
    assert "discussions/1" in done.stdout and list(hub.files(REPO)) == [".gitattributes"]


def test_dry_run_without_a_hub_says_so(publish: Publish) -> None:
    done = publish("--dry-run", url=NOBODY)
    assert done.returncode == 0, done.stderr
    assert "could not be asked" in done.stdout and "nothing was sent" in done.stdout


def test_dry_run_sends_nothing_and_lists_exactly_what_is_sent_later(
    hub: HubServer, publish: Publish, tmp_path: Path
) -> None:
    # An older version of ours with one shard more, which must be removed.
    old = {"data/train-00001-of-00002.parquet": b"old", "manifests/rewards.json": b"{}"}
    sums = "".join(f"{hashlib.sha256(old[name]).hexdigest()}  {name}\n" for name in old)
    hub.commit(REPO, {".gitattributes": b"", "SHA256SUMS": sums.encode(), **old})
    kept = tmp_path / "kept"
    dry = publish("--dry-run", "--out", str(kept))
    assert dry.returncode == 0, dry.stderr
    assert len(hub.repos[REPO]) == 1
    assert not [line for line in hub.requests if not line.startswith(("GET", "HEAD"))]
    assert "nothing was sent" in dry.stdout
    assert re.search(r"delete\W+data/train-00001-of-00002.parquet", dry.stdout)
    assert "2 changed, 1 deleted" in dry.stdout
    assert publish().returncode == 0
    sent = dict(hub.files(REPO))
    assert sent.pop(".gitattributes") == b""
    assert sent == {p.relative_to(kept).as_posix(): p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    for name, content in sent.items():
        assert any(
            name in line and f"{len(content):,}" in line and hashlib.sha256(content).hexdigest()[:16] in line
            for line in dry.stdout.splitlines()
        )


def test_a_rivals_commit_in_between_is_not_wiped(hub: HubServer, publish: Publish) -> None:
    hub.rival = {"stray.txt": b"somebody was faster"}
    done = publish()
    assert done.returncode == 2 and "stray.txt" in done.stderr and "--replace" in done.stderr
    assert hub.files(REPO)["stray.txt"] == b"somebody was faster"
    assert publish("--replace").returncode == 0
    assert len(hub.repos[REPO]) == 3 and "stray.txt" not in hub.files(REPO)
