"""Benchmarks: `load` one from its config, `from_frame` for your own, `protected` for decontamination."""

from evals.benchmarks import (  # noqa: F401  importing a benchmark registers it
    aime2024,
    aime2025,
    amc23,
    amo_bench,
    beyond_aime,
    gpqa_diamond,
    gsm8k,
    hmmt_feb_2025,
    math500,
    matharena,
    minerva,
    mmlu,
    mmlu_pro,
    olympiadbench,
)
from evals.benchmarks.loading import from_frame, load, protected
from evals.benchmarks.registry import Benchmark, registered

__all__ = ["Benchmark", "from_frame", "load", "protected", "registered"]
