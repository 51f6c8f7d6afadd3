"""The files of a published model: the final policy with tokenizer and chat template, the critic, the card.

Weights are linked, not copied, since a model may have many gigabytes.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import render_card
from pipelines.cards.licenses import NONE_STATED, hub_license
from pipelines.pasted import pasted
from pipelines.publishing.manifests import write_manifest
from pipelines.publishing.versions import CHANGELOG, Version
from pipelines.stages.models import final_model
from rewards.contracts.files import read_json, write_text
from rewards.contracts.prompts import PromptConfig, render_prompt
from rewards.contracts.records import METRIC
from training.config import Bos
from training.recorder import read_records

CHAT_TEMPLATE = "chat_template.jinja"
CURVE_ROWS = 12
CURVE_COLUMNS = ("step", "reward", "pass_at_n", "response_tokens", "truncated", "entropy")


def write_model(workspace: Workspace, repo: str, folder: Path, version: Version) -> None:
    """Write everything except the checksums to `folder`; ValueError or FileNotFoundError if incomplete."""
    trained = workspace.linked("train")
    summary = read_summary(workspace, trained)
    actor = final_model(trained)
    link_files(actor, folder)
    link_files(actor.parent / "critic", folder / "critic")
    check_model(folder, actor)
    prompt = workspace.config.training.prompt
    if not has_chat_template(folder):
        begins = beginning(actor, workspace.config.training.rollout.bos)
        write_text(folder / CHAT_TEMPLATE, chat_template(prompt, begins))
    link_files(trained.folder, folder / "training", "metrics.jsonl")
    for stage in ("curate", "rewards", "base", "train"):
        write_manifest(workspace.linked(stage), folder)
    write_text(folder / CHANGELOG, version.changelog)
    write_text(folder / "README.md", model_card(workspace, repo, trained, summary, version))
    write_eval_results(workspace, repo, folder, summary, version)


def write_eval_results(
    workspace: Workspace, repo: str, folder: Path, summary: dict[str, Any], version: Version
) -> None:
    """Write the results that the hub's benchmarks list."""
    from pipelines.cards.eval_results import eval_result_files

    evals = workspace.config.evals
    for name, text in eval_result_files(summary["accuracy"], evals, repo, version.date).items():
        (folder / name).parent.mkdir(exist_ok=True)
        write_text(folder / name, text)


def read_summary(workspace: Workspace, trained: Artifact) -> dict[str, Any]:
    """Read summary.json, which must be about this training artifact."""
    path = workspace.folder / "summary.json"
    again = f"run: {pasted('reasoner-zero', 'report', '--config', workspace.folder / 'config.json')}"
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; {again}")
    summary = read_json(path)
    if summary["fingerprints"]["train"]["fingerprint"] != trained.fingerprint:
        raise ValueError(f"{path}: is about another training than the one linked as train; {again}")
    return summary


