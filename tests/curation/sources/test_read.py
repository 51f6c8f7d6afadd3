"""Sources: every format, nested fields, bad rows rejected with their location, unusable files refused."""

import gzip
import json

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest

from curation.sources.config import HubDataset, SourceConfig
from curation.sources.read import read_source
from curation.sources.readers import SourceError
from rewards.contracts.files import hash_file

ROWS = [{"problem": "What is 1 + 1?", "answer": "2"}, {"problem": "What is 2 + 3?", "answer": "5"}]


def as_jsonl(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def write_every_format(folder):
    (folder / "a.jsonl").write_bytes(as_jsonl(ROWS))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(as_jsonl(ROWS)))
    with pa.output_stream(str(folder / "c.jsonl.zst"), compression="zstd") as file:
        file.write(as_jsonl(ROWS))
    (folder / "d.json").write_text(json.dumps(ROWS))
    (folder / "e.json").write_bytes(as_jsonl(ROWS))
    (folder / "f.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(folder / "g.parquet")
    frame.write_ipc(folder / "h.arrow", compat_level=pl.CompatLevel.oldest())
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(str(folder / "i.arrow"), table.schema) as writer:
        writer.write_table(table)
    frame.write_csv(folder / "j.csv")
    (folder / "k.csv.gz").write_bytes(gzip.compress((folder / "j.csv").read_bytes()))


def test_every_format_gives_the_same_rows(tmp_path):
    write_every_format(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        read = read_source(SourceConfig(name="mine", file=path.name), tmp_path)
        assert read.rows["problem"].to_list() == [row["problem"] for row in ROWS], path.name
        assert read.rows["answer"].to_list() == ["2", "5"], path.name
        assert read.rows["source_id"].to_list() == ["1", "2"]
        assert read.rejects.is_empty()
        assert read.fingerprint == hash_file(path)
        assert json.loads(read.rows["provenance"][1]) == {"file": path.name, "row": 2}


def read_one(tmp_path, row, **config):
    (tmp_path / "one.jsonl").write_bytes(as_jsonl([row]))
    return read_source(SourceConfig(name="one", file="one.jsonl", **config), tmp_path).rows.to_dicts()[0]


@pytest.mark.parametrize(
    ("row", "config", "problem", "answer"),
    [
        pytest.param(
            {"Body": "Dan had $ 3 left", "Question": "What did it cost?", "Answer": 51.0},
            {"problem": ("Body", "Question"), "answer": "Answer"},
            "Dan had $ 3 left. What did it cost?",
            "51",
            id="two fields joined, whole float",
        ),
        pytest.param(
            [{"from": "human", "value": "1+1?"}, {"from": "assistant", "ground_truth": {"value": "n = 2"}}],
            {"layout": "orz"},
            "1+1?",
            "n = 2",
            id="ORZ's two messages",
        ),
        pytest.param(
            {
                "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "2+2?"}],
                "reward_model": {"ground_truth": "4", "style": "rule"},
            },
            {"layout": "verl"},
            "2+2?",
            "4",
            id="verl chat",
        ),
        pytest.param(
            {"prompt": [{"content": "2+2?"}], "reward_model": {"ground_truth": {"target": "4"}}},
            {"layout": "verl", "answer": "reward_model.ground_truth.target"},
            "2+2?",
            "4",
            id="verl with nested truth",
        ),
        pytest.param(
            {"problem": "p?", "solution": r"$\boxed{1}$ no, $\boxed{\frac{3}{4}}$."},
            {"answer": "solution", "answer_style": "boxed"},
            "p?",
            r"\frac{3}{4}",
            id="last box",
        ),
        pytest.param({"problem": "p?", "answer": "x\n#### 1,234"}, {}, "p?", "1,234", id="hash by itself"),
        pytest.param(
            {"problem": "p?", "answer": "9 (apples)"}, {"answer_style": "unit"}, "p?", "9", id="unit"
        ),
        pytest.param({"problem": "p?", "answer": "(2)"}, {"answer_style": "unit"}, "p?", "(2)", id="no unit"),
        pytest.param(
            {"problem": "p?", "answer": "11.50"}, {"answer_style": "number"}, "p?", "11.50", id="decimal"
        ),
        pytest.param({"problem": "p?", "answer": ["7"]}, {}, "p?", "7", id="list of one"),
        pytest.param({"problem": "p?", "answer": 0}, {}, "p?", "0", id="zero is an answer"),
    ],
)
def test_fields_and_answer_styles(tmp_path, row, config, problem, answer):
    read = read_one(tmp_path, row, **config)
    assert (read["problem"], read["answer"]) == (problem, answer)


def test_optional_fields_are_carried(tmp_path):
    row = {"q": "p?", "answer": "2 = <<1+1=2>>2\n#### 2", "lv": 3, "type": "Algebra", "uid": "x-9"}
    read = read_one(
        tmp_path, row, problem=("q",), solution="answer", level="lv", subject="type", id="uid", license="MIT"
    )
    assert read["solution"] == "2 = 2"
    assert (read["level"], read["subject"], read["source_id"], read["license"]) == (
        "3",
        "Algebra",
        "x-9",
        "MIT",
    )


BAD = [
    pytest.param(b'{"problem": "p?", "answer": ', "invalid_json", "", id="cut JSON"),
    pytest.param(b'{"problem": "\xff\xfe", "answer": "1"}', "invalid_utf8", "byte 13", id="bytes"),
    pytest.param(b'{"problem": "\\ud800", "answer": "1"}', "invalid_utf8", "'problem'", id="lone surrogate"),
    pytest.param(b'{"problem": {"a": 1}, "answer": "1"}', "wrong_type", "'problem' is a dict", id="dict"),
    pytest.param(
        b'{"problem": "p?", "answer": [["1"], ["2"]]}', "wrong_type", "'answer' is a list", id="list"
    ),
    pytest.param(b'{"problem": "p?", "answer": NaN}', "wrong_type", "nan", id="NaN"),
    pytest.param(b'{"problem": "p?"}', "missing_field", "'answer' is absent", id="absent"),
    pytest.param(b'{"problem": "p?", "answer": null}', "missing_field", "'answer' is null", id="null"),
    pytest.param(b'{"problem": "  ", "answer": "1"}', "empty_field", "'problem' is empty", id="blank"),
    pytest.param(b'"just text"', "wrong_type", "the row is a str", id="no object"),
    pytest.param(b"[" * 20000 + b"]" * 20000, "invalid_json", "", id="nested too deep"),
    pytest.param(
        b'{"problem": "' + b"x" * 60000 + b'", "answer": "1"}', "oversized_text", "max_row_bytes", id="huge"
    ),
]


@pytest.mark.parametrize(("line", "reason", "detail"), BAD)
def test_bad_rows_become_rejects_that_name_their_place(tmp_path, line, reason, detail):
    (tmp_path / "bad.jsonl").write_bytes(as_jsonl(ROWS) + line + b"\n" + as_jsonl(ROWS[:1]))
    read = read_source(SourceConfig(name="s", file="bad.jsonl", max_row_bytes=50_000), tmp_path)
    assert read.rows.height == 3
    (reject,) = read.rejects.to_dicts()
    assert (reject["step"], reject["reason"], reject["source_id"]) == ("read", reason, "3")
    assert "bad.jsonl, row 3" in reject["detail"] and detail in reject["detail"]


def test_truncated_gzip_keeps_what_came_before(tmp_path):
    rows = [{"problem": f"What is {i} * {i * 7919 % 1000}?", "answer": str(i)} for i in range(3000)]
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(as_jsonl(rows))[:-4000])
    read = read_source(SourceConfig(name="s", file="cut.jsonl.gz"), tmp_path)
    assert 100 < read.rows.height < 3000
    assert read.rejects["reason"].to_list()[-1] == "truncated_file"


def test_csv_row_with_missing_columns_or_bad_bytes_is_set_aside(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"problem,answer\np?,1\nonly one\n\xff?,2\nq?,3\n")
    read = read_source(SourceConfig(name="s", file="x.csv"), tmp_path)
    assert read.rows["answer"].to_list() == ["1", "3"]
    assert read.rejects["reason"].to_list() == ["wrong_columns", "invalid_utf8"]


def test_unknown_field_names_the_nearest(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(as_jsonl(ROWS))
    with pytest.raises(SourceError, match=r"x\.jsonl has the field 'anwser'; did you mean 'answer'\?"):
        read_source(SourceConfig(name="s", file="x.jsonl", answer="anwser"), tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.jsonl", b"", "contains no rows", id="empty"),
        pytest.param("a.jsonl", b"{\n{\n", "no row can be used; first problem: .*row 1", id="nothing parses"),
        pytest.param("a.parquet", b"not parquet", "not a parquet file", id="no parquet"),
        pytest.param("a.json", b'{"a": ', "not JSON", id="no JSON"),
        pytest.param("a.txt", b"x", "format .txt is not one of", id="format"),
    ],
)
def test_unusable_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_source(SourceConfig(name="s", file=name), tmp_path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.jsonl: no such file"):
        read_source(SourceConfig(name="s", file="none.jsonl"), tmp_path)


def test_row_limit(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(as_jsonl(ROWS * 5))
    assert read_source(SourceConfig(name="s", file="x.jsonl", n_rows=3), tmp_path).rows.height == 3


def test_hub_data_set_is_read_when_there_is_no_data_root(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "train.jsonl").write_bytes(as_jsonl(ROWS))
    source = SourceConfig(
        name="s",
        file="elsewhere.jsonl",
        answer="target",
        hub=HubDataset(id=str(folder), rename=("answer=target",)),
    )
    read = read_source(source, None)
    assert read.rows["answer"].to_list() == ["2", "5"]
    assert json.loads(read.rows["provenance"][0])["hub"] == str(folder)


def test_file_without_data_root_is_relative_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "x.jsonl").write_bytes(as_jsonl(ROWS))
    monkeypatch.chdir(tmp_path)
    assert read_source(SourceConfig(name="s", file="x.jsonl"), None).rows.height == 2


def test_generator_source():
    source = SourceConfig(name="add", generator={"family": "addition", "n_problems": 5})
    read = read_source(source, None)
    assert read.rows.height == 5 and read.rows["subject"].unique().to_list() == ["addition"]
    assert json.loads(read.rows["provenance"][4])["generator"]["digits"] == 2


@pytest.mark.parametrize(
    "config",
    [{}, {"file": "a.jsonl", "generator": {"family": "gcd"}}, {"file": "a.jsonl", "problem": ()}],
)
def test_source_needs_exactly_one_origin(config):
    with pytest.raises(ValueError, match="source 's'"):
        SourceConfig(name="s", **config)
