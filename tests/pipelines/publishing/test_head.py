"""What a publication may overwrite."""

import hashlib

import pytest

from pipelines.publishing.head import Head


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
