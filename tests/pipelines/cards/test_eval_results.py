"""Results as the hub reads them: its own classes read back what is written."""

import yaml
from huggingface_hub import ModelCardData, parse_eval_result_entries

from evals.config import BenchmarkConfig, EvalsConfig
from pipelines.cards.eval_results import eval_result_files, model_index

AIME = "MathArena/aime_2026"


def result(n_questions: int) -> dict:
    return {"after": {"value": 0.4, "ci95": [0.3, 0.5], "n_questions": n_questions, "n_samples": 16}}


CONFIG = EvalsConfig(
    benchmarks=(
        BenchmarkConfig(name="aime2026", n_samples=16),
        BenchmarkConfig(name="gpqa_diamond", n_samples=4),
        BenchmarkConfig(name="gsm8k"),
        BenchmarkConfig(name="mmlu_pro", limit=100),
        BenchmarkConfig(name="math500"),
        BenchmarkConfig(name="mine", kind="custom", hub="me/mine", hub_subset="hard"),
        BenchmarkConfig(name="sums", kind="frame"),
    ),
    temperature=0.6,
)
N_QUESTIONS = {"aime2026": 30, "gpqa_diamond": 198, "gsm8k": 1318, "mmlu_pro": 100, "math500": 500}
N_QUESTIONS |= {"mine": 9, "sums": 9}
ACCURACY = {name: result(n) for name, n in N_QUESTIONS.items()}


def test_the_index_names_data_sets_subsets_and_splits() -> None:
    card = ModelCardData(model_name="m", license="mit", eval_results=model_index(ACCURACY, CONFIG))
    (index,) = yaml.safe_load(card.to_yaml())["model-index"]
    found = {row["dataset"]["type"]: row["dataset"] for row in index["results"]}
    assert (
        found["MathArena/aime_2026"]["name"] == "AIME 2026"
        and found["MathArena/aime_2026"]["split"] == "train"
    )
    assert found["Idavidrein/gpqa"]["config"] == "gpqa_diamond"
    assert (found["me/mine"]["config"], found["me/mine"]["split"]) == ("hard", "test")
    assert "split" not in found["sums"]
    (metric,) = next(row for row in index["results"] if row["dataset"]["type"] == "MathArena/aime_2026")[
        "metrics"
    ]
    assert (metric["type"], metric["name"], metric["value"]) == ("accuracy", "avg@16", 0.4)


def test_only_whole_benchmarks_that_the_hub_lists_get_a_file() -> None:
    """Not MATH500, which has no task there, nor parts of MMLU-Pro and GSM8K, nor files of one's own."""
    files = eval_result_files(ACCURACY, CONFIG, "me/model", "2026-11-26")
    assert set(files) == {".eval_results/MathArena--aime_2026.yaml", ".eval_results/Idavidrein--gpqa.yaml"}
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/MathArena--aime_2026.yaml"]))
    assert (entry.dataset_id, entry.task_id, entry.value) == (
        "MathArena/aime_2026",
        "MathArena/aime_2026",
        40.0,
    )
    assert (entry.date, entry.source_url) == ("2026-11-26", "https://huggingface.co/me/model")
    assert "avg@16 on 30 questions, 95% interval 30.0 to 50.0; temperature 0.6" in str(entry.notes)
