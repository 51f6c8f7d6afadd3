"""The command `simulate`: a table, a verdict, plots."""

import pytest

from pipelines.cli.main import main
from pipelines.cli.simulate import lengths_of
from pipelines.config import load_config
from tests.test_arrows import ROOT
from training.planning.simulator.machine import TRAINING_TFLOPS

ORZ = ROOT / "configs" / "orz_0p5b.toml"


def test_a_run_is_simulated_printed_and_drawn(tmp_path, capsys):
    arguments = ["simulate", "--config", str(ORZ), "--gpus", "8", "--plots", str(tmp_path)]
    assert main(arguments) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "1,000 steps:" in printed and "GPU hours" in printed and "GPUs wait" in printed
    for name in ("phases.png", "sensitivity.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert 5_000 < (tmp_path / name).stat().st_size < 100_000


def test_the_rate_assumed_is_the_measured_one(capsys):
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert f"measured on an H200 (default: {TRAINING_TFLOPS:g})" in printed


@pytest.mark.parametrize("command", ["plan", "simulate"])
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--agreeing", "1.5", "'1.5' is not a number from 0 to 1"),
        ("--agreeing", "nan", "'nan' is not a number from 0 to 1"),
        ("--gpus", "0", "'0' is not a whole number of at least 1"),
        ("--gpus", "2.5", "'2.5' is not a whole number of at least 1"),
        ("--gpu-tflops", "0", "'0' is not a number above 0"),
        ("--link-gbs", "inf", "'inf' is not a number above 0"),
        ("--prompt-tokens", "0", "'0' is not a number of at least 1"),
        ("--last-tokens", "-3", "'-3' is not a number of at least 1"),
        ("--gpu-hour-cost", "-1", "'-1' is not a number of at least 0"),
    ],
)
def test_numbers_that_no_machine_has_are_refused(command, option, value, said, capsys):
    with pytest.raises(SystemExit):
        main([command, "--config", str(ORZ), option, value])
    assert f"argument {option}: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--agreeing", "1"], ["--agreeing", "0"], ["--gpu-hour-cost", "0"]])
def test_numbers_at_the_ends_of_their_range_are_not(given, capsys):
    assert main(["simulate", "--config", str(ORZ), "--gpus", "8", *given]) == 0


def test_a_plan_is_compared_with_a_run_that_is_there(tmp_path, capsys):
    assert main(["plan", "--config", str(ORZ), "--against", str(tmp_path)]) == 2
    assert f"--against {tmp_path}: no training is there" in capsys.readouterr().err


def test_a_cluster_that_cannot_hold_the_layout_is_refused(capsys):
    assert main(["simulate", "--config", str(ROOT / "configs" / "orz_32b.toml"), "--gpus", "6"]) == 2
    assert "6 GPUs cannot be split into engines of 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param((None, None), (700, 2200), id="paper"),
        pytest.param((100.0, None), (100, 2200), id="another start"),
        pytest.param((100.0, 300.0), (100, 300), id="both given"),
    ],
)
def test_lengths_are_the_papers_unless_given(given, expected):
    training = load_config(ROOT / "configs" / "orz_7b.toml").training
    lengths = lengths_of(training, *given)
    assert (lengths.mean(0), lengths.mean(1000)) == expected
