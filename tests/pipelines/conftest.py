"""Fixtures of the pipelines tests: a small curated run made by the real stages, and a command line runner."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split

from pipelines.artifacts.artifact import Draft
from pipelines.artifacts.workspace import Workspace
from pipelines.config import load_config
from pipelines.stages import base as base_stage
from pipelines.stages import train as train_stage
from pipelines.stages.chain import Chain
from rewards.contracts.files import write_json
from rewards.contracts.records import METRIC

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
license = "Apache-2.0"
generator = { family = "addition", digits = 2, n_problems = 300, seed = 0 }

[[curation.sources]]
name = "mine"
file = "FILE"
LICENSE

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

[evals]
max_new_tokens = 64

[[evals.benchmarks]]
name = "sums"
kind = "frame"
n_samples = 2
"""

LICENSE = 'license = "CC BY-SA 4.0"\n'
Cli = Callable[..., subprocess.CompletedProcess[str]]


def write_config(folder: Path, license: str) -> Path:
    """Write a configuration and the file that its second source reads."""
    problems = [{"problem": f"What is {n} times {n + 7}?", "answer": str(n * (n + 7))} for n in range(2, 42)]
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    path = folder / "small.toml"
    path.write_text(CONFIG.replace("FILE", str(file)).replace("LICENSE\n", license))
    return path


def make_run(folder: Path, license: str) -> Workspace:
    path = write_config(folder, license)
    workspace = Workspace.open(load_config(path), folder / "runs")
    assert Chain(workspace).prompts.folder.is_dir()
    return workspace


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A complete configuration whose sources state their licenses."""
    return write_config(tmp_path, LICENSE)


@pytest.fixture(scope="session")
def licensed_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run with a curated corpus and compiled rewards; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("licensed"), LICENSE)


@pytest.fixture(scope="session")
def unlicensed_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same, with a source that states no license."""
    return make_run(tmp_path_factory.mktemp("unlicensed"), "")


def run_cli(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `reasoner-zero ARGUMENTS` in a child process."""
    command = [sys.executable, "-m", "pipelines", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", **environment}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def cli() -> Cli:
    return run_cli


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run with a train artifact of two steps: a real tiny model and critic, with hand-made numbers."""
    workspace = make_run(tmp_path_factory.mktemp("trained"), LICENSE)
    prompts = workspace.linked("rewards")
    base = workspace.produce(base_stage.STAGE, {}, {"rewards": prompts.content}, write_base)
    train = workspace.produce(train_stage.STAGE, {}, {"base": base.content}, write_training)
    accuracy = {"value": 0.25, "ci95": [0.2, 0.3], "n_questions": 200, "n_samples": 2}
    summary = {
        "steps": 2,
        "reward": {"before": 0.125, "after": 0.75},
        "response_length": {"before": 4.0, "after": 6.5},
        "formatted": {"before": 0.5, "after": 1.0},
        "truncated": {"before": 0.0, "after": 0.25},
        "accuracy": {
            "sums": {
                "before": accuracy,
                "after": {**accuracy, "value": 0.875, "ci95": [0.8, 0.95]},
                "delta": 0.625,
                "p_value": 0.0001,
            }
        },
        "fingerprints": {"train": {"fingerprint": train.fingerprint}},
    }
    write_json(workspace.folder / "summary.json", summary)
    return workspace


def write_base(draft: Draft) -> None:
    tiny_model(draft.folder / "model", seed=0)


def write_training(draft: Draft) -> None:
    for step in (1, 2):
        for part in ("actor", "critic"):
            tiny_model(draft.folder / "exports" / f"step-{step:06d}" / part, seed=step)
    head = {"weight": np.ones((1, 32), np.float32), "bias": np.zeros(1, np.float32)}
    save_file(head, draft.folder / "exports/step-000002/critic/value_head.safetensors")
    rows = [
        {column.name: 1.0 for column in METRIC.columns} | {"step": step, "reward": 0.125 + 0.625 * (step - 1)}
        for step in (1, 2)
    ]
    (draft.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def tiny_model(folder: Path, seed: int) -> None:
    """Write a one-layer Llama and a character tokenizer without a chat template; needs no torch."""
    folder.mkdir(parents=True)
    vocabulary = {chr(code): code - 32 for code in range(32, 127)} | {"\n": 95, "<eos>": 96}
    n_vocab, hidden, inner = len(vocabulary), 32, 48
    shapes = {"model.embed_tokens": (n_vocab, hidden), "model.norm": (hidden,)}
    layer = {f"self_attn.{name}_proj": (hidden, hidden) for name in "qkvo"}
    layer |= {
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    layer |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
    shapes |= {f"model.layers.0.{name}": shape for name, shape in layer.items()}
    draw = np.random.default_rng(seed)
    weights = {
        f"{name}.weight": draw.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": n_vocab,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
        "eos_token_id": 96,
    }
    write_json(folder / "config.json", config)
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<eos>"))
    tokenizer.pre_tokenizer = Split("", behavior="isolated")
    tokenizer.decoder = Fuse()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>", "unk_token": "<eos>"}
    write_json(folder / "tokenizer_config.json", settings)
