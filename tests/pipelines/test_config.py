"""Configuration: presets load, mistakes are rejected with advice, the command line overrides the file."""

import tomllib
from pathlib import Path

import pytest

from pipelines.artifacts.workspace import Workspace
from pipelines.config import ConfigError, load_config, override_from_command_line
from pipelines.stages.curate import curate_stage
from tests.pipelines.conftest import ROOT

PRESETS = sorted((ROOT / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", PRESETS, ids=[path.stem for path in PRESETS])
def test_preset_loads_and_survives_its_own_dump(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    assert config.name == tomllib.loads(path.read_text())["name"]
    workspace = Workspace.open(config, tmp_path)
    assert load_config(workspace.folder / "config.json") == config


def test_the_demo_is_a_preset() -> None:
    assert "demo" in [path.stem for path in PRESETS]


def edit(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "n_steps = 2", "n_step = 2", "training.n_step: unknown key; did you mean 'n_steps'?", id="section"
        ),
        pytest.param("[training]", "[trainin]", "trainin: unknown key; did you mean 'training'?", id="top"),
        pytest.param(
            "prompts_per_step = 4",
            "prompts_per_steps = 4",
            "training.rollout.prompts_per_steps: unknown key; did you mean 'prompts_per_step'?",
            id="nested",
        ),
        pytest.param(
            'file = "',
            'fil = "',
            "curation.sources.1.fil: unknown key; did you mean 'file'?",
            id="in a list",
        ),
        pytest.param(
            "n_samples = 2",
            "qqq = 2",
            "evals.benchmarks.0.qqq: unknown key; known: name, kind,",
            id="nothing near",
        ),
        pytest.param('name = "small"\n', "", "name: missing; add it", id="missing"),
        pytest.param("n_steps = 2", 'n_steps = "many"', "got 'many'", id="type"),
        pytest.param("n_steps = 2", "n_steps = = 2", "cannot be read", id="not TOML"),
    ],
)
def test_mistake_is_named(config_file: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(edit(config_file, old, new))
    assert said in str(error.value)
    assert str(error.value).startswith(str(config_file))


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        pytest.param({"training.ppo.critic_minibatches": 99}, "critic_minibatches must be", id="minibatches"),
        pytest.param({"training.ppo.clip_eps": 1.5}, "clip_eps", id="range"),
        pytest.param({"training.model.path": "org/model"}, "training.model", id="two models"),
        pytest.param({"evals.temperature": 0.0}, "temperature 0 gives the same response", id="greedy"),
        pytest.param({"curation.sources.1.name": "addition"}, "source names must be unique", id="names"),
        pytest.param(
            {"curation.sources.0.generator.family": "adition"}, "did you mean addition", id="family"
        ),
    ],
)
def test_cross_field_errors_come_at_load(config_file: Path, overrides: dict, rule: str) -> None:
    load_config(config_file)
    with pytest.raises(ConfigError, match=rule):
        load_config(config_file, overrides)


