"""Bad input and broken runs: bad rows are named and skipped, and a later run shows no trace of a kill."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from curation.config import CurationConfig
from curation.curate import curate
from curation.dedup.__main__ import main as dedup_command
from rewards.contracts.files import hash_file

ROOT = Path(__file__).parents[2]
GOOD = [{"id": f"g{i}", "problem": f"A box holds {i + 3} red pens. How many pens are in {i + 20} boxes?",
         "answer": str((i + 3) * (i + 20))} for i in range(20)]  # fmt: skip
NOTHING = pl.DataFrame(schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()})
LEAK = "What is 3/4 + 1/2?"
PROTECTED = pl.DataFrame({"benchmark": ["b"], "question_id": ["1"], "problem": [LEAK]})


def as_lines(rows) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def run(folder: Path, content: dict[str, bytes], **source) -> dict[str, list[tuple[str, str]]]:
    for name, data in content.items():
        (folder / name).write_bytes(data)
    sources = [{"name": name.partition(".")[0], "file": name, "id": "id", **source} for name in content]
    config = CurationConfig.model_validate({"sources": sources})
    result = curate(config, data_root=folder, protected=NOTHING, folder=folder / "out")
    n_rows = result.problems.height + result.rejects.height
    assert n_rows == result.funnel["read"][0]
    return {
        "kept": result.problems["source_id"].to_list(),
        "rejects": result.rejects.select("step", "reason").rows(),
    }


def test_every_kind_of_bad_row_in_one_corpus(tmp_path):
    huge = {"id": "huge", "problem": "What is 1" + " + 1" * 12_500_000 + "?", "answer": "1"}
    cut = gzip.compress(as_lines(GOOD[10:14] * 2000), compresslevel=1)
    found = run(
        tmp_path,
        {
            "bytes.jsonl": as_lines([GOOD[0], b'{"id": "x", "problem": "\xff", "answer": "1"}\n']),
            "types.jsonl": as_lines([GOOD[1], {"id": "t", "problem": ["a", "b"], "answer": {"x": 1}}]),
            "huge.jsonl": as_lines([GOOD[2], huge]),
            "twice.jsonl": as_lines([GOOD[3], GOOD[3]]),
            "unknown.jsonl": as_lines([{**GOOD[4], "color": "red"}]),
            "cut.jsonl.gz": cut[: len(cut) // 2],
        },
    )
    assert found["kept"][:5] == ["g0", "g1", "g2", "g3", "g4"]
    reasons = set(found["rejects"])
    assert {
        ("read", "invalid_utf8"),
        ("read", "wrong_type"),
        ("read", "oversized_text"),
        ("normalize", "repeated_row"),
        ("read", "truncated_file"),
    } <= reasons


_CURATE = f"""
import sys, polars as pl
from pathlib import Path
from curation.config import CurationConfig
from curation.curate import curate
root, out = map(Path, sys.argv[1:])
config = CurationConfig.model_validate_json((root / "config.json").read_text())
protected = pl.DataFrame({{"benchmark": ["b"], "question_id": ["1"], "problem": [{LEAK!r}]}})
curate(config, data_root=root, protected=protected, folder=out)
"""


def start(folder: Path, out: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", _CURATE, str(folder), str(out)], env=environment)


@pytest.mark.slow
def test_killed_in_every_step_then_run_again_to_the_same_bytes(tmp_path):
    source = {"name": "sums", "generator": {"family": "word_problem", "n_problems": 400}}
    execution = {"rows_per_part": 40, "rows_per_partition": 40}
    config = CurationConfig.model_validate({"sources": [source], "execution": execution})
    (tmp_path / "config.json").write_text(config.model_dump_json())
    curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "whole")
    for step in ("read", "frequencies", "kept", "rejects", "data"):
        process = start(tmp_path, tmp_path / "killed")
        pattern = "data/*.parquet" if step == "data" else f".work-*/{step}/*.parquet"
        while process.poll() is None and not list((tmp_path / "killed").glob(pattern)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"step {step} was over before it could be killed"
    curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "killed")
    whole, killed = (
        {str(path.relative_to(folder)): hash_file(path) for path in folder.rglob("*.parquet")}
        for folder in (tmp_path / "whole", tmp_path / "killed")
    )
    assert whole == killed and not list((tmp_path / "killed").glob(".work-*"))


def test_full_disk_is_named_and_leaves_no_half_file(tmp_path):
    """A limit on file sizes simulates a full disk: its error is reported; no half-written file is left."""
    (tmp_path / "mine.jsonl").write_bytes(as_lines(GOOD * 200))
    config = CurationConfig.model_validate({"sources": [{"name": "mine", "file": "mine.jsonl"}]})
    (tmp_path / "config.json").write_text(config.model_dump_json())
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n" + _CURATE
    done = subprocess.run(
        [sys.executable, "-c", limited, str(tmp_path), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and "File too large" in done.stderr
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_command_sets_bad_rows_aside(tmp_path, capsys):
    rows = [{"id": f"r{i}", "text": row["problem"]} for i, row in enumerate(GOOD[:6])]
    rows += [
        rows[0],
        {"text": "no id"},
        {"id": "r9"},
        b"{broken\n",
        {"id": "r10", "text": rows[1]["text"].upper()},
    ]
    (tmp_path / "in.jsonl").write_bytes(as_lines(rows))
    dedup_command([str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "kept.parquet")])
    assert pl.read_parquet(tmp_path / "kept.parquet")["id"].to_list() == [f"r{i}" for i in range(6)]
    removed = pl.read_parquet(tmp_path / "kept.removed.parquet").select("id", "reason").rows()
    assert removed == [
        ("r10", "duplicate"),
        ("r0", "repeated_id"),
        ("row:8", "missing_field"),
        ("r9", "missing_field"),
        ("row:10", "invalid_json"),
    ]
    shown = capsys.readouterr()
    assert "read=11 kept=6 removed=1 bad=4" in shown.out and "rejected 4 bad ones" in shown.err
