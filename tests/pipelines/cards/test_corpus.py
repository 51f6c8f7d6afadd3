"""A curate artifact as a data set: readable with datasets and polars, described by valid metadata."""

import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.artifacts.artifact import check
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.corpus import describe, gold_errors, plot
from pipelines.config import ConfigError, load_config
from pipelines.stages.chain import Chain
from pipelines.stages.curate import curate_stage
from rewards.contracts.files import hash_file
from rewards.contracts.records import PROBLEM

CONFIG = """
name = "small"
protect_files = ["bench"]
[curation]
shard_rows = 60
[curation.mix]
validation_share = 0.1
[[curation.sources]]
name = "addition"
license = "Apache-2.0"
generator = { family = "addition", digits = 2, n_problems = 150, seed = 0 }
[[curation.sources]]
name = "mine"
file = "mine.jsonl"
[training]
n_steps = 1
[evals]
benchmarks = []
[training.model]
path = "none"
"""
PENS = "A box holds 12 red and 15 blue pens. How many pens are in 4 boxes?"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "run.toml").write_text(CONFIG)
    rows = [{"problem": PENS, "answer": "108"}, {"problem": "What is 3/4 of 96, plus 11?", "answer": "83"}]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "pens.jsonl").write_text(json.dumps({"id": "7", "question": PENS}) + "\n")
    config = load_config(tmp_path / "run.toml", {"data_root": str(tmp_path)})
    return Workspace.open(config, tmp_path / "runs")


def test_the_artifact_is_a_data_set(workspace, tmp_path, monkeypatch):
    artifact = Chain(workspace).curated
    assert check(artifact.folder) == []
    names = sorted(path.name for path in (artifact.folder / "data").iterdir())
    assert names[:3] == [f"train-{number:05d}-of-00003.parquet" for number in range(3)]
    assert names[3:] == ["validation-00000-of-00001.parquet"]
    scanned = pl.scan_parquet(artifact.folder / "data" / "*.parquet").collect()
    assert scanned.height == 151 and scanned.schema == PROBLEM.polars
    leak = artifact.read("rejects.parquet").filter(pl.col("step") == "decontaminate")
    assert leak.select("source", "matched").rows() == [("mine", "pens:7")]

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    from datasets import load_dataset

    loaded = load_dataset(str(artifact.folder), cache_dir=str(tmp_path / "cache"))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 136, "validation": 15}
    assert loaded["train"]["problem"][0] == scanned["problem"][0]


def test_metadata_is_valid_croissant_and_statistics_add_up(workspace):
    import mlcroissant

    artifact = Chain(workspace).curated
    described = mlcroissant.Dataset(artifact.folder / "croissant.json")
    assert not described.metadata.issues.errors
    hashes = {one.name: one.sha256 for one in described.metadata.distribution}
    assert hashes == {f"data/{path.name}": hash_file(path) for path in (artifact.folder / "data").iterdir()}
    (first, *_) = described.records("shard-0")
    assert set(first) == {f"shard-0/{name}" for name in PROBLEM.names}
    statistics = json.loads((artifact.folder / "statistics.json").read_text())
    for title in ("answer types", "lengths", "levels", "subjects", "languages", "splits"):
        assert sum(row["problems"] for row in statistics[title]) == 151, title
    assert sum(row["read"] for row in statistics["sources"]) == statistics["funnel"][0]["read"] == 152
    card = (artifact.folder / "README.md").read_text()
    assert card.startswith("---\n") and "pens" in card and "| mine |" in card


def test_equal_corpora_are_described_by_equal_bytes(workspace, tmp_path):
    artifact = Chain(workspace).curated
    names = ["README.md", "croissant.json", "statistics.json", "plots/funnel.png", "plots/sources.png"]
    before = [hash_file(artifact.folder / name) for name in names]
    fingerprint = artifact.manifest["inputs"]["benchmark:pens"][:16]
    checked = pl.DataFrame({"benchmark": ["pens"], "fingerprint": [fingerprint]})
    describe(artifact.folder, artifact.manifest["facts"], checked)
    assert [hash_file(artifact.folder / name) for name in names] == before


def test_runs_of_other_names_share_one_corpus(workspace):
    artifact = curate_stage(workspace)
    config = workspace.config.model_copy(update={"name": "renamed-run"})
    other = curate_stage(Workspace.open(config, workspace.root))
    assert other.folder == artifact.folder and other.content == artifact.content
    for file in ("README.md", "croissant.json", "statistics.json"):
        text = (artifact.folder / file).read_text()
        assert "renamed-run" not in text and '"small"' not in text and "# small" not in text


def test_a_missing_file_to_protect_is_named(workspace):
    config = workspace.config.model_copy(update={"protect_files": ("gone",)})
    with pytest.raises(ConfigError, match="protect_files: .*gone: no such file or folder"):
        Chain(Workspace(config, workspace.root)).curated  # noqa: B018 - a property that works


@pytest.mark.parametrize(
    "label",
    [
        r"Sums $\frac{1}$ and $\mathbb{N}_$",
        "$",
        "50% of $10 and $20",
        "\\",
        "a\nb\tc\x07",
        "数学 é",
        "^_{}~#&",
        "plain",
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_plot_takes_any_text(label: str, tmp_path: Path) -> None:
    counts = pl.DataFrame({"label": [label, "other"], "problems": [3, 2]})
    funnel = pl.DataFrame({"step": ["read"], "read": [5], "kept": [5], "dropped": [0]})
    sources = pl.DataFrame({"source": [label], "license": ["MIT"], "read": [5], "kept": [5]})
    distributions = dict.fromkeys(("answer types", "lengths", "levels", "subjects", "languages"), counts)
    plot({"funnel": funnel, "sources": sources, **distributions}, tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 7


def test_wrong_golds_are_estimated_where_there_is_evidence(tmp_path):
    assert gold_errors(tmp_path).height == 0, "a corpus of an older version has no estimate"
    votes = {"source": ["few", "good", "bad"], "n_evidence": [29, 30, 400], "n_suspect": [9, 0, 20]}
    shares = {"rate": [0.31, 0.0, 0.05], "ci95_low": [0.17, 0.0, 0.033], "ci95_high": [0.49, 0.1135, 0.076]}
    pl.DataFrame(votes | shares).write_parquet(tmp_path / "gold_errors.parquet")
    shown = gold_errors(tmp_path)
    assert shown["source"].to_list() == ["bad", "good"]
    assert shown.row(0, named=True)["ci95_low"] == 0.033
