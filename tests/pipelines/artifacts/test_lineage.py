from pathlib import Path

import pytest

from pipelines.artifacts.lineage import Node, lineage
from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.manifests import write_checksums
from pipelines.publishing.publish import publish
from tests.pipelines.conftest import LICENSE, make_run


def names(node: Node) -> dict:
    return {below.name: names(below) for below in node.inputs}


def test_a_model_is_followed_back_to_its_sources(trained_run):
    root = lineage(trained_run.folder / "train")
    corpus = {"curate": {"benchmark:sums": {}, "source:addition": {}, "source:mine": {}}}
    assert names(root) == {"base": {"rewards": corpus}}
    assert not list(root.all_problems())


def test_a_changed_raw_file_and_a_damaged_artifact_are_named(tmp_path: Path):
    run = make_run(tmp_path, LICENSE)
    with (tmp_path / "mine.jsonl").open("a") as file:
        file.write("\n")
    (run.linked("curate").folder / "funnel.parquet").write_bytes(b"")
    assert list(lineage(run.folder / "rewards").all_problems()) == [
        "curate: funnel.parquet differs from its SHA-256",
        "source:mine: the file has changed since",
    ]


@pytest.fixture
def download(trained_run: Workspace, tmp_path: Path) -> Path:
    """A copy of the model that trained_run would publish."""
    publish(trained_run.folder, "model", "me/small", is_dry_run=True, keep=tmp_path / "download")
    return tmp_path / "download"


def test_a_published_model_is_followed_back_to_the_raw_files(trained_run: Workspace, download: Path):
    root = lineage(download, trained_run.root)
    corpus = {"curate": {"benchmark:sums": {}, "source:addition": {}, "source:mine": {}}}
    assert names(root) == {"train": {"base": {"rewards": corpus}}}
    assert not list(root.all_problems())
    # The last one is a file on this machine, hashed again.
    raw = root.inputs[0].inputs[0].inputs[0].inputs[0].inputs[-1]
    assert raw.name == "source:mine" and str(trained_run.root.parent / "mine.jsonl") in raw.detail


def test_elsewhere_its_manifests_still_tell(download: Path, tmp_path: Path):
    root = lineage(download, tmp_path)
    corpus = {"curate": {"benchmark:sums": {}, "source:addition": {}, "source:mine": {}}}
    assert names(root) == {"train": {"base": {"rewards": corpus}}}
    assert "not on this machine" in root.inputs[0].detail


def test_other_weights_are_found_even_with_fitting_checksums(download: Path, tmp_path: Path):
    weights = download / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (download / "critic" / "config.json").unlink()
    changed = list(lineage(download, tmp_path).all_problems())
    lines = (
        "critic/config.json is missing",
        "model.safetensors differs from its SHA-256",
        "model.safetensors is not the file that training made",
    )
    assert changed == [f"published model: {line}" for line in lines]
    (download / "SHA256SUMS").unlink()
    write_checksums(download)
    assert list(lineage(download, tmp_path).all_problems()) == [f"published model: {lines[-1]}"]


def test_a_folder_that_is_no_artifact_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"give an artifact of a run"):
        lineage(tmp_path)
