"""Measure time and memory of curation by number of rows, on a corpus made from real problems.

    python bench/curate_scale.py ../shared/data/raw --rows 250000 1000000 2000000

Row i is a problem from the folder. Seven of ten further copies of a problem get other numbers (another
problem); the others repeat it, half of them inside an instruction. Each size runs in a separate process; the
slope from the smallest to the largest size predicts what 10 million rows would take.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
from dedup import problems_in
from rich.console import Console
from rich.table import Table

from curation.config import CurationConfig
from curation.curate import curate

ROWS_PER_FILE = 250_000
NUMBER = re.compile(r"\d+")
WRAPPER = "Think it over in peace, then put the result in a box. "


def vary(text: str, copy: int, rng: random.Random) -> str:
    """Copy number `copy` of a text; copy 0 is the text itself."""
    if copy == 0:
        return text
    if rng.random() < 0.7:
        return NUMBER.sub(lambda match: str(int(match.group()[:9]) + copy * 7 + rng.randrange(5)), text)
    return WRAPPER + text if rng.random() < 0.5 else text


def make(texts: list[str], n_rows: int, folder: Path) -> list[str]:
    """Write Parquet files with `problem` and `answer`; returns their names."""
    rng, names = random.Random(0), []
    for begin in range(0, n_rows, ROWS_PER_FILE):
        rows = range(begin, min(n_rows, begin + ROWS_PER_FILE))
        problems = [vary(texts[row % len(texts)], row // len(texts), rng) for row in rows]
        answers = [str(rng.randrange(1000)) for _ in rows]
        names.append(f"made-{begin:09d}.parquet")
        pl.DataFrame({"problem": problems, "answer": answers}).write_parquet(folder / names[-1])
    return names


def child(folder: str) -> None:
    root = Path(folder)
    sources = [{"name": file.stem, "file": file.name} for file in sorted(root.glob("made-*.parquet"))]
    config = CurationConfig.model_validate({"sources": sources, "dedup": {"conflicts": "keep"}})
    protected = pl.read_parquet(root / "protected.parquet")
    result = curate(config, data_root=root, protected=protected, folder=root / "out")
    totals = {name: sum(one[name] for one in result.timings) for name in ("wall_s", "cpu_s")}
    totals["peak_bytes"] = max(one["peak_bytes"] for one in result.timings)
    totals["kept"] = result.funnel["kept"][-1]
    totals["phases"] = " ".join(f"{one['phase']} {one['cpu_s']:.0f}" for one in result.timings)
    sys.stdout.write(json.dumps(totals) + "\n")


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", type=Path, help="file or folder of problems")
    parser.add_argument("--rows", type=int, nargs="+", default=[250_000, 1_000_000, 2_000_000])
    parser.add_argument("--scratch", type=Path, help="folder for the made corpus (default: the system's)")
    arguments = parser.parse_args()
    texts, console = problems_in(arguments.problems), Console(width=120)
    table = Table(title="Curation by corpus size, one process", title_justify="left")
    for name in ("rows", "kept", "wall s", "CPU s", "rows/CPU-s", "peak MiB", "CPU s by phase"):
        table.add_column(name, justify="left" if "phase" in name else "right")
    sizes = []
    for n_rows in sorted(arguments.rows):
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
            make(texts, n_rows, Path(folder))
            benchmark = pl.DataFrame({"question_id": map(str, range(1000)), "problem": texts[:1000]})
            benchmark = benchmark.with_columns(benchmark=pl.lit("b"))
            benchmark.write_parquet(Path(folder) / "protected.parquet")
            command = [sys.executable, __file__, "--child", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            result = json.loads(done.stdout.splitlines()[-1])
        sizes.append((n_rows, result["peak_bytes"], result["cpu_s"]))
        table.add_row(
            f"{n_rows:,}", f"{result['kept']:,}", f"{result['wall_s']:.0f}", f"{result['cpu_s']:.0f}",
            f"{n_rows / result['cpu_s']:,.0f}", f"{result['peak_bytes'] / 2**20:,.0f}", result["phases"],
        )  # fmt: skip
        console.print(f"{n_rows:,} rows: {result}", markup=False)
    console.print(table)
    if len(sizes) > 1:
        (low, low_bytes, low_s), (high, high_bytes, high_s) = sizes[0], sizes[-1]
        per_row, s_per_row = (high_bytes - low_bytes) / (high - low), (high_s - low_s) / (high - low)
        at_10m = (high_bytes + per_row * (10**7 - high)) / 2**30
        console.print(
            f"slope: {per_row:,.0f} bytes and {s_per_row * 1e6:.0f} CPU-us per row; "
            f"10 million rows: {at_10m:.1f} GiB, {(high_s + s_per_row * (10**7 - high)) / 60:.0f} CPU-minutes"
        )


if __name__ == "__main__":
    main()
