"""init writes a configuration that loads, and prints a command that can be pasted."""

import json
import shlex
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.config import load_config


@pytest.mark.parametrize("has_solutions", [True, False])
def test_a_configuration_for_ones_own_problems(
    has_solutions: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "Ä b" / "my 'ü' problems.jsonl"
    data.parent.mkdir()
    row = {"problem": "What is 2 plus 3?", "answer": "5"} | ({"solution": "2+3=5"} if has_solutions else {})
    data.write_text(json.dumps(row) + "\n")
    command = ["init", str(data.parent), "--data", str(data)]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    words = shlex.split(said.removeprefix("next: "))
    assert words[1:] == ["run", "--config", str(data.parent / "config.toml")]
    config = load_config(Path(words[-1]))
    names = [source.name for source in config.curation.sources]
    assert names == (["mine"] if has_solutions else ["mine", "addition"])
    assert config.curation.sources[0].file == str(data) and config.name == "my--ü--problems"
    assert config.curation.sources[0].solution == ("solution" if has_solutions else None)
    # What somebody may have edited since is not written over.
    assert main(command) == 2 and "already exists" in capsys.readouterr().err


def test_fields_of_other_names_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, folder = tmp_path / "mine.csv", tmp_path / "run"
    data.write_text("question,final,how\nWhat is 2 plus 3?,5,2+3=5\n")
    command = ["init", str(folder), "--data", str(data)]
    assert main(command) == 2 and "fields of row 1: question, final, how" in capsys.readouterr().err
    assert main([*command, "--problem", "question", "--answer", "final", "--solution", "how"]) == 0
    source, *others = load_config(folder / "config.toml").curation.sources
    assert (source.problem, source.answer, source.solution) == (("question",), "final", "how")
    assert others == []
