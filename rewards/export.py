"""Export a compiled prompt set in the layouts that other trainers read.

    python -m rewards.export runs/demo/rewards/prompts.parquet exported --layout orz

>>> sorted(LAYOUTS)
['openrlhf', 'orz', 'trl', 'verl']
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from rewards.contracts.files import atomic_open


def export_prompts(compiled: pl.DataFrame, folder: Path, layout: str) -> Path:
    """Write rows of `records.COMPILED_REWARD` to `folder` in one of `LAYOUTS`; return the file.

    All of them contain the bare problem: the trainer adds its own template. ValueError for an unknown layout.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(sorted(LAYOUTS))}, got {layout!r}")
    name, write = LAYOUTS[layout]
    path = folder / name
    write(compiled, path)
    return path


def _write_orz(compiled: pl.DataFrame, path: Path) -> None:
    """Open-Reasoner-Zero: a JSON list of conversations of two messages."""
    rows = [
        [
            {"from": "human", "value": problem},
            {"from": "assistant", "ground_truth": {"value": answer}},
        ]
        for problem, answer in compiled.select("problem", "answer").iter_rows()
    ]
    with atomic_open(path, "w") as file:
        json.dump(rows, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _write_trl(compiled: pl.DataFrame, path: Path) -> None:
    """TRL: a conversational column `prompt`, and the columns that reward functions receive."""
    rows = (
        {"prompt": [{"role": "user", "content": row["problem"]}]}
        | {name: row[name] for name in ("answer", "problem_id", "source")}
        for row in compiled.iter_rows(named=True)
    )
    _write_lines(rows, path)


def _write_openrlhf(compiled: pl.DataFrame, path: Path) -> None:
    """OpenRLHF: `--data.input_key input --data.label_key label`."""
    rows = (
        {"input": row["problem"], "label": row["answer"], "datasource": row["source"]}
        for row in compiled.iter_rows(named=True)
    )
    _write_lines(rows, path)


def _write_lines(rows: Iterable[dict], path: Path) -> None:
    with atomic_open(path, "w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_verl(compiled: pl.DataFrame, path: Path) -> None:
    """verl: a parquet file with the columns of its data preprocessing examples."""
    numbered = compiled.with_row_index("index")
    message = pl.struct(pl.lit("user").alias("role"), pl.col("problem").alias("content"))
    frame = numbered.select(
        pl.col("source").alias("data_source"),
        message.implode().over("index").alias("prompt"),
        pl.lit("math").alias("ability"),
        pl.struct(pl.lit("rule").alias("style"), pl.col("answer").alias("ground_truth")).alias(
            "reward_model"
        ),
        pl.struct("split", pl.col("index").cast(pl.Int64), "problem_id").alias("extra_info"),
    )
    with atomic_open(path) as file:
        frame.write_parquet(file)


def main() -> None:
    """Read a parquet file of the rewards stage and write one split in one layout."""
    parser = argparse.ArgumentParser(description="Write compiled prompts in another trainer's layout.")
    parser.add_argument("prompts", type=Path, help="prompts.parquet of a rewards stage")
    parser.add_argument("folder", type=Path, help="folder to write the file to")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), default="orz")
    parser.add_argument("--split", default="train", help="train or validation")
    arguments = parser.parse_args()
    compiled = pl.read_parquet(arguments.prompts).filter(pl.col("split") == arguments.split)
    path = export_prompts(compiled, arguments.folder, arguments.layout)
    sys.stdout.write(f"{compiled.height} prompts in {path}\n")


LAYOUTS: dict[str, tuple[str, Callable[[pl.DataFrame, Path], None]]] = {
    "orz": ("orz.json", _write_orz),
    "trl": ("trl.jsonl", _write_trl),
    "verl": ("verl.parquet", _write_verl),
    "openrlhf": ("openrlhf.jsonl", _write_openrlhf),
}
"""File name and writer of each layout."""

if __name__ == "__main__":
    main()
