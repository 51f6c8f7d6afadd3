"""A model's results as the hub reads them: `model-index` in the card, and the files of `.eval_results/`.

Both name the benchmark's data set on the hub, with subset and split. `.eval_results/` has a file for each
benchmark that the hub lists as one (its data set has an eval.yaml with the task) and of which every question
has a score; values are percentages, as in the results that MathArena and the hub's own staff have published.
"""

from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, eval_result_entries_to_yaml

from evals.benchmarks import registered
from evals.benchmarks.registry import Hub
from evals.config import BenchmarkConfig, EvalsConfig

FOLDER = ".eval_results"


def model_index(accuracy: dict[str, Any], config: EvalsConfig) -> list[EvalResult]:
    """The results after training for the card's front matter; `accuracy` is that of summary.json."""
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=hub.name if hub else name,
            dataset_name=title,
            dataset_config=(hub.subset or None) if hub else None,
            dataset_split=hub.split if hub else None,
            dataset_args={"num_few_shot": entry.n_shots, "num_questions": result["n_questions"]},
            metric_type="accuracy",
            metric_name=f"avg@{result['n_samples']}",
            metric_value=round(result["value"], 6),
        )
        for name, entry, hub, title, result in _rows(accuracy, config)
    ]


def eval_result_files(accuracy: dict[str, Any], config: EvalsConfig, repo: str, date: str) -> dict[str, str]:
    """File names and YAML for `.eval_results/`; `date` is YYYY-MM-DD."""
    files = {}
    for name, entry, hub, _, result in _rows(accuracy, config):
        spec = registered().get(name)
        if hub is None or spec is None or not spec.task_id or hub.name != spec.hub.name:
            continue
        if result["n_questions"] not in spec.n_questions:
            continue
        result_entry = EvalResultEntry(
            dataset_id=hub.name,
            task_id=spec.task_id,
            value=round(100 * result["value"], 2),
            date=date,
            source_url=f"https://huggingface.co/{repo}",
            source_name="Model card, evaluated by Reasoner Zero",
            notes=_notes(entry, result, config),
        )
        text = yaml.safe_dump(
            eval_result_entries_to_yaml([result_entry]), sort_keys=False, allow_unicode=True
        )
        files[f"{FOLDER}/{hub.name.replace('/', '--')}.yaml"] = text
    return files


def _notes(entry: BenchmarkConfig, result: dict[str, Any], config: EvalsConfig) -> str:
    conditions = config.conditions(entry)
    low, high = (round(100 * end, 1) for end in result["ci95"])
    sampling = conditions.sampling
    return (
        f"avg@{result['n_samples']} on {result['n_questions']} questions, 95% interval {low} to {high}; "
        f"temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, at most {sampling.max_new_tokens} "
        f"tokens, {entry.n_shots} shots, no tools"
    )


def _rows(accuracy: dict[str, Any], config: EvalsConfig) -> list[tuple]:
    """(name, entry, data set on the hub, title, result) of every benchmark with a result."""
    entries = {entry.name: entry for entry in config.benchmarks}
    rows = []
    for name, result in accuracy.items():
        entry = entries.get(name, BenchmarkConfig(name=name))
        spec = registered().get(name) if entry.kind == "registered" else None
        rows.append((name, entry, _hub(entry), spec.title if spec else name, result["after"]))
    return rows


def _hub(entry: BenchmarkConfig) -> Hub | None:
    """Where the benchmark is on the hub; None for a file of one's own or a generated set."""
    spec = registered().get(entry.name) if entry.kind == "registered" else None
    if spec is not None:
        hub = spec.hub
        return Hub(entry.hub or hub.name, entry.hub_subset or hub.subset, entry.hub_split or hub.split)
    return Hub(entry.hub, entry.hub_subset, entry.hub_split or "test") if entry.hub else None
