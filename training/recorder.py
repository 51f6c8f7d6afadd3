"""Writer of a training run's records: metrics, timings, evaluations, rollouts, TensorBoard, trackers."""

import importlib
import json
import os
from pathlib import Path
from typing import Any

import polars as pl

from rewards.contracts.files import atomic_open, write_parquet
from rewards.contracts.records import EVALUATION, METRIC, ROLLOUT, TIMING, Schema


class JsonLines:
    """An append-only file of one record per step; on resume, later steps are dropped from it."""

    def __init__(self, path: Path, schema: Schema, resume_step: int) -> None:
        self.path, self.schema = path, schema
        kept = [line for line in read_lines(path) if line["step"] <= resume_step]
        with atomic_open(path, "w") as file:
            file.writelines(self._render(line) for line in kept)

    def append(self, record: dict) -> None:
        """Write one record and flush it to the disk; ValueError when a column of the schema is missing."""
        missing = [c.name for c in self.schema.columns if c.name not in record]
        if missing:
            raise ValueError(f"{self.path.name}: record lacks {missing}")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(self._render(record))
            file.flush()
            os.fsync(file.fileno())

    def _render(self, record: dict) -> str:
        return json.dumps({name: record.get(name) for name in self.schema.names}) + "\n"


def read_lines(path: Path) -> list[dict]:
    """Records of a JSON-lines file; an incomplete last line (killed while writing) is skipped."""
    if not path.exists():
        return []
    *whole, _torn = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in whole]


class Recorder:
    """Write each step's records (first rank) and responses (every rank) to `folder`."""

    def __init__(
        self,
        folder: Path,
        tensorboard: Path | None,
        resume_step: int,
        rank: int,
        tracker: str = "none",
    ) -> None:
        self.folder, self.rank, self.board, self.tracker = folder, rank, None, None
        (folder / "rollouts").mkdir(parents=True, exist_ok=True)
        self.history = [line for line in read_lines(folder / "metrics.jsonl") if line["step"] <= resume_step]
        """Metrics of the steps so far; on the first rank it grows."""
        if rank:
            return
        self.metrics = JsonLines(folder / "metrics.jsonl", METRIC, resume_step)
        self.timings = JsonLines(folder / "timings.jsonl", TIMING, resume_step)
        self.evaluations = JsonLines(folder / "evaluations.jsonl", EVALUATION, resume_step)
        if tracker != "none":
            self.tracker = open_tracker(tracker, folder.name)
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(tensorboard), purge_step=resume_step + 1)

    def prompts(self, problem_ids: list[str], rejects: pl.DataFrame) -> None:
        """Record which prompts are trained on and which were rejected."""
        if self.rank:
            return
        chosen = pl.DataFrame({"problem_id": problem_ids}, schema={"problem_id": pl.String})
        for name, frame in (("prompts.parquet", chosen), ("rejects.parquet", rejects)):
            write_parquet(self.folder / name, frame)

    def rollouts(self, step: int, rows: list[dict]) -> None:
        path = self.folder / "rollouts" / f"step-{step:06d}-rank-{self.rank:03d}.parquet"
        write_parquet(path, ROLLOUT.frame(rows))

    def step(
        self, metrics: dict, timings: dict, histograms: dict[str, list[int]] | None = None, top: int = 0
    ) -> None:
        """Write a step's records; each histogram has counts in equal bins from 0 to `top`."""
        if self.rank:
            return
        self.metrics.append(metrics)
        self.timings.append(timings)
        self.history.append(metrics)
        self._show(metrics["step"], {"train": metrics, "timing": timings})
        if self.board is not None:
            for name, counts in (histograms or {}).items():
                add_histogram(self.board, f"lengths/{name}", counts, top, metrics["step"])
            self.board.flush()

    def evaluation(self, step: int, measures: dict[str, tuple[float, int]]) -> None:
        """Write an evaluation: mean and number of responses by name."""
        if self.rank:
            return
        for name, (value, n) in measures.items():
            self.evaluations.append({"step": step, "name": name, "value": value, "n": n})
        self._show(step, {"eval": {name: value for name, (value, _) in measures.items()}})

    def _show(self, step: int, groups: dict[str, dict]) -> None:
        """Send numbers to TensorBoard and to the tracker."""
        shown = {
            f"{group}/{name}": value
            for group, record in groups.items()
            for name, value in record.items()
            if name != "step" and value is not None
        }
        if self.board is not None:
            for name, value in shown.items():
                self.board.add_scalar(name, value, step)
            self.board.flush()
        if self.tracker is not None:
            self.tracker.log(shown, step=step)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()
        if self.tracker is not None:
            self.tracker.finish()


def open_tracker(name: str, run: str) -> Any:
    """Start a run in wandb or trackio, which have the same API for the calls used here."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        raise ValueError(
            f'training.tracker: {name} is not installed; pip install {name}, or set tracker = "none"'
        ) from None
    module.init(project="reasoner-zero", name=run)
    return module


def add_histogram(board: Any, name: str, counts: list[int], top: int, step: int) -> None:
    """Add a histogram with the counts of equal bins from 0 to `top`."""
    width = top / len(counts)
    middles = [(index + 0.5) * width for index in range(len(counts))]
    board.add_histogram_raw(
        name,
        min=0.0,
        max=float(top),
        num=sum(counts),
        sum=sum(n * x for n, x in zip(counts, middles, strict=True)),
        sum_squares=sum(n * x * x for n, x in zip(counts, middles, strict=True)),
        bucket_limits=[(index + 1) * width for index in range(len(counts))],
        bucket_counts=counts,
        global_step=step,
    )


def read_records(path: Path, schema: Schema) -> pl.DataFrame:
    """The records of a finished run as a frame with the columns of `schema`."""
    return pl.DataFrame(read_lines(path), schema=schema.polars)
