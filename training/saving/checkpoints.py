"""Resumable checkpoints (DeepSpeed state of actor and critic) and model exports (Hugging Face format).

A checkpoint is written under a temporary name, flushed and renamed, so the newest one is always complete.
Nothing else needs saving: data order, minibatch shuffles and sampling seeds are functions of (seed, step).
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer

from rewards.contracts.files import sync_folder
from training.engines import full_state, named_weights
from training.model import save_value_head
from training.ranks import Ranks
from training.saving.steps import saved_steps, step_folder


def save_state(root: Path, step: int, engines: Mapping[str, Any], keep: int, ranks: Ranks) -> None:
    """Write the engines' states for `step`; then drop all but the newest `keep` checkpoints."""
    partial = root / f"step-{step:06d}.partial"
    if ranks.is_first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    ranks.barrier()
    for name, engine in engines.items():
        engine.save_checkpoint(str(partial / name), tag="state", save_latest=False)
    ranks.barrier()
    if ranks.is_first:
        flush_tree(partial)
        os.replace(partial, step_folder(root, step))
        sync_folder(root)
        for old in saved_steps(root)[:-keep]:
            shutil.rmtree(step_folder(root, old))
    ranks.barrier()


def load_state(root: Path, engines: Mapping[str, Any]) -> int:
    """Load the newest checkpoint into the engines; returns its step, or 0 when there is none."""
    steps = saved_steps(root)
    if not steps:
        return 0
    folder = step_folder(root, steps[-1])
    for name, engine in engines.items():
        path, _ = engine.load_checkpoint(str(folder / name), tag="state")
        if path is None:
            raise RuntimeError(
                f"{folder / name}: DeepSpeed could not load the checkpoint; "
                f"delete {folder} to resume from the one before"
            )
    return steps[-1]


def export_models(folder: Path, base: Path, engines: Mapping[str, Any], ranks: Ranks) -> None:
    """Write each engine's model to `folder`/NAME in Hugging Face format, with tokenizer (and value head).

    All ranks call it (gathering is collective); the first one writes. Config and tokenizer come from `base`.
    """
    partial = folder.with_name(folder.name + ".partial")
    models = {
        name: full_state(named_weights(engine, "backbone." if name == "critic" else "model."), ranks.is_first)
        for name, engine in engines.items()
    }
    head = {}
    if "critic" in engines:
        head = full_state(named_weights(engines["critic"], "head."), ranks.is_first)
    if ranks.is_first:
        shutil.rmtree(partial, ignore_errors=True)
        for name, weights in models.items():
            target = partial / name
            target.mkdir(parents=True)
            save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
            config = AutoConfig.from_pretrained(base)
            config.dtype = next(iter(weights.values())).dtype
            config.save_pretrained(target)
            AutoTokenizer.from_pretrained(base).save_pretrained(target)
            if (base / "generation_config.json").exists():  # May list more end tokens.
                shutil.copy2(base / "generation_config.json", target)
        if head:
            save_value_head(head, partial / "critic")
        flush_tree(partial)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
        sync_folder(folder.parent)
    ranks.barrier()


def flush_tree(folder: Path) -> None:
    """Flush every file in `folder`, and the folders themselves, to disk."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
