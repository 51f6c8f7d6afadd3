"""train says before curation what a model made from scratch lacks."""

from pathlib import Path

from tests.pipelines.conftest import Cli


def test_missing_worked_solutions_are_said_before_anything_is_made(
    cli: Cli, config_file: Path, tmp_path: Path
) -> None:
    text = config_file.read_text()
    start = text.index('[[curation.sources]]\nname = "addition"')
    config_file.write_text(text[:start] + text[text.index('[[curation.sources]]\nname = "mine"') :])
    done = cli("train", "--config", str(config_file), "--runs", str(tmp_path / "runs"))
    assert done.returncode != 0 and "no row has a worked solution" in done.stderr
    assert "training.model.path" in done.stderr
    assert not list((tmp_path / "runs").rglob("manifest.json"))
