"""The client's side of a hub: tokens, faults on the way, many files, and the copy that is read back."""

from pathlib import Path

import pytest

from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.publish import publish as send
from tests.pipelines.publishing.conftest import REPO, Publish, python
from tests.pipelines.publishing.hub_server import HubServer


def test_missing_token_is_reported_before_anything_is_sent(
    licensed_run: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="no hub token: set HF_TOKEN"):
        send(licensed_run.folder, "dataset", "me/sums")


def test_refused_token_gives_one_clear_message(hub: HubServer, publish: Publish) -> None:
    done = publish(token="hf_wrong")
    assert done.returncode == 2 and hub.repos == {}
    assert "the hub refused the token" in done.stderr and "set HF_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(
            [("POST /api/datasets/me/sums/preupload", 429), ("POST /api/datasets/me/sums/commit", 500)],
            id="429, then 500 at the commit",
        ),
        pytest.param([("PUT /objects", 0), ("PUT /objects", 503)], id="cut in mid-upload"),
        pytest.param([("GET /api/datasets/me/sums/tree", 502)], id="502 while reading back"),
    ],
)
def test_passing_faults_are_overcome(
    hub: HubServer, publish: Publish, licensed_run: Workspace, faults: list[tuple[str, int]]
) -> None:
    hub.faults = list(faults)
    done = publish()
    assert done.returncode == 0, done.stderr
    assert not hub.faults and "published and read back" in done.stdout
    assert len(hub.repos[REPO]) == 2  # One commit creates the repository, one publishes.
    tag = f"v-{licensed_run.linked('rewards').content}"
    assert hub.tags[REPO] == {tag: hub.repos[REPO][-1][0]}


def test_a_commit_whose_answer_is_lost_is_not_called_unchanged(hub: HubServer, publish: Publish) -> None:
    hub.loses_answer = True
    done = publish()
    assert done.returncode == 0 and "published and read back" in done.stdout, done.stderr
    assert not hub.loses_answer and len(hub.repos[REPO]) == 2


def test_a_full_quota_is_reported_in_the_hubs_words(hub: HubServer, publish: Publish) -> None:
    hub.faults = [("POST /datasets/me/sums.git/info/lfs/objects/batch", 403)]
    done = publish()
    assert done.returncode == 2
    assert "planted 403" in done.stderr and "free space" in done.stderr
    assert len(hub.repos[REPO]) == 1  # Nothing is partly published.


def test_damage_on_the_hub_is_found_by_reading_back(hub: HubServer, publish: Publish) -> None:
    hub.damage = "data/validation-00000-of-00001.parquet"
    done = publish()
    assert done.returncode == 1
    assert f"differs from what was sent: {hub.damage};" in done.stderr


MANY = """
from pathlib import Path
from pipelines.publishing.hub import Target, make_repository, send_folder
folder = Path(FOLDER)
(folder / "data").mkdir(parents=True)
for n in range(2000):
    (folder / "data" / f"{n:05d}.parquet").write_bytes(b"%d" % n)
target = Target("dataset", "me/many")
make_repository(target)
print(send_folder(folder, target, "many", lambda: None).commit)
"""


def test_two_thousand_files_are_one_commit_and_a_retry_sends_only_what_is_missing(
    hub: HubServer, client: dict[str, str], tmp_path: Path
) -> None:
    hub.faults = [("POST /api/datasets/me/many/commit", 500)]
    commit = python(MANY.replace("FOLDER", repr(str(tmp_path / "send"))), client).splitlines()[-1]
    commits = hub.repos["datasets/me/many"]
    assert len(commits) == 2 and commits[-1][0] == commit and len(commits[-1][1]) == 2001
    assert len([line for line in hub.requests if line.startswith("PUT /objects")]) == 2000
