"""Where a training run writes what happened: metrics.jsonl, timings.jsonl, TensorBoard and sampled
responses."""

import json
import os
from pathlib import Path

import polars as pl

from rewards.files import atomic_open
from rewards.records import METRIC, ROLLOUT, TIMING, Schema


class JsonLines:
    """An append-only file of one record per step that forgets the steps after a resume point."""

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
        return json.dumps({name: record[name] for name in self.schema.names}) + "\n"


def read_lines(path: Path) -> list[dict]:
    """Records of a JSON-lines file; a torn last line (killed while writing) is left out."""
    if not path.exists():
        return []
    *whole, _torn = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in whole]


class Recorder:
    """Write one step's records (first rank) and responses (every rank) below `folder`."""

    def __init__(self, folder: Path, tensorboard: Path | None, resume_step: int, rank: int) -> None:
        self.folder, self.rank, self.board = folder, rank, None
        (folder / "rollouts").mkdir(parents=True, exist_ok=True)
        if rank:
            return
        self.metrics = JsonLines(folder / "metrics.jsonl", METRIC, resume_step)
        self.timings = JsonLines(folder / "timings.jsonl", TIMING, resume_step)
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(tensorboard), purge_step=resume_step + 1)

    def prompts(self, problem_ids: list[str], rejects: pl.DataFrame) -> None:
        """Record which prompts are trained on and which were set aside."""
        if self.rank:
            return
        chosen = pl.DataFrame({"problem_id": problem_ids}, schema={"problem_id": pl.String})
        for name, frame in (("prompts.parquet", chosen), ("rejects.parquet", rejects)):
            with atomic_open(self.folder / name) as file:
                frame.write_parquet(file)

    def rollouts(self, step: int, rows: list[dict]) -> None:
        path = self.folder / "rollouts" / f"step-{step:06d}-rank-{self.rank:03d}.parquet"
        with atomic_open(path) as file:
            ROLLOUT.frame(rows).write_parquet(file)

    def step(self, metrics: dict, timings: dict) -> None:
        if self.rank:
            return
        self.metrics.append(metrics)
        self.timings.append(timings)
        if self.board is not None:
            for group, record in (("train", metrics), ("timing", timings)):
                for name, value in record.items():
                    if name != "step" and value is not None:
                        self.board.add_scalar(f"{group}/{name}", value, metrics["step"])
            self.board.flush()

    def close(self) -> None:
        if self.board is not None:
            self.board.close()


def read_records(path: Path, schema: Schema) -> pl.DataFrame:
    """The records of a finished run as a frame with the columns of `schema`."""
    return pl.DataFrame(read_lines(path), schema=schema.polars)
