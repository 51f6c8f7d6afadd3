"""What may not be published: sources without a license, forbidden ones, and leaks."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipelines.artifacts.workspace import Workspace
from pipelines.cli.main import main
from pipelines.publishing.clearance import check_licenses
from pipelines.publishing.publish import publish


def test_source_without_license_is_refused_until_forced(
    unlicensed_run: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["publish", str(unlicensed_run.folder), "dataset", "--repo", "me/sums", "--dry-run"]
    assert main(arguments) == 2
    refused = capsys.readouterr().err
    n_mine = unlicensed_run.linked("rewards").read("prompts.parquet")["source"].to_list().count("mine")
    assert f"no license is stated for mine ({n_mine} rows)" in refused
    assert "--force-license mine" in refused and "addition" not in refused
    assert main([*arguments, "--force-license", "min"]) == 2
    assert "min: no such source; the prompt set has addition, mine" in capsys.readouterr().err
    assert main([*arguments, "--force-license", "mine"]) == 0
    assert "none stated" not in capsys.readouterr().err


def test_forbidding_license_is_refused_even_when_forced(licensed_run: Workspace) -> None:
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    for license in ("CC BY-NC-ND 4.0", "All rights reserved", "research only, no redistribution"):
        mine = pl.when(source="mine").then(pl.lit(license)).otherwise("license").alias("license")
        with pytest.raises(ValueError, match=f"the license of mine .* forbids it: '{license}'"):
            check_licenses(prompts.with_columns(mine), {"mine"})
    check_licenses(prompts, set())


def test_a_leak_that_remains_is_found_and_refused(tmp_path: Path, licensed_run: Workspace) -> None:
    """The benchmarks are checked again; one that curation did not know is enough."""
    shutil.copytree(licensed_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    prompts = licensed_run.linked("rewards").read("prompts.parquet")
    leaked = prompts.filter(source="mine").row(3, named=True)
    late = tmp_path / "late.jsonl"
    late.write_text(json.dumps({"problem": leaked["problem"].upper(), "id": "q7"}))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"protect_files": [str(late)]}))
    with pytest.raises(
        ValueError, match=f"1 of {prompts.height} problems .*{leaked['problem_id']} repeats late:q7"
    ):
        publish(run, "dataset", "me/sums", is_dry_run=True)
