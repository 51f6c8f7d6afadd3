"""The benchmarks of a run: those made by generators, the curated validation split, and those of `evals`.

Curation keeps them out of the corpus, and evaluation measures models on them. Both load them from here.
"""

from pathlib import Path

import polars as pl

from curation.decontaminate.benchmarks import benchmark_files, benchmark_name, read_benchmarks
from curation.generators import generate
from evals.benchmarks.loading import load
from evals.benchmarks.registry import Benchmark
from evals.config import BenchmarkConfig
from pipelines.config import ConfigError, RunConfig
from training.data import select_rows

VALIDATION = "validation"
"""Name of the frame benchmark that is the validation split of the prompt set; not available before
curation."""


def load_benchmarks(config: RunConfig, prompts: pl.DataFrame | None = None) -> list[Benchmark]:
    """Load every benchmark of `config.evals`; without compiled `prompts`, the validation split is skipped."""
    root = Path(config.data_root) if config.data_root else None
    held_out = {entry.name: entry for entry in config.held_out}
    loaded = []
    for entry in config.evals.benchmarks:
        if entry.kind != "frame":
            loaded.append(load(entry, root, seed=config.evals.seed))
        elif entry.name in held_out:
            frame = generated_frame(held_out[entry.name].generator)
            loaded.append(load(entry, root, frame, seed=config.evals.seed))
        elif entry.name == VALIDATION:
            if prompts is not None:
                training = config.training
                frame = select_rows(prompts, "validation", training.sources, training.subjects)
                loaded.append(load(entry, root, frame.sort("problem_id"), seed=config.evals.seed))
        else:
            known = ", ".join([*held_out, VALIDATION])
            raise ConfigError(f"evals.benchmarks: {entry.name!r} is kind = 'frame'; known frames: {known}")
    return loaded


def protected_benchmarks(config: RunConfig) -> list[Benchmark]:
    """Every benchmark that must not leak into training, with all its questions: `evals` and `protect`."""
    names = {entry.name for entry in config.evals.benchmarks}
    also = tuple(BenchmarkConfig(name=name) for name in config.protect if name not in names)
    entries = tuple(entry.model_copy(update={"limit": 0}) for entry in config.evals.benchmarks)
    evals = config.evals.model_copy(update={"benchmarks": entries + also})
    return load_benchmarks(config.model_copy(update={"evals": evals}))


def generated_frame(generator) -> pl.DataFrame:
    """Distinct problems of one generator: [problem, answer]."""
    tasks = [(task.problem, task.answer) for task in generate(generator)]
    return pl.DataFrame(tasks, schema=["problem", "answer"], orient="row").unique(maintain_order=True)


def protected_files(names: tuple[str, ...], data_root: Path | None) -> dict[str, Path]:
    """The files that `protect_files` names, by benchmark; ConfigError for one that does not exist."""
    found: dict[str, Path] = {}
    for path in _protected_paths(names, data_root):
        found |= {benchmark_name(file, path): file for file in benchmark_files(path)}
    return found


def read_protected(names: tuple[str, ...], data_root: Path | None) -> pl.DataFrame:
    """The problems in the files that `protect_files` names: benchmark, question_id, problem."""
    columns = pl.Schema({"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()})
    frames = [read_benchmarks(path) for path in _protected_paths(names, data_root)]
    return pl.concat([pl.DataFrame(schema=columns), *frames])


def _protected_paths(names: tuple[str, ...], data_root: Path | None) -> list[Path]:
    paths = [(data_root or Path()) / name for name in names]
    for path in paths:
        if not path.exists():
            raise ConfigError(f"protect_files: {path}: no such file or folder; give --data-root or fix it")
    return paths
