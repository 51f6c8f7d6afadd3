"""Score deduplication on labeled rows, and compare its speed with that of other tools on the same rows.

    python bench/dedup.py dedup_public.jsonl.gz
    python bench/dedup.py dedup_public.jsonl.gz --speed ../shared/data/raw --peers

Columns of the labeled rows: text, cluster (rows of one cluster are one problem), kind. `--speed` names a
file or a folder of files with problems (every third is used). `--peers` makes an environment with rensa,
datasketch and datatrove and runs each of them, and ours, in a separate process. Rows per CPU-second exclude
startup and compilation; bytes per row are resident memory in addition to the texts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
from peers.dedup import TOOLS, measure
from peers.environment import peer_environment
from rich.console import Console
from rich.table import Table

from curation.decontaminate.benchmarks import problem_of
from curation.dedup.clusters import dedup_texts
from curation.dedup.duplicates import DuplicateConfig
from curation.sources.readers import FORMATS, read_rows

LOOK_ALIKES = ["one_number", "all_numbers", "flip", "sign", "real_variant"]
PACKAGES = ["rensa", "datasketch", "datatrove[processing]", "spacy", "polars"]
OURS = "curation.dedup"


def quality(labeled: pl.DataFrame, roots: list[int]) -> dict[str, float]:
    """Precision, recall and F1 over pairs of rows; share of look-alikes not merged with another problem."""
    frame = labeled.with_columns(root=pl.Series(roots))

    def n_pairs(*columns: str) -> int:
        sizes = frame.group_by(columns).len()["len"].cast(pl.Int64)
        return int((sizes * (sizes - 1) // 2).sum())

    both, found, true = n_pairs("root", "cluster"), n_pairs("root"), n_pairs("cluster")
    mixed = frame.group_by("root").agg(n=pl.col("cluster").n_unique()).filter(pl.col("n") > 1)["root"]
    merged = frame.filter(pl.col("kind").is_in(LOOK_ALIKES))["root"].is_in(mixed.implode())
    return {
        "precision": both / max(found, 1),
        "recall": both / true,
        "f1": 2 * both / (found + true),
        "look-alikes kept": 1 - merged.sum() / len(merged),
    }


def problems_in(path: Path) -> list[str]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    named = [file for file in files if any(f"{suffix}." in f"{file.name}." for suffix in FORMATS)]
    found = (problem_of(row.value) for file in named for row in read_rows(file, max_row_bytes=10**8))
    return [text for text in found if text][::3]


def ours(texts: list[str]) -> list[int]:
    return dedup_texts(pl.Series(texts), DuplicateConfig()).to_list()


def run(tool: str, python: Path | str, texts: list[str], folder: Path) -> tuple[list[int], dict[str, float]]:
    """Run one tool in a separate process."""
    source, target = folder / "texts.parquet", folder / "roots.parquet"
    pl.DataFrame({"text": texts}).write_parquet(source)
    script = Path(__file__) if tool == OURS else Path(__file__).with_name("peers") / "dedup.py"
    command = [str(python), str(script), *(["--child"] if tool == OURS else [tool]), str(source), str(target)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return pl.read_parquet(target)["root"].to_list(), json.loads(done.stdout.splitlines()[-1])


def child(source: str, target: str) -> None:
    roots, usage = measure(ours, pl.read_parquet(source)["text"].to_list())
    pl.DataFrame({"root": roots}).write_parquet(target)
    sys.stdout.write(json.dumps(usage) + "\n")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        return child(*sys.argv[2:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path, help="labeled rows")
    parser.add_argument("--speed", type=Path, help="file or folder of problems (default: the labeled rows)")
    parser.add_argument("--peers", action="store_true", help="also run the other tools")
    arguments = parser.parse_args()
    labeled = pl.DataFrame(
        [row.value for row in read_rows(arguments.rows, max_row_bytes=10**8)], infer_schema_length=None
    )
    texts = problems_in(arguments.speed) if arguments.speed else labeled["text"].to_list()
    tools: dict[str, Path | str] = {OURS: sys.executable}
    if arguments.peers:
        tools |= dict.fromkeys(TOOLS, peer_environment("dedup", PACKAGES))
    table = Table(title=f"{labeled.height:,} labeled rows, speed on {len(texts):,}", title_justify="left")
    for name in ("tool", "precision", "recall", "F1", "look-alikes kept", "rows/CPU-s", "ours", "bytes/row"):
        table.add_column(name, justify="left" if name == "tool" else "right")
    speed_of_ours = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for tool, python in tools.items():
            roots, _ = run(tool, python, labeled["text"].to_list(), Path(folder))
            _, usage = run(tool, python, texts, Path(folder))
            speed = len(texts) / usage["cpu_s"]
            speed_of_ours = speed_of_ours or speed
            scores = [f"{score:.4f}" for score in quality(labeled, roots).values()]
            ratio, memory = f"{speed_of_ours / speed:.2f}x", f"{usage['bytes'] / len(texts):,.0f}"
            table.add_row(tool, *scores, f"{speed:,.0f}", ratio, memory)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
