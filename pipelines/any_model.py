"""Settings for benchmarking any model without a configuration file: what was asked for, and the usual rest.

What depends on the model is read from its folder: whether it has a chat template, how many positions, and the
sampling settings that its makers suggest.
"""

import importlib.util
import re
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.benchmarks.registry import registered
from evals.conditions import read_template
from evals.config import EvalsConfig
from pipelines.config import ConfigError
from pipelines.jobs.gpus import visible_gpus
from rewards.contracts.files import read_json

BENCHMARKS = "aime2024,math500"
SUGGESTED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
FILES = (".jsonl", ".jsonl.gz", ".json", ".parquet")
PROMPT_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Defaults:
    """Settings by dotted key, and what to say about where they come from."""

    settings: dict[str, Any]
    notes: tuple[str, ...] = ()


def usual_samples(n_questions: int) -> int:
    """Responses per question: 16 for AIME, 4 for MATH500, one for MMLU.

    >>> [usual_samples(n) for n in (30, 198, 500, 1319)]
    [16, 4, 4, 1]
    """
    return 16 if n_questions <= 100 else 4 if n_questions <= 1000 else 1


def benchmark_entries(
    names: str, *, n_samples: int | None = None, limit: int | None = None, is_greedy: bool = False
) -> list[dict[str, Any]]:
    """Entries for names of registered benchmarks and paths of one's own files, separated by commas."""
    entries = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name.endswith(FILES):
            own = re.sub(r"[^a-z0-9_-]+", "-", Path(name).name.split(".")[0].lower()).strip("-_") or "mine"
            entry: dict[str, Any] = {"name": own, "kind": "custom", "file": str(Path(name).resolve())}
            usual = 4
        elif name in registered():
            entry, usual = {"name": name}, usual_samples(registered()[name].n_questions[0])
        else:
            raise ConfigError(
                f"--benchmarks: unknown benchmark {name!r}; known are {', '.join(registered())}, or give "
                "your own file (.jsonl, .json or .parquet with the fields problem and answer)"
            )
        entries.append(entry | {"n_samples": n_samples or (1 if is_greedy else usual), "limit": limit or 0})
    if not entries:
        raise ConfigError("--benchmarks: name at least one")
    return entries


def slug(name: str) -> str:
    """A run's name from a model's: a folder's last parts, or a hub id.

    >>> slug("Qwen/Qwen3-0.6B"), slug("/models/mine/"), slug("runs/demo/train/exports/step-000050/actor")
    ('Qwen--Qwen3-0.6B', 'mine', 'step-000050--actor')
    """
    parts = [part for part in Path(name).parts if part not in ("/", ".", "..")]
    kept = parts[-2:] if len(parts) == 2 and not name.startswith(("/", ".")) else parts[-1:]
    if parts and parts[-1] in ("actor", "model", "final", "checkpoint"):
        kept = parts[-2:]
    return re.sub(r"[^\w.-]+", "-", "--".join(kept)).strip(".-") or "model"


def of_folder(folder: Path, evals: EvalsConfig, *, is_set: Set[str], own_sampling: bool) -> Defaults:
    """Defaults for a model's folder; `is_set`: the fields of [evals] that the user has given."""
    settings: dict[str, Any] = {}
    notes = []
    if "profile" not in is_set:
        has_template = read_template(folder) is not None
        settings["evals.profile"] = "chat" if has_template else "plain"
        why = "the model has a chat template" if has_template else "the model has no chat template"
        notes.append(f"profile {settings['evals.profile']}: {why} (--profile changes it)")
    if importlib.util.find_spec("vllm") is None:
        settings["training.rollout.engine"] = "torch"
        notes.append("vLLM is not installed: sampled with plain torch")
    settings["training.deepspeed.precision"] = "bf16" if visible_gpus() else "fp32"
    positions = _positions(folder)
    n_prompt = evals.max_prompt_tokens or (min(PROMPT_TOKENS, positions // 2) if positions else PROMPT_TOKENS)
    settings["evals.max_prompt_tokens"] = n_prompt
    if positions and "max_new_tokens" not in is_set and positions - n_prompt < evals.max_new_tokens:
        settings["evals.max_new_tokens"] = positions - n_prompt
        notes.append(
            f"up to {positions - n_prompt:,} tokens a response: the model has {positions:,} positions"
        )
    suggested = {name: value for name, value in suggested_sampling(folder).items() if name not in is_set}
    differing = {name: value for name, value in suggested.items() if value != getattr(evals, name)}
    said = ", ".join(f"{name} {value:g}" for name, value in differing.items())
    if differing and own_sampling:
        settings |= {f"evals.{name}": value for name, value in differing.items()}
        notes.append(f"as the model's generation_config.json suggests: {said}")
    elif differing:
        notes.append(f"the model's generation_config.json suggests {said}: --own-sampling takes it")
    return Defaults(settings, tuple(notes))


def suggested_sampling(folder: Path) -> dict[str, float]:
    """Sampling settings in a model's generation_config.json; none when it says to decode greedily."""
    path = folder / "generation_config.json"
    known = read_json(path) if path.exists() else {}
    if not known.get("do_sample"):
        return {}
    return {name: known[name] for name in SUGGESTED if isinstance(known.get(name), int | float)}


def _positions(folder: Path) -> int | None:
    """Longest context of a model, in tokens, if its config.json says so."""
    config = read_json(folder / "config.json")
    found = config.get("max_position_embeddings") or (config.get("text_config") or {}).get(
        "max_position_embeddings"
    )
    return found if isinstance(found, int) else None
