from pathlib import Path

import pytest

from pipelines.lineage import Node, lineage
from tests.pipelines.conftest import LICENCE, make_run


def names(node: Node) -> dict:
    return {below.name: names(below) for below in node.inputs}


def test_a_model_is_followed_back_to_its_sources(trained_run):
    root = lineage(trained_run.folder / "train")
    corpus = {"curate": {"benchmark:sums": {}, "source:addition": {}, "source:mine": {}}}
    assert names(root) == {"base": {"rewards": corpus}}
    assert not list(root.all_problems())


def test_a_changed_raw_file_and_a_damaged_artefact_are_named(tmp_path: Path):
    run = make_run(tmp_path, LICENCE)
    with (tmp_path / "mine.jsonl").open("a") as file:
        file.write("\n")
    (run.linked("curate").folder / "funnel.parquet").write_bytes(b"")
    assert list(lineage(run.folder / "rewards").all_problems()) == [
        "curate: funnel.parquet differs from its SHA-256",
        "source:mine: the file has changed since",
    ]


def test_a_folder_that_is_no_artefact_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"give an artefact of a run"):
        lineage(tmp_path)
