"""The command line: useful help, errors in one clear message, and the commands that need no model."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.main import build_parser, main
from tests.pipelines.conftest import ROOT, Cli

NAMES = ("run", "curate", "rewards", "train", "eval", "compare", "report", "publish", "verify", "audit")
NAMES += (
    "lineage",
    "plan",
    "up",
    "down",
    "doctor",
    "difficulty",
    "simulate",
    "init",
    "view",
    "score",
    "claims",
)


def shown_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 0
    return capsys.readouterr().out


def test_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown_by(capsys, "--help")
    listed = dict(re.findall(r"^    (\w+)\s+(\S.*)$", text, re.MULTILINE))
    assert set(NAMES) == set(listed)
    assert all(len(meaning) > 20 for meaning in listed.values())
    assert "reasoner-zero run --config configs/demo.toml" in text


@pytest.mark.parametrize("name", NAMES)
def test_help_of_each_command(capsys: pytest.CaptureFixture[str], name: str) -> None:
    text = shown_by(capsys, name, "--help")
    assert text.startswith(f"usage: reasoner-zero {name}")
    # Every argument says what it is for.
    parser = build_parser()._subparsers._group_actions[0].choices[name]  # type: ignore[union-attr, index]
    assert all(action.help for action in parser._actions)


def test_help_of_the_configuration_explains_fields(
    capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    text = shown_by(capsys, "run", "--config", str(config_file), "--help-config")
    assert "--training.ppo.gae-lambda" in text
    words = " ".join(re.sub(r"[│║]", " ", text).split())
    assert "With gamma = lambda = 1, the advantage is return minus value" in words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["run", "--config", "absent.toml"], "absent.toml: no such file", id="no file"),
        pytest.param(
            ["curate", "--config", "CONFIG", "--data-root", "nowhere"], "no such file", id="no data"
        ),
        pytest.param(["publish", "nowhere", "dataset", "--repo", "a/b"], "not a run; make one", id="no run"),
        pytest.param(["publish", "nowhere", "dataset", "--repo", "ab"], "OWNER/NAME", id="repository"),
        pytest.param(["audit", "nowhere"], "nowhere", id="audit"),
        pytest.param(["compare", "nowhere", "here"], "give an evaluate artifact", id="compare"),
        pytest.param(["plan", "--config", "absent.toml"], "absent.toml: no such file", id="plan"),
        pytest.param(["verify", "5"], "--gold", id="verify without gold"),
        pytest.param(["verify", "--file", "absent.jsonl"], "absent.jsonl", id="verify file"),
    ],
)
def test_error_is_one_message_and_status_2(
    tmp_path: Path,
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").unlink()
    status = main([str(config_file) if word == "CONFIG" else word for word in arguments])
    shown = capsys.readouterr()
    assert status == 2
    assert shown.err.startswith("reasoner-zero: ") and said in shown.err
    assert len(shown.err.strip().splitlines()) == 1 and "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param([], "COMMAND", id="no command"),
        pytest.param(["trian"], "'trian'", id="unknown command"),
        pytest.param(["run"], "--config", id="no config"),
        pytest.param(["verify", "5", "--golf", "5"], "--golf", id="unknown option"),
        pytest.param(["publish", "runs/demo", "models", "--repo", "a/b"], "'models'", id="choice"),
    ],
)
def test_usage_error_names_the_word(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_config_error_through_a_real_process(cli: Cli, config_file: Path) -> None:
    config_file.write_text(config_file.read_text().replace("n_steps", "n_step"))
    done = cli("run", "--config", str(config_file), cwd=config_file.parent)
    assert done.returncode == 2
    expected = f"{config_file}: training.n_step: unknown key; did you mean 'n_steps'?"
    assert done.stderr == f"reasoner-zero: {expected}\n" and done.stdout == ""
    assert not (config_file.parent / "runs").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(
            ["--training.ppo.gae-lambda", "1.5"],
            "training.ppo.gae_lambda: Input should be less than or equal to 1, got '1.5'",
            id="range",
        ),
        pytest.param(
            ["--training.n-step=3"], "training.n_step: unknown key; did you mean 'n_steps'?", id="unknown"
        ),
        pytest.param(
            ["--training.n-steps", "many"], "training.n_steps: Input should be a valid int", id="type"
        ),
        pytest.param(
            ["--training.rollout.engine", "x"], "Input should be 'vllm' or 'torch', got 'x'", id="one of"
        ),
        pytest.param(["--curation.sources.9.name", "x"], "curation.sources.9.name: no entry '9'", id="index"),
    ],
)
def test_wrong_override_is_one_line(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert main(["curate", "--config", str(config_file), "--runs", str(tmp_path / "runs"), *given]) == 2
    shown = capsys.readouterr().err
    assert said in shown and len(shown.splitlines()) == 1


def test_override_without_a_value_is_explained(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["curate", "--config", str(config_file), "--runs", str(tmp_path / "runs")]
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--training.n-steps"])
    assert exit_.value.code == 2
    assert "'--training.n-steps'" in capsys.readouterr().err


def test_curate_twice_from_the_command_line(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arguments = ["rewards", "--config", str(config_file), "--name", "again"]
    arguments += ["--runs", str(tmp_path / "runs"), "--curation.sources.0.n-rows", "50"]
    shown = []
    for _ in range(2):
        assert main(arguments) == 0
        shown.append((capsys.readouterr().out, "made fingerprint=" in caplog.text))
        caplog.clear()
    assert shown[0][0] == shown[1][0]
    assert [is_made for _, is_made in shown] == [True, False]
    folder = tmp_path / "runs" / "again"
    config = json.loads((folder / "config.json").read_text())
    assert config["name"] == "again" and config["curation"]["sources"][0]["n_rows"] == 50
    assert (folder / "rewards" / "prompts.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        pytest.param(["\\boxed{0.5}", "--gold", "1/2"], 0, "reason    correct", id="right"),
        pytest.param(["0.5", "--gold", "1/2"], 0, "reward    1.0", id="bare answer"),
        pytest.param(["\\boxed{0.6}", "--gold", "1/2"], 1, "reason    wrong", id="wrong"),
        pytest.param(["\\boxed{0.5}", "--gold", "1/2", "--mode", "orz"], 1, "reward    0.0", id="no tags"),
        pytest.param(
            ["x</think><answer>\\boxed{0.5}</answer>", "--gold", "1/2", "--mode", "orz"],
            0,
            "extracted 0.5",
            id="tags",
        ),
    ],
)
def test_verify_one_pair(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, shown: str
) -> None:
    assert main(["verify", *arguments]) == status
    assert shown in capsys.readouterr().out


def test_report_without_its_options_gets_as_far_as_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config_file: Path
) -> None:
    """No option's own default is refused; a month that is none is."""
    arguments = ["report", "--config", str(config_file), "--runs", str(tmp_path / "runs")]
    assert main(arguments) == 2
    assert "not made yet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--cutoff", "2024-13"])
    assert "'2024-13' is no month; write it as 2024-09" in capsys.readouterr().err


