"""Links in folders of data: to data they are followed, to anything else they are refused by name."""

import json
import pickle
from pathlib import Path

import pytest

from curation.decontaminate.benchmarks import benchmark_files
from curation.sources.locations import locate
from curation.sources.readers import SourceError, read_rows

ROW = json.dumps({"problem": "What is 3 times 4?", "answer": "12"}) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


REFUSED = ["id_rsa", "passwd", ".netrc", ".docker/config.json", ".config/tool/token.jsonl", "notes.txt"]
FOLLOWED = ["rows.jsonl", "big/rows.jsonl.gz", "part-1.parquet", "rows.json", "my.rows.csv"]


@pytest.mark.parametrize("target", REFUSED + FOLLOWED)
def test_a_link_leads_to_data_or_nowhere(target: str, root: Path) -> None:
    file = root.parent / "elsewhere" / target
    file.parent.mkdir(parents=True)
    file.write_text(ROW)
    (root / "rows.jsonl").symlink_to(file)
    for look in (
        lambda: locate("rows.jsonl", root),
        lambda: locate("*.jsonl", root),
        lambda: benchmark_files(root),
        lambda: benchmark_files(root / "rows.jsonl"),
    ):
        if target in FOLLOWED:
            assert len(look()) == 1
        else:
            with pytest.raises(SourceError, match=f"rows.jsonl: this link leads to .*{target}, not to"):
                look()


def test_the_hubs_cache_is_made_of_links(root: Path) -> None:
    blob = root / ".cache" / "datasets--me--sums" / "blobs" / "0123abcd"
    blob.parent.mkdir(parents=True)
    blob.write_text(ROW)
    link = root / ".cache" / "datasets--me--sums" / "snapshots" / "main" / "data" / "rows.jsonl"
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("../../../blobs/0123abcd"))
    assert link.read_text() == ROW and len(locate(str(link), None)) == 1
    other = root / "blobs" / "secret"
    other.parent.mkdir()
    other.write_text(ROW)
    (root / "mine").mkdir()
    (root / "mine" / "rows.jsonl").symlink_to(root.parent / "blobs")
    (root.parent / "blobs").write_text(ROW)
    with pytest.raises(SourceError, match="not to a data file"):
        locate("mine/rows.jsonl", root)


def test_links_in_circles_and_to_devices_end(root: Path) -> None:
    (root / "a.jsonl").symlink_to(root / "b.jsonl")
    (root / "b.jsonl").symlink_to(root / "a.jsonl")
    (root / "zero.jsonl").symlink_to("/dev/zero")
    (root / "up").symlink_to(root)
    for name in ("a.jsonl", "zero.jsonl"):
        with pytest.raises(SourceError, match="no such file"):
            locate(name, root)
    assert benchmark_files(root) == []


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", [f"rows.{suffix}" for suffix in ("pkl", "npy", "pt", "jsonl", "parquet")])
def test_a_pickle_is_never_loaded(name: str, root: Path) -> None:
    mark = root / "ran"
    (root / name).write_bytes(pickle.dumps(Bomb(mark)))
    if name == "rows.jsonl":  # Its bytes are bad rows.
        assert all(row.reason for row in read_rows(root / name, 2**20))
    else:
        with pytest.raises(SourceError):
            list(read_rows(root / name, 2**20))
    assert not mark.exists()
    pickle.loads((root / name).read_bytes())
    assert mark.exists(), "the bomb works"
