"""Results in the format of lm-evaluation-harness, for its own tools and other readers of its files.

    write_lm_eval(Path("lm-eval"), completions, config, model="runs/demo/train")

`results_<date>.json` contains accuracy (as exact_match, with its clustered standard error), pass@k and
maj@k; each benchmark's `samples_<benchmark>_<date>.jsonl` has one line per question with all its responses.
Names and keys follow lm-eval 0.4.13 (loggers/evaluation_tracker.py, evaluator.py, utils.py): its `make_table`
reads the results, and its finders know the files. The date is always the same one, since the same completions
have to give the same bytes; the manifest has the real one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from evals.config import EvalsConfig
from evals.profiles import Conditions
from evals.statistics.metrics import summarize
from rewards.contracts.files import hash_text, write_json, write_text

FILTER = "none"
DATE = "1970-01-01T00-00-00"
METRICS = {"exact_match": "accuracy", "pass_at_k": "pass_at_k", "maj_at_k": "maj_at_k"}


def write_lm_eval(
    folder: Path,
    completions: pl.DataFrame,
    config: EvalsConfig,
    *,
    model: str,
    n_all: Mapping[str, int] | None = None,
) -> list[Path]:
    """Write the results and the sample files; return their paths.

    `n_all`: how many questions each benchmark has without its limit; by default, those of the completions.
    """
    samples = lm_eval_samples(completions, config)
    results = lm_eval_results(completions, config, model=model, n_all=n_all)
    results["task_hashes"] = {
        name: hash_text("".join(row["doc_hash"] + row["prompt_hash"] + row["target_hash"] for row in rows))
        for name, rows in samples.items()
    }
    paths = [folder / f"results_{DATE}.json"]
    write_json(paths[0], results)
    for name, rows in samples.items():
        paths.append(folder / f"samples_{name}_{DATE}.jsonl")
        write_text(paths[-1], "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return paths


def lm_eval_results(
    completions: pl.DataFrame, config: EvalsConfig, *, model: str, n_all: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Build the content of the results from COMPLETION rows."""
    rows = {row["benchmark"]: row for row in summarize(completions).iter_rows(named=True)}
    entries = {entry.name: entry for entry in config.benchmarks if entry.name in rows}
    n_shot = {
        name: entry.n_shots + len(config.conditions(entry).prompt.shots) for name, entry in entries.items()
    }
    return {
        "results": {name: _task_results(row) for name, row in rows.items()},
        "group_subtasks": {name: [] for name in rows},
        "configs": {
            name: _task_config(name, rows[name], config.conditions(entry), n_shot[name])
            for name, entry in entries.items()
        },
        "versions": dict.fromkeys(rows, 1),
        "n-shot": n_shot,
        "higher_is_better": {name: dict.fromkeys(METRICS, True) for name in rows},
        "n-samples": {
            name: {"original": (n_all or {}).get(name, row["n_questions"]), "effective": row["n_questions"]}
            for name, row in rows.items()
        },
        "config": {"model": "reasoner-zero", "model_args": {"pretrained": model}, "random_seed": config.seed},
        "model_source": "reasoner-zero",
        "model_name": model,
        "model_name_sanitized": model.replace("/", "__"),
    }


def _task_results(row: dict) -> dict[str, Any]:
    result: dict[str, Any] = {"alias": row["benchmark"], "sample_len": row["n_questions"]}
    for metric, column in METRICS.items():
        result[f"{metric},{FILTER}"] = row[column]
        result[f"{metric}_stderr,{FILTER}"] = row["stderr"] if metric == "exact_match" else "N/A"
    return result


def _task_config(name: str, row: dict, conditions: Conditions, n_shot: int) -> dict[str, Any]:
    sampling = conditions.sampling
    return {
        "task": name,
        "output_type": "multiple_choice" if conditions.method == "letters" else "generate_until",
        # What each sample row has, for the visualizers.
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "num_fewshot": n_shot,
        "repeats": row["n_samples"],
        "generation_kwargs": {
            "until": list(sampling.stop),
            "do_sample": sampling.temperature > 0,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_gen_toks": sampling.max_new_tokens,
        },
    }


def lm_eval_samples(completions: pl.DataFrame, config: EvalsConfig) -> dict[str, list[dict[str, Any]]]:
    """Build the sample rows of each benchmark, one per question, its responses in sample order."""
    samples: dict[str, list[dict[str, Any]]] = {}
    stop = {entry.name: list(config.conditions(entry).sampling.stop) for entry in config.benchmarks}
    ordered = completions.sort("sample", maintain_order=True)
    groups = ordered.group_by("benchmark", "question_id", maintain_order=True)
    for (name, question_id), part in groups:
        rows = samples.setdefault(str(name), [])
        first = part.row(0, named=True)
        document = {"question_id": question_id, "level": first["level"], "subject": first["subject"]}
        rows.append(
            {
                "doc_id": len(rows),
                "doc": document,
                "target": first["gold"],
                "arguments": {"gen_args_0": {"arg_0": first["prompt"], "arg_1": {"until": stop[str(name)]}}},
                "resps": [part["response"].to_list()],
                "filtered_resps": part["extracted"].fill_null("[invalid]").to_list(),
                "filter": FILTER,
                "metrics": ["exact_match"],
                "doc_hash": hash_text(json.dumps(document, indent=2, ensure_ascii=False)),
                "prompt_hash": hash_text(first["prompt"]),
                "target_hash": hash_text(first["gold"]),
                "exact_match": part["is_correct"].cast(pl.Float64).mean(),
            }
        )
    return samples
