"""The stand-alone commands: inputs are safe, outputs are what was asked for, errors are one line."""

import csv
import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest

from curation.decontaminate.__main__ import main as decontaminate
from curation.dedup.__main__ import main as dedup

PENS = "A box holds 3 red pens. How many pens are in 20 boxes?"
SUM = "What is the sum of the first 40 odd numbers?"
ROWS = [
    {"id": "a", "text": PENS, "level": 3},
    {"id": "b", "text": PENS.upper(), "level": 4},
    {"id": "c", "text": SUM, "level": [5]},
]


def write(path: Path, rows: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(command, *arguments: object) -> None:
    with pytest.raises(SystemExit) as stop:
        command([str(one) for one in arguments])
    assert stop.value.code == 2


@pytest.mark.parametrize("disguise", ["same", "symlink", "hardlink", "removals"])
def test_an_input_is_never_written_over(tmp_path, capsys, disguise):
    source = write(tmp_path / ("k.removed.jsonl" if disguise == "removals" else "in.jsonl"), ROWS)
    before, out = source.read_bytes(), tmp_path / "out.jsonl"
    if disguise == "same":
        out = source
    elif disguise == "symlink":
        out.symlink_to(source)
    elif disguise == "hardlink":
        os.link(source, out)
    else:
        out = tmp_path / "k.jsonl"
    refused(dedup, source, "--out", out)
    assert source.read_bytes() == before
    assert capsys.readouterr().err.count("\n") == 1


def test_benchmarks_are_never_written_over(tmp_path):
    source, bench = write(tmp_path / "in.jsonl", ROWS), write(tmp_path / "eval" / "b.jsonl", ROWS[:1])
    refused(decontaminate, source, "--benchmarks", bench, "--out", bench)
    refused(decontaminate, source, "--benchmarks", bench.parent, "--out", bench.parent / "new.jsonl")
    assert [path.name for path in bench.parent.iterdir()] == ["b.jsonl"]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv", ".tsv", ".jsonl.gz", ".csv.gz"])
def test_the_name_decides_the_format(tmp_path, suffix):
    source, out = write(tmp_path / "in.jsonl", ROWS), tmp_path / f"kept{suffix}"
    dedup([str(source), "--out", str(out)])
    assert (tmp_path / f"kept.removed{suffix}").exists()
    data = gzip.decompress(out.read_bytes()) if suffix.endswith(".gz") else out.read_bytes()
    ids = {".parquet": lambda: pl.read_parquet(out)["id"].to_list()}.get(
        suffix, lambda: [line.strip().strip('{}"').rpartition('"')[2] for line in data.decode().splitlines()]
    )()
    assert [one for one in ids if one != "id"] == ["a", "c"]


def test_whole_rows(tmp_path):
    source = write(tmp_path / "in.jsonl", ROWS)
    dedup([str(source), "--rows", "--out", str(tmp_path / "k.jsonl")])
    assert [json.loads(line) for line in (tmp_path / "k.jsonl").open()] == [ROWS[0], ROWS[2]]
    table = pl.DataFrame({"id": ["a", "b", "c"], "text": [PENS, PENS, SUM], "n": [1, 2, 3]})
    table = table.cast({"n": pl.UInt8})
    table.write_parquet(tmp_path / "in.parquet")
    dedup([str(tmp_path / "in.parquet"), "--rows", "--out", str(tmp_path / "k.parquet")])
    assert pl.read_parquet(tmp_path / "k.parquet").equals(table[[0, 2]])


def test_rows_that_fit_no_columns_are_refused_for_parquet(tmp_path, capsys):
    source = write(tmp_path / "in.jsonl", ROWS)
    refused(dedup, source, "--rows", "--out", tmp_path / "k.parquet")
    assert "write --out with .jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param([], ["1", "3"], id="numbers, as no row has an id"),
        pytest.param(["--id-column", "key"], ["x", "x#3"], id="a column, not unique"),
        pytest.param(["--row-numbers"], ["1", "3"], id="numbers asked for"),
    ],
)
def test_names_of_rows(tmp_path, options, named):
    rows = [{"key": key, "text": row["text"]} for key, row in zip("xyx", ROWS, strict=True)]
    dedup([str(write(tmp_path / "in.jsonl", rows)), *options, "--out", str(tmp_path / "k.parquet")])
    assert pl.read_parquet(tmp_path / "k.parquet")["id"].to_list() == named


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        pytest.param(None, [], "no such file", id="missing"),
        pytest.param("", [], "contains no rows", id="empty"),
        pytest.param('{"id": 1, "txt": "x"}\n', [], "--text-column); did you mean 'txt'", id="no text"),
        pytest.param('{"id": 1, "text": "x"}\n', ["--id-column", "idx"], "did you mean 'id'", id="no id"),
        pytest.param("{broken\n", [], "no row can be used; first problem: row 1", id="no JSON"),
    ],
)
def test_user_errors_are_one_line(tmp_path, capsys, content, options, said):
    source = tmp_path / "in.jsonl"
    if content is not None:
        source.write_text(content)
    refused(dedup, source, *options, "--out", tmp_path / "k.parquet")
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "Traceback" not in error
    assert not list(tmp_path.glob("k*"))


