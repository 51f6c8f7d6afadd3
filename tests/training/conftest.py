"""A tiny base model, made once per session: like the demo's, warmed up for seconds."""

from pathlib import Path

import polars as pl
import pytest

from curation.generators import generate
from curation.generators.family import GeneratorConfig
from rewards.contracts.prompts import PromptConfig
from training.config import TrainingConfig
from training.sections.model import CorpusPhase, ModelConfig, ScratchConfig, WarmupConfig

STOP = ("</answer>",)


@pytest.fixture(scope="session")
def sums() -> pl.DataFrame:
    """Compiled-prompt rows of one-digit sums; only the columns that training reads."""
    tasks = generate(GeneratorConfig(family="addition", digits=1, n_problems=60, seed=3))
    rows = [(f"p{i}", t.problem, t.answer, t.solution, "train", "sums", None) for i, t in enumerate(tasks)]
    columns = ["problem_id", "problem", "answer", "solution", "split", "source", "subject"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def tiny_config(**changes) -> TrainingConfig:
    """The settings of a tiny run; `changes` are sections or fields of TrainingConfig."""
    sections = {
        "model": ModelConfig(
            scratch=ScratchConfig(hidden=64, n_layers=2, n_heads=2, intermediate=128, max_tokens=64),
            warmup=WarmupConfig(
                phases=(CorpusPhase(n_steps=120, careful=0.3, quick=0.7, quick_correct=0.6),), batch_size=64
            ),
        ),
        "prompt": PromptConfig(template="bare"),
        "n_steps": 6,
        "rollout": {
            "prompts_per_step": 4,
            "samples_per_prompt": 4,
            "max_prompt_tokens": 16,
            "max_new_tokens": 32,
            "stop": STOP,
            "kv_cache_gib": 0.25,
        },
        "ppo": {"critic_minibatches": 2, "micro_batch_tokens": 256},
        "actor": {"lr": 3e-4, "warmup_steps": 2},
        "critic": {"lr": 1e-3, "warmup_steps": 2},
        "deepspeed": {"zero_stage": 2, "precision": "fp32", "gradient_checkpointing": False},
        "save_every": 2,
    }
    return TrainingConfig.model_validate(sections | changes)


@pytest.fixture(scope="session")
def tiny_base(sums: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the tiny model in Hugging Face format."""
    import torch

    from training.base.base_model import make_base_model

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return make_base_model(tiny_config(), sums, tmp_path_factory.mktemp("base"))
    finally:
        torch.set_num_threads(n_threads)
