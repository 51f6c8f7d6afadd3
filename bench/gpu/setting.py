"""Shared code of the parts: the job and its figures, configurations, and models of given dimensions."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rewards.contracts.files import write_json
from training.config import TrainingConfig
from training.planning.shape import KNOWN, Shape

SHAPES = {"0.5b": KNOWN["Qwen/Qwen2.5-0.5B"], "1.5b": KNOWN["Qwen/Qwen2.5-1.5B"]}
TINY = {
    "0.5b": Shape(64, 2, 2, 1, 128, 512, True, 32, True),
    "1.5b": Shape(128, 3, 2, 1, 256, 512, True, 64, True),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One part's folder and options."""

    folder: Path
    part: str
    ppo_steps: int
    small: bool
    model: str | None
    prompts: str | None

    def note(self, **figures: Any) -> None:
        """Add figures to figures.json immediately, so that those of a killed part are kept."""
        path = self.folder / "figures.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        write_json(path, known | figures)
        sys.stdout.write(f"{figures}\n")


def read_job() -> Job:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1 if settings["small"] else 8)
    return Job(folder, **settings)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Result and seconds of `work`, including its work on the device."""
    synchronize()
    started = time.perf_counter()
    result = work()
    synchronize()
    return result, time.perf_counter() - started


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_model(shape: Shape, n_context: int, folder: Path, *, names_all: bool = False) -> Path:
    """Write a model of `shape` with random weights and a character tokenizer, or reuse it if it exists.

    `names_all` gives every token of the vocabulary a character, which the torch sampler needs. The model is
    Llama's class with these dimensions: same matrices, same biases of query, key and value, one more vector.
    """
    if (folder / "config.json").exists():
        return folder
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.base.tokenizer import build_tokenizer

    alphabet = "0123456789+-*/=? abcdefghijklmnopqrstuvwxyz"
    if names_all:
        n_missing = shape.n_vocab - len(build_tokenizer([alphabet]))
        alphabet += "".join(chr(0x20000 + index) for index in range(n_missing))
    tokenizer = build_tokenizer([alphabet])
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape.n_vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=n_context,
        tie_word_embeddings=shape.is_tied,
        attention_bias=shape.has_qkv_bias,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = LlamaForCausalLM(config)
    model.to(torch.bfloat16 if device == "cuda" else torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_config(job: Job, model: dict, **sections: Any) -> TrainingConfig:
    """bf16 with recomputation on a GPU, fp32 on a CPU; `sections` override that."""
    engine = {"zero_stage": 0, "precision": "fp32", "gradient_checkpointing": False}
    if not job.small:
        engine = {"zero_stage": 2, "precision": "bf16", "gradient_checkpointing": True}
    return TrainingConfig.model_validate({"model": model, "deepspeed": engine} | sections)
