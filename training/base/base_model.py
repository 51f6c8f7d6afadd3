"""The base model's folder: made from scratch, dequantized from a GGUF file, or linked to an existing one."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from rewards.contracts.prompts import render_prompt
from training.base.column_sums import WAIT
from training.base.gguf import find_gguf
from training.base.tokenizer import build_tokenizer
from training.base.warmup import WorkedProblem, warm_up
from training.config import TrainingConfig
from training.model import DTYPES, build_scratch
from training.sections.model import ModelConfig

logger = logging.getLogger(__name__)


def make_base_model(
    config: TrainingConfig,
    problems: pl.DataFrame,
    out: Path,
    on_progress: Callable[[int, float], None] | None = None,
) -> Path:
    """Write the model to `out`/model in Hugging Face format, or link it there; returns that folder.

    `problems` (rewards.contracts.records.COMPILED_REWARD) is what a model made from scratch is warmed up on;
    only rows of the train split are used.
    """
    folder = out / "model"
    if config.model.scratch is not None:
        _from_scratch(config, problems, folder, on_progress)
    elif config.model.gguf is not None:
        _from_gguf(config, find_gguf(config.model.gguf), folder)
    else:
        folder.unlink(missing_ok=True)
        folder.symlink_to(resolve_path(config.model), target_is_directory=True)
    return folder


def _from_scratch(
    config: TrainingConfig,
    problems: pl.DataFrame,
    folder: Path,
    on_progress: Callable[[int, float], None] | None,
) -> None:
    scratch = config.model.scratch
    assert scratch is not None
    items = [
        WorkedProblem(*row)
        for row in problems.filter(pl.col("split") == "train", pl.col("solution").is_not_null())
        .select("problem", "answer", "solution")
        .iter_rows()
    ]
    if not items:
        raise ValueError("training.model.scratch: the prompt set has no train row with a worked solution")
    texts = [render_prompt(item.problem, config.prompt) + item.answer + item.solution for item in items]
    warmup = config.model.warmup
    if warmup is not None and any(phase.rechecked for phase in warmup.phases):
        texts.append(WAIT)
    tokenizer = build_tokenizer(texts)
    model = build_scratch(
        scratch, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, config.base_seed
    )
    logger.info("parameters=%d vocabulary=%d", sum(p.numel() for p in model.parameters()), len(tokenizer))
    if warmup is not None:
        warm_up(model, tokenizer, items, warmup, config.prompt, config.base_seed, on_progress)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _from_gguf(config: TrainingConfig, file: Path, folder: Path) -> None:
    """Dequantize a GGUF file; the weights written are exactly those that the quantized ones represent."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = DTYPES[config.deepspeed.precision]
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=dtype)
    # from_pretrained returns plain weights already; with these marks removed the model can be saved as such.
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    model.to(dtype).save_pretrained(folder)
    logger.info("dequantized=%s parameters=%d", file.name, sum(p.numel() for p in model.parameters()))


def resolve_path(model: ModelConfig) -> Path:
    """Folder of a local model, or of the hub snapshot, which is downloaded if needed."""
    assert model.path is not None
    if os.path.isdir(model.path):
        return Path(model.path).resolve()
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(model.path, revision=model.revision))
