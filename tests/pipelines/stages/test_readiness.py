"""run and train say before curation what a model made from scratch lacks."""

import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipelines.config import RunConfig
from pipelines.stages.readiness import check_benchmarks, check_context
from tests.pipelines.conftest import CONFIG, Cli


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


@pytest.mark.parametrize(
    ("engine", "max_tokens", "evals", "told"),
    [
        ("vllm", 96, "max_new_tokens = 80", None),
        ("vllm", 96, "max_new_tokens = 81", "lower evals.max_new_tokens to 80 or"),
        ("vllm", 96, "max_new_tokens = 8000", "prompt and response may take 8,016 tokens"),
        ("vllm", 8016, "max_new_tokens = 8000", None),
        ("vllm", 96, "max_prompt_tokens = 32\nmax_new_tokens = 64", None),
        ("vllm", 96, "max_prompt_tokens = 33\nmax_new_tokens = 64", "lower evals.max_new_tokens to 63 or"),
        (
            "vllm",
            96,
            "max_prompt_tokens = 96\nmax_new_tokens = 1",
            "takes 96: raise training.model.scratch.max_tokens to 97",
        ),
        ("torch", 96, "max_new_tokens = 8000", None),
        ("vllm", 96, "benchmarks = []", None),
        ("vllm", 32, "max_prompt_tokens = 8\nmax_new_tokens = 25", "takes 32"),
    ],
)
def test_benchmarks_longer_than_vllm_gives_the_model_are_refused_at_once(
    engine: str, max_tokens: int, evals: str, told: str | None
) -> None:
    table = tomllib.loads(CONFIG.replace("LICENSE\n", ""))
    table["training"]["rollout"]["engine"] = engine
    table["training"]["model"]["scratch"]["max_tokens"] = max_tokens
    table["evals"] |= tomllib.loads(evals)
    config = RunConfig.model_validate(table)
    with pytest.raises(ValueError, match=told) if told else nullcontext():
        check_context(config)


@pytest.mark.parametrize(("evals", "told"), [("benchmarks = []", "evals.benchmarks is empty"), ("", None)])
def test_a_run_without_benchmarks_is_refused_before_it_trains(evals: str, told: str | None) -> None:
    table = tomllib.loads(CONFIG.replace("LICENSE\n", ""))
    table["evals"] |= tomllib.loads(evals)
    with pytest.raises(ValueError, match=told) if told else nullcontext():
        check_benchmarks(RunConfig.model_validate(table))