def test_overrides_win_over_the_file_which_wins_over_defaults(config_file: Path) -> None:
    plain = load_config(config_file)
    assert plain.training.n_steps == 2 and plain.training.ppo.gamma == 1.0
    given = load_config(config_file, {"training.n_steps": 3, "curation.sources.0.max_problems": 7})
    assert given.training.n_steps == 3 and given.curation.sources[0].max_problems == 7
    assert given.curation.sources[1] == plain.curation.sources[1]
    line = ["--training.n-steps", "5", "--training.ppo.gamma", "0.9"]
    last = override_from_command_line(given, config_file, line)
    assert last.training.n_steps == 5 and last.training.ppo.gamma == 0.9
    assert last.curation == given.curation
    assert last.model_copy(update={"training": given.training}) == given


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--training.must-fit False", {"must_fit": False}),
        ("--training.must-fit=false --training.n-steps 3", {"must_fit": False, "n_steps": 3}),
        ("--training.n-steps 3 --training.no-must-fit", {"must_fit": False, "n_steps": 3}),
        ("--training.must-fit", {"must_fit": True}),
        ("--training.must-fit True --training.sources a b", {"must_fit": True, "sources": ("a", "b")}),
        ("--training.sources True", {"sources": ("True",)}),
    ],
)
def test_switches_take_a_word_or_none(config_file: Path, line: str, said: dict) -> None:
    training = override_from_command_line(load_config(config_file), config_file, line.split()).training
    assert training.model_dump() | said == training.model_dump()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--training.ppo.adaptive-lambda 0.05 --training.ppo.advantages grpo",
            "training.ppo: ppo.adaptive_lambda needs a critic: advantages = 'grpo' has none",
        ),
        (
            "--training.rollout.lag 1 --training.rollout.resample-rounds 2 --training.rollout.max-mismatch 1 "
            "--training.ppo.max-importance-weight 2",
            "training: rollout.resample_rounds cannot be combined with rollout.lag",
        ),
        ("--training.rollout.lag 2", "training.rollout.lag: Input should be 0 or 1, got 2"),
        ("--training.must-fit perhaps", "training.must_fit: Input should be a valid boolean"),
        ("--training.no-must-fit --training.ppo.gamma 2", "training.ppo.gamma: .*less than or equal to 1"),
        (
            "--training.sources a b --training.ppo.gama 1",
            "training.ppo.gama: unknown key; did you mean 'gamma'",
        ),
    ],
)
def test_what_arguments_say_together_is_refused_in_one_line(config_file: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        override_from_command_line(load_config(config_file), config_file, line.split())
    assert str(refused.value).startswith("command line: ") and "\n" not in str(refused.value)


def test_environment_changes_nothing(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_config(config_file)
    for name in ("N_STEPS", "TRAINING__N_STEPS", "training.n_steps"):
        monkeypatch.setenv(name, "77")
    assert load_config(config_file) == plain


@pytest.mark.parametrize(
    ("key", "said"),
    [
        pytest.param("curation.sources.9.name", "no entry '9'", id="list index"),
        pytest.param("curation.sources.first.name", "no entry 'first'", id="list name"),
        pytest.param("training.n_step", "did you mean 'n_steps'", id="unknown"),
        pytest.param("training.n_steps.more", "no entry 'more'", id="below a number"),
        pytest.param("training.n_steps.much.more", "no entry 'much'", id="far below a number"),
        pytest.param("curation.sources.9", "override curation.sources.9: no entry '9'", id="list end"),
    ],
)
def test_wrong_override_is_named(config_file: Path, key: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(config_file, {key: 1})


def test_a_byte_order_mark_is_no_text(config_file: Path) -> None:
    plain = load_config(config_file)
    config_file.write_bytes(b"\xef\xbb\xbf" + config_file.read_bytes())
    assert load_config(config_file) == plain


def test_missing_file_names_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(ConfigError, match="no such file; presets here: .*configs/demo.toml"):
        load_config(tmp_path / "absent.toml")


BARE = '[[curation.sources]]\nname = "mine"\nfile = "mine.jsonl"\n'


def test_curation_needs_nothing_but_sources(tmp_path, caplog) -> None:
    (tmp_path / "bare.toml").write_text(BARE)
    row = '{"problem": "A box holds 3 pens. How many pens are in 20 boxes?", "answer": "60"}\n'
    (tmp_path / "mine.jsonl").write_text(row + row.replace("20", "21"))
    with pytest.raises(ConfigError, match="training: missing"):
        load_config(tmp_path / "bare.toml")
    given = {"data_root": str(tmp_path)}
    config = load_config(tmp_path / "bare.toml", given, needs_model=False)
    assert config.name == "bare" and config.is_bare
    made = curate_stage(Workspace.open(config, tmp_path / "runs"))
    assert made.read("funnel.parquet")["kept"].to_list()[-1] == 2
    said = [record.getMessage() for record in caplog.records if "NOT kept out" in record.getMessage()]
    assert len(said) == 1 and "evals.benchmarks = []" in said[0]


def test_benchmarks_of_ones_own_are_not_left_out_silently(tmp_path) -> None:
    (tmp_path / "own.toml").write_text('protect = ["aime2024"]\n' + BARE)
    config = load_config(tmp_path / "own.toml", {"data_root": str(tmp_path)}, needs_model=False)
    with pytest.raises(ConfigError, match="protect_files") as error:
        curate_stage(Workspace.open(config, tmp_path / "runs"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        *(
            (name, False)
            for name in ("", " ", ".", "..", "../x", "/tmp/x", "a/b", "a\\b", "artifacts", ".prefect")
        ),
        *((name, False) for name in ("-x", " a", "a\n", "a\0b", "x" * 201)),
        *(
            (name, True)
            for name in ("demo", "größe-2", "a.b", "artifacts-2", "my run", "x" * 200, "a_b", "数学")
        ),
    ],
)
def test_a_run_is_named_by_one_part_of_a_path(name: str, is_good: bool) -> None:
    path = ROOT / "configs" / "demo.toml"
    if is_good:
        assert load_config(path, {"name": name}).name == name
    else:
        with pytest.raises(ConfigError, match="name: must be a folder's name"):
            load_config(path, {"name": name})
