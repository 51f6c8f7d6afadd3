"""Segments of a training: the stretches of steps that one configuration, code and number of ranks made.

`segments.json` in a training's folder is a list, in order of `from_step`. Without torch.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rewards.contracts.files import read_json, write_json
from rewards.contracts.settings import Kind

FILE = "segments.json"
Segment = dict[str, Any]
"""from_step; n_ranks; settings, by dotted key; kinds, of those keys that do not decide the result; inputs, by
name; code, commit, libraries."""


def read_segments(folder: Path) -> list[Segment]:
    path = folder / FILE
    return read_json(path) if path.exists() else []


def begin_segment(folder: Path, done: int, description: Mapping[str, Any], n_ranks: int) -> int:
    """Note that the steps after `done` are made as `description` says; returns the segment's number, from 0.

    A start in which nothing changed continues the last segment. Segments of steps that are made again go.
    """
    kept = [segment for segment in read_segments(folder) if segment["from_step"] <= done]
    made = {**description, "n_ranks": n_ranks}
    if not kept or {**kept[-1], "from_step": 0} != {**made, "from_step": 0}:
        kept.append({"from_step": done + 1, **made})
    write_json(folder / FILE, kept)
    return len(kept) - 1


def differences(before: Mapping[str, Any], now: Mapping[str, Any], kinds: set[Kind]) -> Iterator[str]:
    """One line for each setting of `kinds`, input or code that differs, such as "training.seed: 0 -> 1".

    Inputs and code count as Kind.RESULT, library versions as Kind.OPERATION, ranks as Kind.PLACEMENT.
    """
    for key in {**before["settings"], **now["settings"]}:
        kind = Kind(now["kinds"].get(key, before["kinds"].get(key, Kind.RESULT)))
        old, new = before["settings"].get(key), now["settings"].get(key)
        if kind in kinds and old != new and not (key.endswith("deepspeed.n_ranks") and "n_ranks" in now):
            yield f"{key}: {_shown(old)} -> {_shown(new)}"
    if Kind.RESULT in kinds:
        for name in {**before["inputs"], **now["inputs"]}:
            old, new = before["inputs"].get(name), now["inputs"].get(name)
            if old != new:
                yield f"input {name}: {_shown(old)} -> {_shown(new)}"
        if before["code"] != now["code"]:
            yield (
                f"code of the stage: {before['code']} (commit {_short(before['commit'])}) -> "
                f"{now['code']} (commit {_short(now['commit'])})"
            )
    if Kind.OPERATION in kinds:
        for name in {**before["libraries"], **now["libraries"]}:
            old, new = before["libraries"].get(name), now["libraries"].get(name)
            if old != new:
                yield f"library {name}: {_shown(old)} -> {_shown(new)}"
    if Kind.PLACEMENT in kinds and before.get("n_ranks") != now.get("n_ranks", before.get("n_ranks")):
        yield f"ranks: {before['n_ranks']} -> {now['n_ranks']}"


def is_harmless(change: str, before: Mapping[str, Any], now: Mapping[str, Any], done: int) -> bool:
    """Whether a line of `differences` leaves all steps as they would have been, those after `done` as well.

    Rails watch. Another number of steps only ends the run elsewhere, unless steps so far belong to an
    annealing stage that then begins elsewhere.
    """
    if change.startswith("training.rails."):
        return True
    if not change.startswith("training.n_steps:"):
        return False
    both = (before["settings"], now["settings"])
    return all(
        not settings.get("training.anneal.n_steps") or done <= (settings.get("training.n_steps") or 0)
        for settings in both
    )


def describe_segments(segments: list[Segment]) -> list[str]:
    """One line a segment: its first step, its ranks, what changed, and whether equal bytes are promised."""
    lines = []
    for number, segment in enumerate(segments):
        line = f"from step {segment['from_step']}: {segment['n_ranks']} rank(s), code {segment['code']}"
        if number:
            before = segments[number - 1]
            changes = [*differences(before, segment, set(Kind))]
            line += f"; changed: {'; '.join(changes)}"
            result = [
                change
                for change in differences(before, segment, {Kind.RESULT})
                if not is_harmless(change, before, segment, segment["from_step"] - 1)
            ]
            placed = [*differences(before, segment, {Kind.PLACEMENT})]
            if result or placed:
                line += "; from here on, not the bytes of a run without the change"
        lines.append(line)
    return lines


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def _short(commit: str | None) -> str:
    return "unknown" if commit is None else commit[:10] + ("+changes" if commit.endswith("+changes") else "")
