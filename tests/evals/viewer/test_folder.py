"""The viewer as a folder: everything in it, nothing but scripts, and it opens from the disk."""

import json
from pathlib import Path

import pytest

from evals.viewer.folder import write_folder
from evals.viewer.page import CHUNK


@pytest.fixture(scope="module")
def folder(responses, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder") / "shown"
    assert write_folder(responses, folder, "toy") == 32 * 3
    return folder


def test_a_folder_has_every_response(folder: Path) -> None:
    names = {str(path.relative_to(folder / "data")) for path in folder.rglob("*.js")}
    assert names == {
        f"{name}/{part}.js" for name in ("final", "training-1", "training-2") for part in ("index", "0")
    }
    text = (folder / "data/final/0.js").read_text(encoding="ascii")
    rows = json.loads(text.removeprefix('receive("final/0",').removesuffix(");\n"))
    assert len(rows) == 32 <= CHUNK and rows[12]["response"]["pieces"][0].startswith("Wait, </script>")
    assert str(folder.parent) not in (folder / "index.html").read_text()


@pytest.mark.slow
def test_a_folder_opens_from_the_disk(folder: Path, dump_dom) -> None:
    page = (folder / "index.html").as_uri()
    shown = dump_dom(f"{page}#set=final&of=toy&question=q3&sample=1&search=owned")
    assert "1–4 of 4 responses" in shown and "<msup><mi>x</mi>" in shown and "<img" not in shown
    assert "<mark>owned</mark>" in shown