def link_files(source: Path, folder: Path, pattern: str = "*") -> None:
    """Link the files in `source` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob(pattern)):
        if path.is_file():
            (folder / path.name).symlink_to(path.resolve())


def check_model(folder: Path, actor: Path) -> None:
    """Raise ValueError unless policy and critic have weights, config and tokenizer."""
    for part in ("", "critic"):
        for pattern in ("config.json", "*.safetensors", "tokenizer*"):
            if not any((folder / part).glob(pattern)):
                raise ValueError(f"{actor.parent / (part or 'actor')}: no {pattern}: incomplete export")


def has_chat_template(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    return (folder / CHAT_TEMPLATE).exists() or (
        config.exists() and bool(read_json(config).get("chat_template"))
    )


def beginning(folder: Path, bos: Bos) -> str:
    """The text of the token before every prompt of the run; often none."""
    from transformers import AutoTokenizer

    from training.vocabulary import first_ids

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return str(tokenizer.decode(first_ids(tokenizer, bos)))


def chat_template(prompt: PromptConfig, begins: str = "") -> str:
    r"""The run's prompt as a chat template, which formats a user's message as in training, after `begins`.

    >>> print(chat_template(PromptConfig(template="bare")))
    {%- for message in messages -%}
    {%- if message['role'] == 'user' -%}
    {{- "" + message['content'] + "<think>" -}}
    {%- elif message['role'] == 'assistant' -%}
    {{- message['content'] -}}
    {%- endif -%}
    {%- endfor -%}
    """
    before, _, after = render_prompt("\0", prompt).partition("\0")
    opening = (f"{{{{- {json.dumps(begins)} -}}}}",) if begins else ()
    # JSON escapes are a subset of those of a Jinja string.
    return "\n".join(
        (
            *opening,
            "{%- for message in messages -%}",
            "{%- if message['role'] == 'user' -%}",
            f"{{{{- {json.dumps(before)} + message['content'] + {json.dumps(after)} -}}}}",
            "{%- elif message['role'] == 'assistant' -%}",
            "{{- message['content'] -}}",
            "{%- endif -%}",
            "{%- endfor -%}",
        )
    )


def model_card(
    workspace: Workspace, repo: str, trained: Artifact, summary: dict[str, Any], version: Version
) -> str:
    """The card: results before and after, the training curve, how it was trained and how to load it."""
    from huggingface_hub import ModelCardData

    from pipelines.cards.eval_results import model_index

    training = workspace.config.training
    name = repo.partition("/")[2]
    metrics = read_records(trained.folder / "metrics.jsonl", METRIC)
    accuracy = summary["accuracy"]
    problems = workspace.linked("rewards").read("prompts.parquet")["problem"]
    problem = min(problems, key=lambda text: (len(text), text))
    front_matter = ModelCardData(
        model_name=name,
        base_model=hub_base(workspace),
        license=model_license(workspace),
        datasets=hub_datasets(workspace) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["math", "reasoning", "reinforcement-learning", "ppo", "reasoner-zero"],
        eval_results=model_index(accuracy, workspace.config.evals) or None,
    )
    return render_card(
        "model.md.j2",
        front_matter.to_yaml(),
        name=name,
        repo=repo,
        base=base_name(workspace),
        summary=summary,
        benchmarks=benchmark_table(accuracy),
        curve=thin(metrics.select(CURVE_COLUMNS), CURVE_ROWS),
        training=training,
        problem=problem,
        prompt=render_prompt(problem, training.prompt),
        fingerprint=trained.fingerprint,
        version=version,
        sources=training_sources(workspace),
    )


def model_license(workspace: Workspace) -> str:
    """The license of the weights: as configured, else that of the base model, else that of no other's work.

    A base model from the hub states its license there; it is looked up only by name in its own card, if the
    card is on this machine. "other" means: ask the base model's owner.
    """
    if given := workspace.config.publish.license:
        return hub_license(given)
    path = workspace.config.training.model.path
    card = Path(path) / "README.md" if path else None
    if card is not None and card.is_file():
        from huggingface_hub import ModelCard

        stated = ModelCard.load(card).data.license
        if isinstance(stated, str):
            return stated
    return "other"


def hub_datasets(workspace: Workspace) -> list[str]:
    """Repositories on the hub that the training set was made from, and the published one if configured."""
    curation = workspace.config.curation
    named = [source.hub.id for source in curation.sources if source.hub and not Path(source.hub.id).exists()]
    own = workspace.config.publish.dataset
    return list(dict.fromkeys([*([own] if own else []), *named]))


def training_sources(workspace: Workspace) -> pl.DataFrame:
    """Training problems by source and license."""
    prompts = workspace.linked("rewards").read("prompts.parquet").filter(pl.col("split") == "train")
    by = ("source", pl.col("license").fill_null(NONE_STATED))
    return prompts.group_by(by).agg(problems=pl.len().cast(pl.Int64)).sort("source", "license")


def hub_base(workspace: Workspace) -> str | None:
    """Repository of the base model, if it came from the hub."""
    path = workspace.config.training.model.path
    return path if path and not Path(path).exists() else None


def base_name(workspace: Workspace) -> str:
    """The name of what training started from."""
    model = workspace.config.training.model
    given = model.gguf or model.path
    return hub_base(workspace) or (Path(given).name if given else "a model made from scratch")


def benchmark_table(accuracy: dict[str, Any]) -> pl.DataFrame:
    """One row per benchmark: accuracy in percent with its 95% interval, before and after, and the change."""
    rows = [
        {
            "benchmark": f"{benchmark} (avg@{entry['after']['n_samples']})",
            "questions": entry["after"]["n_questions"],
            **{when: _percent(entry[when]["value"], entry[when]["ci95"]) for when in ("before", "after")},
            "change (points)": f"{100 * entry['delta']:+.1f}",
            "p": f"{entry['p_value']:.2g}",
        }
        for benchmark, entry in accuracy.items()
    ]
    return pl.DataFrame(rows)


def _percent(value: float, interval: list[float]) -> str:
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def thin(frame: pl.DataFrame, n_rows: int) -> pl.DataFrame:
    """Keep at most `n_rows` evenly spaced rows, including the first and the last."""
    if frame.height <= n_rows:
        return frame
    return frame[[round(i * (frame.height - 1) / (n_rows - 1)) for i in range(n_rows)]]
