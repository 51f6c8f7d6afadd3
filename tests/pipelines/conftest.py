"""Fixtures of the pipelines tests: a small curated run made by the real stages, and a command line runner."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.chain import Chain
from pipelines.config import load_config
from pipelines.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """\
name = "small"

[[held_out]]
name = "sums"
generator = { family = "addition", digits = 2, n_problems = 200, seed = 1 }

[curation.mix]
validation_share = 0.1

[[curation.sources]]
name = "addition"
licence = "Apache-2.0"
generator = { family = "addition", digits = 2, n_problems = 300, seed = 0 }

[[curation.sources]]
name = "mine"
file = "FILE"
LICENCE

[training]
n_steps = 2
prompt = { template = "orz" }

[training.model.scratch]
hidden = 32
n_layers = 1
n_heads = 1
intermediate = 32
max_tokens = 96

[training.rollout]
prompts_per_step = 4
samples_per_prompt = 4
max_prompt_tokens = 16
max_new_tokens = 16

[[evals.benchmarks]]
name = "sums"
kind = "frame"
n_samples = 2
"""

LICENCE = 'licence = "CC BY-SA 4.0"\n'
Cli = Callable[..., subprocess.CompletedProcess[str]]


def write_config(folder: Path, licence: str) -> Path:
    """Write a configuration and the file that its second source reads."""
    problems = [{"problem": f"What is {n} times {n + 7}?", "answer": str(n * (n + 7))} for n in range(2, 42)]
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    path = folder / "small.toml"
    path.write_text(CONFIG.replace("FILE", str(file)).replace("LICENCE\n", licence))
    return path


def make_run(folder: Path, licence: str) -> Workspace:
    path = write_config(folder, licence)
    workspace = Workspace.open(load_config(path), folder / "runs")
    Chain(workspace).prompts()
    return workspace


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A whole configuration whose sources state their licences."""
    return write_config(tmp_path, LICENCE)


@pytest.fixture(scope="session")
def licensed_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run with a curated corpus and compiled rewards; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("licensed"), LICENCE)


@pytest.fixture(scope="session")
def unlicensed_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same, with a source that states no licence."""
    return make_run(tmp_path_factory.mktemp("unlicensed"), "")


@pytest.fixture
def cli() -> Cli:
    """Run `reasoner-zero ARGUMENTS` in a process of its own."""

    def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipelines", *arguments]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **environment}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)

    return run
