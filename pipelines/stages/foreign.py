"""Stored samples of any tool in place of stage sample: files in, responses out.

Artifact: responses.parquet (evals.sampling.RESPONSE), rejects.parquet (responses that belong to no question),
questions.parquet (evals.benchmarks.registry.QUESTION with the benchmark's name), conditions.json.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from evals import conditions
from evals.benchmarks.registry import QUESTION, Benchmark
from evals.foreign.matching import Matched, gather, match, rejects
from evals.foreign.reading import read_files
from evals.foreign.response import Response, asked
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace
from rewards.contracts.files import canonical_json, hash_file, hash_text, read_json, write_json

CODE = (
    *("evals/foreign", "evals/sampling.py", "evals/plan.py", "evals/profiles.py", "evals/conditions.py"),
    *("rewards", "pipelines/stages/foreign.py"),
)
STAGE = Stage("foreign", CODE)


@dataclass(slots=True)
class Read:
    """What was found in the files."""

    responses: list[Response] = field(default_factory=list)
    files: list[tuple[Path, str, int]] = field(default_factory=list)
    """Each file, its layout and its number of responses."""

    @property
    def content(self) -> str:
        """Hash of the files' names and bytes, in their order."""
        return hash_text(canonical_json([(path.name, hash_file(path)) for path, _, _ in self.files]), 16)

    @property
    def mode(self) -> str | None:
        """The judge of our own samples, if all files are ours and say the same."""
        modes = {
            entry.get("mode")
            for path, layout, _ in self.files
            for entry in (_conditions_beside(path).values() if layout == "ours" else ({"mode": None},))
        }
        return modes.pop() if len(modes) == 1 else None


def read_samples(paths: Sequence[Path]) -> Read:
    """Read all files; they have to fit into memory."""
    found = Read()
    found.responses.extend(read_files(paths, lambda *file: found.files.append(file)))
    return found


def match_samples(read: Read, benchmarks: Sequence[Benchmark]) -> list[Matched]:
    """Match responses to the benchmarks, in their order; without any, to the questions in the files.

    ValueError when a benchmark has no response at all.
    """
    if not benchmarks:
        names = dict.fromkeys(response.benchmark for response in read.responses)
        return [gather([one for one in read.responses if one.benchmark == name], name) for name in names]
    matched, left = [], read.responses
    for benchmark in benchmarks:
        found = match(left, benchmark)
        if found.responses.is_empty():
            first = f": the first row asks {asked(left[0].problem or left[0].prompt)[:80]!r}" if left else ""
            raise ValueError(f"{benchmark.name}: the files answer none of its questions{first}")
        matched.append(found)
        left = found.strangers  # What one benchmark does not know, the next may.
    return matched


def foreign_stage(workspace: Workspace, read: Read, matched: Sequence[Matched]) -> Artifact:
    """Store matched responses as stage sample would; linked into the run as sample-files."""
    inputs = {"model": read.content} | {
        f"benchmark:{found.benchmark.name}": found.benchmark.fingerprint for found in matched
    }

    def build(draft: Draft) -> None:
        draft.write("responses.parquet", pl.concat(found.responses for found in matched))
        strangers = rejects(matched[-1].benchmark.name, matched[-1].strangers)
        draft.write_rejects(strangers)
        columns = (pl.lit(found.benchmark.name).alias("benchmark") for found in matched)
        frames = [found.benchmark.questions for found in matched]
        questions = [frame.select(name, *QUESTION) for name, frame in zip(columns, frames, strict=True)]
        draft.write("questions.parquet", pl.concat(questions))
        write_json(draft.folder / conditions.FILE, _conditions(read, matched))
        n_kept = sum(found.responses.height for found in matched)
        draft.count(n_kept + strangers.height, n_kept, strangers.height)

    return workspace.produce(STAGE, {}, inputs, build, "sample-files")


def _conditions(read: Read, matched: Sequence[Matched]) -> dict[str, Any]:
    """What the files say about how each benchmark was sampled, and who wrote them."""
    known: dict[str, Any] = {}
    for path, layout, _ in read.files:
        if layout == "ours":
            known |= _conditions_beside(path)
    stated = [dict(one.conditions) for one in read.responses if one.conditions]
    common = {
        key: value for key, value in (stated[0] if stated else {}).items()
        if all(other.get(key) == value for other in stated)
    }  # fmt: skip
    layouts = sorted({layout for _, layout, _ in read.files})
    return {
        found.benchmark.name: known.get(found.benchmark.name)
        or {"model": read.content, "engine": ", ".join(layouts), **common}
        for found in matched
    }


def _conditions_beside(path: Path) -> dict[str, Any]:
    """conditions.json of the artifact that a file of ours belongs to."""
    for folder in (path.parent, path.parent.parent):
        if (folder / conditions.FILE).exists():
            return read_json(folder / conditions.FILE)
    return {}
