"""doctor --model and plan: the check of a base model on the command line."""

import pytest

from bench.parts.families import make_family
from pipelines.cli.main import main


@pytest.mark.parametrize(
    "family, status, said",
    [
        ("falcon", 0, "padded rows with the model's own attention"),
        ("llama-dynamic", 1, "refused before training"),
    ],
)
def test_doctor_checks_a_model(family, status, said, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("REASONER_ZERO_CHECKS", str(tmp_path / "checks"))
    folder = make_family(family, tmp_path / "model")
    assert main(["doctor", "--model", str(folder), "--runs", str(tmp_path)]) == status
    shown = " ".join(capsys.readouterr().out.split())
    assert said in shown and "10,048 tokens" in shown


def test_doctor_names_a_folder_without_a_model(tmp_path, capsys):
    assert main(["doctor", "--model", str(tmp_path), "--runs", str(tmp_path)]) != 0
    assert "no config.json" in "".join(capsys.readouterr())