def test_an_unknown_output_format_is_refused(tmp_path, capsys):
    refused(dedup, write(tmp_path / "in.jsonl", ROWS), "--out", tmp_path / "kept.xlsx")
    assert "must end in one of .parquet" in capsys.readouterr().err


def test_benchmark_folder_with_foreign_files(tmp_path, capsys):
    source = write(tmp_path / "in.jsonl", ROWS)
    folder = tmp_path / "eval"
    write(folder / "data" / "test-00000-of-00001.jsonl", [{"Problem_Text": PENS}])
    write(folder / "dataset_infos.json", [{"default": {"features": {}}}])
    write(folder / ".hidden.jsonl", [{"text": SUM}])
    (folder / "README.md").write_text("# Benchmarks\n")
    options = ["--benchmarks", str(folder), "--out", str(tmp_path / "k.jsonl")]
    refused(decontaminate, source, *options)
    assert "no benchmark file" in capsys.readouterr().err
    decontaminate([str(source), *options, "--benchmark-column", "Problem_Text"])
    removed = [json.loads(line) for line in (tmp_path / "k.removed.jsonl").open()]
    assert [(row["id"], row["matched"]) for row in removed] == [
        ("a", "data/test-00000-of-00001:1"),
        ("b", "data/test-00000-of-00001:1"),
    ]
    shown = capsys.readouterr().err
    assert "skipped" in shown and "dataset_infos.json" in shown and ".hidden" not in shown


@pytest.mark.parametrize(
    ("text", "kept", "bad"),
    [
        pytest.param('id,text\na,"open\nb,Find y\nc,Find z\n', ["b", "c"], ["row:1"], id="open to the end"),
        pytest.param('id,text\na,"open\nb,"Find y"\nc,Find z\n', ["b", "c"], ["row:1"], id="open to a quote"),
        pytest.param('id,text\na,"two\nlines"\nb,Find y\n', ["a", "b"], [], id="a field of two lines"),
        pytest.param('id,text\na,a 5" pipe\nb,Find y\n', ["a", "b"], [], id="inches"),
        pytest.param('id,text\na,"say ""x"" now"\nb,Find y\n', ["a", "b"], [], id="doubled"),
        pytest.param('id,text\na,Find x\nb,"open', ["a"], ["row:2"], id="open in the last row"),
    ],
)
def test_quotes_in_csv(tmp_path, text, kept, bad):
    (tmp_path / "in.csv").write_text(text)
    dedup([str(tmp_path / "in.csv"), "--out", str(tmp_path / "k.parquet")])
    assert pl.read_parquet(tmp_path / "k.parquet")["id"].to_list() == kept
    assert pl.read_parquet(tmp_path / "k.removed.parquet")["id"].to_list() == bad


@pytest.mark.parametrize(("name", "option"), [("in.tsv", []), ("in.csv", ["--delimiter", ";"])])
def test_delimiters(tmp_path, name, option):
    mark = option[1] if option else "\t"
    (tmp_path / name).write_text(f"id{mark}text\na{mark}Find x, y\nb{mark}Find z\n")
    dedup([str(tmp_path / name), *option, "--out", str(tmp_path / "k.parquet")])
    assert pl.read_parquet(tmp_path / "k.parquet")["id"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("cell", "counted"),
    [
        ("=HYPERLINK(1)", True),
        ("+1+cmd|' /C calc'!A0", True),
        ("-x+1", True),
        ("@SUM(A1)", True),
        ("\t=1", True),
        ("\r=1", True),
        ("- 5", True),
        ("-5", False),
        ("+3.5e2", False),
        ("x=1", False),
        ("'=1", False),
        (" text", False),
        ("", False),
    ],
)
def test_formulas_in_a_table_are_said_and_left_as_they_are(tmp_path, capsys, cell, counted):
    source = write(tmp_path / "in.jsonl", [{"id": "a", "text": PENS, "note": cell}])
    for name in ("k.csv", "k.tsv", "k.jsonl"):
        dedup([str(source), "--rows", "--out", str(tmp_path / name)])
        said = capsys.readouterr().err
        assert ("1 cells as formulas" in said) is (counted and name != "k.jsonl"), (name, said)
    with (tmp_path / "k.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["note"] == cell
