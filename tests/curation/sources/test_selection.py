"""Which rows of a source are used: SQL over its own columns, several files, URLs, and settings that fit."""

import gzip
import json
import socket

import polars as pl
import pytest

from curation.sources.config import SourceConfig
from curation.sources.locations import fingerprint
from curation.sources.read import read_source
from curation.sources.readers import SourceError

ROWS = [
    {
        "problem": f"What is {n} + 20?",
        "answer": str(n + 20),
        "valid": "Yes" if n % 2 else "No",
        "rate": n / 10 if n else None,
        "info": {"level": n},
        "text": json.dumps({"level": n}),
        "tries": f"{n}/8",
    }
    for n in range(8)
]


def rows_of(folder, where: str, suffix: str = ".jsonl", **more) -> list[str]:
    path = folder / f"rows{suffix}"
    if suffix == ".csv":
        pl.DataFrame(ROWS).drop("info").write_csv(path)
    elif suffix == ".parquet":
        pl.DataFrame(ROWS).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    read = read_source(SourceConfig(name="s", file=path.name, where=where, **more), folder)
    assert set(read.rejects["reason"]) <= {"not_selected"} and read.rows.height + read.rejects.height == 8
    return [row.split()[2] for row in read.rows["problem"]]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        pytest.param("valid = 'Yes'", "1357", id="equal"),
        pytest.param("rate BETWEEN 0.2 AND 0.4", "234", id="between"),
        pytest.param("rate IS NULL OR valid = 'Yes'", "01357", id="null"),
        pytest.param("rate > 0.4", "567", id="null is not selected"),
        pytest.param("text.level >= 6", "67", id="inside JSON text"),
        pytest.param("CAST(SPLIT_PART(tries, '/', 1) AS INT) < 2", "01", id="part of a text"),
    ],
)
def test_rows_are_selected(tmp_path, suffix, where, chosen):
    assert "".join(rows_of(tmp_path, where, suffix)) == chosen


def test_nested_columns_are_selected_by(tmp_path):
    assert rows_of(tmp_path, "info.level IN (1, 5)") == ["1", "5"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        pytest.param("vald = 'Yes'", "no row has the column 'vald'; did you mean 'valid'", id="column"),
        pytest.param("rate + 1", "not a truth", id="no truth"),
        pytest.param("valid > 3", "where = 'valid > 3'", id="types"),
        pytest.param("rate > 5", "selects no row", id="nothing"),
    ],
)
def test_a_selection_that_cannot_be_is_named(tmp_path, where, said):
    with pytest.raises(SourceError, match=said):
        rows_of(tmp_path, where)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"file": "x.jsonl", "where": "x ="}, "where = 'x ='", id="syntax"),
        pytest.param({"file": "x.jsonl", "delimiter": ";"}, "delimiter is for .csv", id="delimiter"),
        pytest.param({"generator": {"family": "addition"}, "where": "x = 1"}, "remove where", id="generator"),
        pytest.param({"generator": {"family": "addition"}, "problem": ["q"]}, "remove problem", id="fields"),
    ],
)
def test_settings_that_would_be_ignored_are_errors(settings, said):
    with pytest.raises(ValueError, match=said):
        SourceConfig(name="s", **settings)


def test_fields_beside_a_layout_are_read(tmp_path):
    row = {
        "prompt": [{"role": "user", "content": "wrapped"}, {"role": "assistant", "content": "<think>"}],
        "reward_model": {"ground_truth": '["3"]'},
        "extra_info": "{'question': 'What is 1 + 2?'}",
    }
    (tmp_path / "v.jsonl").write_text(json.dumps(row) + "\n")
    source = SourceConfig(name="s", file="v.jsonl", layout="verl")
    assert read_source(source, tmp_path).rows.select("problem", "answer").row(0) == ("wrapped", "3")
    own = source.model_copy(update={"problem": ("extra_info.question",)})
    assert read_source(own, tmp_path).rows["problem"].to_list() == ["What is 1 + 2?"]


def test_signals_are_carried_along_and_ids_told_apart(tmp_path):
    rows = [{"id": "7", "problem": f"What is {n}?", "answer": "1", "rate": n} for n in range(2)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_source(SourceConfig(name="s", file="r.jsonl", id="id", signals=("rate",)), tmp_path)
    assert read.rows["source_id"].to_list() == ["7", "7#2"]
    assert read.rows["signals"].to_list() == ['{"rate": 0}', '{"rate": 1}']


def test_several_files_are_one_source(tmp_path):
    for part in range(2):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[4 * part : 4 * part + 4])
        (tmp_path / f"part-{part}.jsonl").write_text(lines)
    read = read_source(SourceConfig(name="s", file="part-*.jsonl"), tmp_path)
    assert read.rows["source_id"].to_list() == [str(n) for n in range(1, 9)]
    last = json.loads(read.rows["provenance"][7])
    assert last["file"].endswith("part-1.jsonl") and last["row"] == 4
    with pytest.raises(SourceError, match="no file matches"):
        read_source(SourceConfig(name="s", file="none-*.jsonl"), tmp_path)


@pytest.fixture
def bucket(monkeypatch):
    """A real S3 server on loopback with one bucket."""
    moto_server, s3fs = pytest.importorskip("moto.server"), pytest.importorskip("s3fs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    for name, value in (("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("corpus")
    yield system
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def test_urls_are_read_like_files(tmp_path, bucket):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    bucket.pipe("corpus/rows.jsonl.gz", gzip.compress(lines))
    pl.DataFrame(ROWS).write_parquet(tmp_path / "rows.parquet")
    bucket.put(str(tmp_path / "rows.parquet"), "corpus/rows.parquet")
    for name in ("rows.jsonl.gz", "rows.parquet", "rows.j*"):
        source = SourceConfig(name="s", file=f"s3://corpus/{name}", where="rate > 0.3")
        assert read_source(source, None).rows["answer"].to_list() == ["24", "25", "26", "27"]
    before = fingerprint("s3://corpus/rows.parquet", None)
    bucket.pipe("corpus/rows.parquet", b"other")
    bucket.invalidate_cache()
    assert fingerprint("s3://corpus/rows.parquet", None) != before
    with pytest.raises(SourceError, match="no such file"):
        read_source(SourceConfig(name="s", file="s3://corpus/none.jsonl"), None)
