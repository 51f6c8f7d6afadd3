"""Published results to compare with, as shares (Open-Reasoner-Zero, arXiv 2503.24290, tables 2 to 4)."""

import polars as pl

_ROWS = {
    "ORZ-0.5B": (0.010, 0.002, 0.310, 0.121, None, None),
    "ORZ-1.5B": (0.035, 0.010, 0.580, 0.168, None, None),
    "ORZ-7B": (0.179, 0.156, 0.814, 0.366, None, None),
    "ORZ-32B": (0.481, 0.360, 0.922, 0.555, 0.849, 0.744),
    "DeepSeek-R1-Zero-Qwen-32B": (0.470, None, 0.916, 0.550, None, None),
    "QwQ-32B-Preview": (0.500, 0.335, 0.906, 0.545, None, None),
    "Qwen2.5-32B": (None, None, None, None, 0.833, 0.551),
    "Qwen2.5-32B-Instruct": (None, None, None, None, 0.832, 0.692),
}
_BENCHMARKS = ("aime2024", "aime2025", "math500", "gpqa_diamond", "mmlu", "mmlu_pro")

REFERENCE = pl.DataFrame(
    [
        (model, benchmark, accuracy)
        for model, values in _ROWS.items()
        for benchmark, accuracy in zip(_BENCHMARKS, values, strict=True)
        if accuracy is not None
    ],
    schema={"model": pl.String(), "benchmark": pl.String(), "accuracy": pl.Float64()},
    orient="row",
)
"""[model, benchmark, accuracy]; accuracy is avg@16 for AIME, as the paper reports it."""
