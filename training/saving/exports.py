"""Model exports in Hugging Face format, streamed: never more than one file of weights in memory."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer

from rewards.contracts.files import sync_folder, write_json
from training.engines import full_state, named_weights
from training.model import save_value_head
from training.ranks import Ranks
from training.saving.names import converted_groups, plan_groups
from training.saving.steps import INDEX, WHOLE

MAX_FILE_BYTES = 5_000_000_000
"""Largest file of weights, as Hugging Face writes them."""


def export_models(
    folder: Path, base: Path, engines: Mapping[str, Any], ranks: Ranks, critic: Path | None = None
) -> None:
    """Write each engine's model to `folder`/NAME in Hugging Face format, with tokenizer (and value head).

    All ranks call it (gathering is collective); the first one writes, one model after the other. Config and
    tokenizer come from `base`, the critic's config from `critic`, the folder it was begun from, if there is
    one: it may have another size.
    """
    partial = folder.with_name(folder.name + ".partial")
    if ranks.is_first:
        shutil.rmtree(partial, ignore_errors=True)
    for name, engine in engines.items():
        prefix = "backbone." if name == "critic" else "model."
        target = partial / name
        if ranks.is_first:
            target.mkdir(parents=True)
        dtype = write_weights(target, engine, prefix, ranks.is_first)
        head = full_state(named_weights(engine, "head."), ranks.is_first) if name == "critic" else {}
        if ranks.is_first:
            config = AutoConfig.from_pretrained(critic if name == "critic" and critic else base)
            config.dtype = dtype
            config.save_pretrained(target)
            AutoTokenizer.from_pretrained(base).save_pretrained(target)
            if (base / "generation_config.json").exists():  # May list more end tokens.
                shutil.copy2(base / "generation_config.json", target)
            if head:
                save_value_head(head, target)
    if ranks.is_first:
        flush_tree(partial)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
        sync_folder(folder.parent)
    ranks.barrier()


def write_weights(target: Path, engine: Any, prefix: str, writes: bool) -> torch.dtype:
    """Write the weights below `prefix` to model.safetensors, or to several files with an index.

    Returns their data type. Ranks that write nothing still take part in gathering.
    """
    groups = plan_groups(engine, prefix)
    files = plan_files([(group.names[0], group.n_bytes) for group in groups])
    n = len(files)
    names = [WHOLE] if n == 1 else [f"model-{i + 1:05d}-of-{n:05d}.safetensors" for i in range(n)]
    weights = converted_groups(engine, prefix)
    dtype = getattr(engine.module, prefix.removesuffix(".")).dtype
    places: dict[str, str] = {}
    for file, wanted in zip(names, files, strict=True):
        held: dict[str, Tensor] = {}
        for _ in wanted:
            for name, tensor in next(weights):
                places[name] = file
                if writes:
                    held[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        if writes:
            save_file(held, target / file, metadata={"format": "pt"})
            if n > 1:
                flush(target / file)  # Otherwise all of the model may wait in the memory of the system.
    assert next(weights, None) is None, "every rank runs the iterator to its end"
    if writes and n > 1:
        total = sum(size for wanted in files for _, size in wanted)
        write_json(target / INDEX, {"metadata": {"total_size": total}, "weight_map": places})
    return dtype


def plan_files(weights: list[tuple[str, int]], most: int = MAX_FILE_BYTES) -> list[list[tuple[str, int]]]:
    """Cut a list of weights into files of at most `most` bytes; a larger weight gets its own.

    >>> plan_files([("a", 3), ("b", 3), ("c", 9), ("d", 1)], most=6)
    [[('a', 3), ('b', 3)], [('c', 9)], [('d', 1)]]
    """
    files: list[list[tuple[str, int]]] = [[]]
    used = 0
    for name, size in weights:
        if files[-1] and used + size > most:
            files.append([])
            used = 0
        files[-1].append((name, size))
        used += size
    return files


def flush_tree(folder: Path) -> None:
    """Flush every file in `folder`, and the folders themselves, to disk."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
