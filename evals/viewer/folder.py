"""The viewer as a folder that opens from the disk, without a server: to keep beside a paper, or to send.

    write_folder(Responses(sets), Path("view"), "demo")      # then open view/index.html

The page reads scripts only, since a browser lets a page from the disk read nothing else: for each set an
index, and files of CHUNK responses with their formulas.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evals.viewer.page import CHUNK, render_viewer
from evals.viewer.tables import Responses, to_shown
from rewards.contracts.files import write_text

PAGE = "index.html"
BLOCK = 50 * CHUNK
"""Responses read from a Parquet file at once."""


def write_folder(
    responses: Responses,
    folder: Path,
    title: str,
    *,
    first: str = "",
    report: str = "",
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Write the page and all its data; returns how many responses. Files of the same names are replaced.

    `report`: where the run's report lies, from the folder. The page is written last.
    """
    n_written = 0
    for each in responses.sets.values():
        for step in each.files:
            name = each.name if step is None else f"{each.name}-{step}"
            index = responses.index(each.name, step)
            _write(folder, f"{name}/index", index)
            frame = responses.scan(each.name, step)
            for start in range(0, index["n"], BLOCK):
                rows = [to_shown(row) for row in frame.slice(start, BLOCK).collect().iter_rows(named=True)]
                for place in range(0, len(rows), CHUNK):
                    _write(folder, f"{name}/{(start + place) // CHUNK}", rows[place : place + CHUNK])
                n_written += len(rows)
                if on_progress:
                    on_progress(len(rows))
    page = render_viewer(title, responses.describe(), "folder", first=first, report=report)
    write_text(folder / PAGE, page)
    return n_written


def _write(folder: Path, name: str, value: Any) -> None:
    """A script that hands its value to the page; JSON in ASCII is JavaScript."""
    text = json.dumps(value, separators=(",", ":"))
    write_text(folder / "data" / f"{name}.js", f"receive({json.dumps(name)},{text});\n")
