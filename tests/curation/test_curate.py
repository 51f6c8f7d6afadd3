"""The whole stage: every row accounted for, equal frames with any number of threads, splits, tracing."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from curation.config import AuditConfig, CurationConfig
from curation.curate import STEPS, NothingLeft, curate
from curation.mix import MixConfig, assign_split, over_cap
from curation.sources.readers import SourceError
from curation.trace import trace
from rewards.contracts.files import hash_file
from rewards.contracts.records import PROBLEM, REJECT

LEAK = "Ruth folds 36 paper cranes in 4 hours. At that pace, how many cranes does she fold in 7 hours?"
PENS = "A box holds 12 red and 15 blue pens. How many pens are in 4 boxes?"
TANK = "A tank loses 3 litres an hour. After 8 hours 21 are left. How many were in it?"
ROWS = [
    {"id": "a", "problem": PENS, "answer": "108"},
    {"id": "b", "problem": PENS.lower().replace(". ", ".  "), "answer": "108"},
    {"id": "c", "problem": "Prove that the square root of 2 is irrational.", "answer": "proof"},
    {"id": "d", "problem": f"3. {LEAK}", "answer": "63"},
    {"id": "e", "problem": "What is 3/4 of 96, plus 11?", "answer": "83"},
    {"id": "f", "problem": "What is 3/4 of 96, plus 11?", "answer": "84"},
    {"id": "g", "problem": "", "answer": "1"},
    {"id": "h", "problem": TANK, "answer": "45"},
    {"id": "h", "problem": TANK, "answer": "45"},
]
PROTECTED = pl.DataFrame({"benchmark": ["cranes"], "question_id": ["4"], "problem": [LEAK]})
NOTHING = PROTECTED.clear()


@pytest.fixture
def config(tmp_path):
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return CurationConfig(
        sources=(
            {"name": "mine", "file": "mine.jsonl", "id": "id", "license": "MIT"},
            {"name": "add", "generator": {"family": "addition", "n_problems": 200}},
        ),
        mix=MixConfig(n_validation=10),
    )


def test_every_row_is_kept_or_rejected_with_its_reason(config, tmp_path):
    seen = []
    result = curate(
        config,
        data_root=tmp_path,
        protected=PROTECTED,
        folder=tmp_path / "out",
        on_progress=lambda step, n: seen.append((step, n)),
    )
    PROBLEM.check(result.problems)
    REJECT.check(result.rejects)
    assert result.problems.height + result.rejects.height == len(ROWS) + 200
    assert result.funnel["step"].to_list() == list(STEPS)
    assert (result.funnel["kept"] + result.funnel["dropped"]).equals(result.funnel["read"].rename("kept"))
    assert result.funnel["kept"][:-1].equals(result.funnel["read"][1:].rename("kept"))
    found = {
        (row["source_id"], row["step"], row["reason"], row["matched"])
        for row in result.rejects.filter(pl.col("source") == "mine").to_dicts()
    }
    assert found == {
        ("7", "read", "empty_field", None),
        ("h", "normalize", "repeated_row", None),
        ("c", "filter", "proof", None),
        ("b", "dedup", "duplicate", "mine:a"),
        ("e", "dedup", "answer_conflict", "mine:e"),
        ("f", "dedup", "answer_conflict", "mine:e"),
        ("d", "decontaminate", "equal", "cranes:4"),
    }
    assert result.problems.filter(pl.col("source") == "mine")["source_id"].to_list() == ["a", "h"]
    assert seen[:2] == [("mine", len(ROWS)), ("add", 200)]
    assert [step for step, _ in seen[2:]] == list(STEPS)


def test_generated_problems_pass_untouched(config, tmp_path):
    result = curate(
        config.model_copy(update={"sources": config.sources[1:]}),
        data_root=None,
        protected=PROTECTED,
        folder=tmp_path / "out",
    )
    assert result.problems.height == 200
    assert result.problems["problem"].str.contains(r"^\d\d\+\d\d=\?$").all()
    assert result.problems["solution"].null_count() == 0
    assert result.problems["split"].value_counts().sort("split")["count"].to_list() == [190, 10]


def test_inputs_are_fingerprints_of_what_was_read(config, tmp_path):
    first = curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out").inputs
    (tmp_path / "mine.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    second = curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out").inputs
    assert first["mine"] != second["mine"] and first["add"] == second["add"]


def test_a_duplicate_of_a_leak_goes_with_it(tmp_path):
    twin = LEAK.replace("At that pace, how", "How").replace("does she fold", "will she have folded")
    rows = [{"problem": twin, "answer": "63"}, {"problem": LEAK, "answer": "63"}, ROWS[0]]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CurationConfig(sources=({"name": "x", "file": "x.jsonl"},))
    result = curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "out")
    assert result.problems["problem"].to_list() == [ROWS[0]["problem"]]
    assert set(result.rejects["step"]) == {"dedup", "decontaminate"}


_CURATE = """
import sys, polars as pl
from pathlib import Path
from curation.config import AuditConfig, CurationConfig
from curation.curate import curate
root, out = map(Path, sys.argv[1:3])
config = CurationConfig.model_validate_json((root / "config.json").read_text())
protected = pl.DataFrame({"benchmark": ["cranes"], "question_id": ["4"], "problem": [sys.argv[3]]})
curate(config, data_root=root, protected=protected, folder=out)
"""


def files_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def test_files_do_not_depend_on_process_threads_or_parts(config, tmp_path):
    """Worker processes: test_executors.py."""
    curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "here")
    execution = {"rows_per_part": 50, "rows_per_partition": 40}
    own = CurationConfig.model_validate({**config.model_dump(), "execution": execution})
    (tmp_path / "config.json").write_text(own.model_dump_json())
    environment = {**os.environ, "POLARS_MAX_THREADS": "3", "PYTHONHASHSEED": "3"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", _CURATE, str(tmp_path), str(tmp_path / "there"), LEAK]
    subprocess.run(command, env=environment, check=True)
    here = files_of(tmp_path / "here")
    assert {"rejects.parquet", "funnel.parquet", "conflicts.parquet"} < set(here)
    assert here == files_of(tmp_path / "there")


def test_nothing_left_is_an_error(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"problem": "Prove that 1 = 1.", "answer": "trivial"}\n')
    config = CurationConfig(sources=({"name": "x", "file": "x.jsonl"},))
    with pytest.raises(
        NothingLeft, match="no problem is left; dropped: proof 1; every row with its reason: "
    ) as error:
        curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out")
    assert pl.read_parquet(error.value.rejects)["source_id"].to_list() == ["1"]


def test_no_sources_and_missing_files_are_errors(tmp_path):
    with pytest.raises(ValueError, match="name at least one source"):
        curate(CurationConfig(), data_root=None, protected=NOTHING, folder=tmp_path / "out")
    config = CurationConfig(sources=({"name": "x", "file": "gone.jsonl"},))
    with pytest.raises(SourceError, match=r"gone\.jsonl: no such file"):
        curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out")


def test_config_composes_in_toml_and_refuses_unknown_keys():
    table = tomllib.loads(
        """
        [curation]
        seed = 3
        filters.languages = "en+zh"
        [[curation.sources]]
        name = "mine"
        file = "mine.jsonl"
        [[curation.sources]]
        name = "add"
        generator = { family = "addition", digits = 2, n_problems = 500 }
        """
    )
    config = CurationConfig.model_validate(table["curation"])
    assert config.sources[1].generator.digits == 2 and config.seed == 3
    with pytest.raises(ValidationError, match="Extra inputs"):
        CurationConfig(sede=3)
    with pytest.raises(ValidationError, match="names must be unique, repeated: mine"):
        CurationConfig(sources=(config.sources[0], config.sources[0]))


def test_caps_and_split_are_drawn_by_id_not_by_position():
    problems = pl.DataFrame({"problem_id": [f"p{i}" for i in range(100)], "source": ["x", "y"] * 50})
    reasons = over_cap(problems, {"x": 10}, 40, seed=1)
    assert reasons.value_counts().sort("count")["count"].to_list() == [20, 40, 40]
    shuffled = problems.sample(fraction=1, shuffle=True, seed=5)
    again = shuffled.with_columns(reason=over_cap(shuffled, {"x": 10}, 40, seed=1))
    assert problems.with_columns(reason=reasons).sort("problem_id").equals(again.sort("problem_id"))
    assert not over_cap(problems, {"x": 10}, 40, seed=2).equals(reasons, null_equal=True)


def test_quotas_cap_thin_out_and_copy_by_any_attribute(config, tmp_path):
    quotas = (
        {"by": "subject", "value": "addition", "max_problems": 60},
        {"by": "level", "value": "2 digits", "weight": 0.5},
        {"by": "source", "value": "mine", "weight": 2.5},
    )
    mix = MixConfig.model_validate({"quotas": quotas, "n_validation": 0})
    own = config.model_copy(update={"mix": mix})
    result = curate(own, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "out")
    counts = dict(result.problems.group_by("source").len().iter_rows())
    assert counts["add"] == 30 and counts["mine"] in (4, 5, 6)
    mine = result.problems.filter(pl.col("source") == "mine")
    assert mine["problem_id"].is_unique().all() and mine["problem"].n_unique() == 2
    assert result.facts["n_copies"] == mine.height - 2
    assert result.funnel["kept"][-1] == 32
    again = curate(own, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "again")
    assert again.problems.equals(result.problems)
    with pytest.raises(ValidationError, match="sets neither max_problems nor weight"):
        MixConfig.model_validate({"quotas": [{"by": "source", "value": "x"}]})


def test_rows_of_one_template_are_in_one_split(tmp_path):
    places = ("harbor", "library", "meadow", "museum", "stadium", "temple")
    text = "At the old {} a guide counts {} chairs and {} lamps. How many things does the guide count?"
    rows = [
        {"problem": text.format(place, 100 * k + i + 5, i + 30), "answer": str(100 * k + 2 * i + 35)}
        for k, place in enumerate(places)
        for i in range(8)
    ]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CurationConfig.model_validate(
        {"sources": [{"name": "x", "file": "x.jsonl"}], "mix": {"n_validation": 20}}
    )
    problems = curate(config, data_root=tmp_path, protected=NOTHING, folder=tmp_path / "out").problems
    assert problems.height == len(rows) and (problems["split"] == "validation").sum() == 16
    assert problems.group_by("cluster").agg(pl.col("split").n_unique())["split"].to_list() == [1] * len(
        places
    )


def test_alarms_name_sources_that_vanish_or_leak(tmp_path):
    rows = [{"problem": PENS, "answer": "108"}, {"problem": TANK, "answer": "45"}]
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "leaky.jsonl").write_text(json.dumps({"problem": LEAK, "answer": "63"}) + "\n")
    sources = [{"name": name, "file": f"{name}.jsonl"} for name in ("one", "two", "leaky")]
    config = CurationConfig.model_validate({"sources": sources})
    alarms = curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "out").facts["alarms"]
    assert alarms == [
        "source two: dedup removed 2 rows (100%)",
        "source leaky: decontaminate removed 1 rows (100%)",
    ]


def test_split_cuts_no_cluster():
    problems = pl.DataFrame({"cluster": [f"c{i // 4}" for i in range(100)]})
    split = assign_split(problems, MixConfig(n_validation=21), seed=0)
    assert (split == "validation").sum() == 20
    assert (
        problems.with_columns(split=split).group_by("cluster").agg(pl.col("split").n_unique())["split"].max()
        == 1
    )
    with pytest.raises(ValueError, match="n_validation must be below the number of problems"):
        assign_split(problems, MixConfig(n_validation=100), seed=0)


def test_trace_shows_the_path_of_a_row(config, tmp_path):
    result = curate(config, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "out")
    kept, follower = trace(result.problems, result.rejects, "mine:a")
    assert (kept["state"], follower["state"], follower["source_id"]) == ("kept", "rejected", "b")
    assert trace(result.problems, result.rejects, kept["problem_id"])[0] == kept
    (leak,) = trace(result.problems, result.rejects, "paper cranes")
    assert (leak["step"], leak["matched"]) == ("decontaminate", "cranes:4")
    assert trace(result.problems, result.rejects, "no such text") == []


def test_import_is_quick_and_light():
    code = (
        "import time, sys; t = time.process_time(); import curation.curate, curation.config; "
        "heavy = {'torch', 'datasets', 'numba', 'prefect', 'vllm'} & set(sys.modules); "
        "sys.stdout.write(f'{time.process_time() - t} {heavy}')"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    seconds, heavy = run.stdout.split(" ", 1)
    assert float(seconds) < 2 and heavy == "set()"


@pytest.mark.parametrize(("is_asked", "expected"), [(True, [True, True]), (False, [None, None])])
def test_math_verify_is_asked_when_switched_on(config, tmp_path, is_asked, expected):
    asked = config.model_copy(
        update={
            "sources": config.sources[:1],
            "mix": MixConfig(n_validation=1),
            "audit": AuditConfig(math_verify=is_asked),
        }
    )
    curate(asked, data_root=tmp_path, protected=PROTECTED, folder=tmp_path / "out")
    signals = pl.read_parquet(tmp_path / "out" / "signals.parquet")
    assert signals["math_verify_reads"].to_list() == expected