def test_verify_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("4", "\\boxed{4}"), ("4", "\\boxed{5}"), ("4", "no idea")]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps({"gold": g, "response": r}) + "\n" for g, r in rows))
    assert main(["verify", "--file", str(path)]) == 0
    *verdicts, counts = map(json.loads, capsys.readouterr().out.splitlines())
    assert [verdict["reward"] for verdict in verdicts] == [1.0, 0.0, 0.0]
    assert counts == {"rows": 3, "reasons": {"correct": 1, "no_answer": 1, "wrong": 1}}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(
            '{"gold": "4", "response": 4}', "row 2: field 'response' must be text, got 4", id="type"
        ),
        pytest.param('{"gold": "4", "reply": "4"}', "the row has gold, reply", id="missing"),
        pytest.param('{"response": "4"}', "row 2: field 'gold' must be text, got None", id="no gold"),
        pytest.param('{"gold": "4", ', "row 2: not JSON", id="torn"),
        pytest.param('["4", "4"]', "row 2: expected an object", id="list"),
        pytest.param("", "row 2: not JSON", id="empty line"),
    ],
)
def test_bad_row_is_named_by_file_row_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, said: str
) -> None:
    path = tmp_path / "pairs.jsonl"
    good = '{"gold": "4", "response": "4"}'
    path.write_text(f"{good}\n{bad}\n{good}\n")
    assert main(["verify", "--file", str(path)]) == 2
    shown = capsys.readouterr()
    assert str(path) in shown.err and said in shown.err and shown.out == ""


def test_doctor_looks_at_everything(cli: Cli, tmp_path: Path) -> None:
    token = "hf_plantedTokenThatMustNotLeak"
    done = cli("doctor", "--runs", str(tmp_path), HF_TOKEN=token, PREFECT_API_URL="")
    assert done.returncode in (0, 1), done.stderr
    for what in ("python", "GPU", "C++ compiler", "memory", "results", "temporary files", "Prefect", "hub"):
        assert what in done.stdout
    assert token not in done.stdout + done.stderr


def test_doctor_names_a_server_that_does_not_answer(cli: Cli) -> None:
    done = cli("doctor", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    assert "does not answer" in " ".join(done.stdout.split()) and "problem" in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("orz_*.toml")), ids=lambda path: path.stem)
def test_plan_of_the_papers_sizes(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    billions = float(path.stem.removeprefix("orz_").removesuffix("b").replace("p", "."))
    status = main(["plan", "--config", str(path), "--gpus", "64", "--gpu-memory-gib", "1000"])
    text = capsys.readouterr().out
    assert status == 0 and "fits in 1000 GiB" in text
    found = re.search(r"([\d.]+) billion parameters", text)
    assert found and float(found[1]) == pytest.approx(billions, rel=0.1)
    assert main(["plan", "--config", str(path), "--gpus", "1", "--gpu-memory-gib", "1"]) == 1
    assert "does NOT fit" in capsys.readouterr().out


def test_module_and_script_are_the_same_program(cli: Cli) -> None:
    script = [sys.executable, "-c", "from pipelines.cli.main import main; raise SystemExit(main())", "--help"]
    env = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(script, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == cli("--help").stdout
