"""Names of a training's checkpoints and exports, and the proof that it is finished; without torch."""

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from rewards.contracts.files import remove_leftovers

STEP = re.compile(r"step-(\d{6})")
INDEX = "model.safetensors.index.json"
WHOLE = "model.safetensors"


def step_folder(root: Path, step: int) -> Path:
    return root / f"step-{step:06d}"


def saved_steps(root: Path) -> list[int]:
    """Steps that have a complete folder in `root`, ascending."""
    if not root.exists():
        return []
    return sorted(int(match[1]) for path in root.iterdir() if (match := STEP.fullmatch(path.name)))


def recorded_steps(folder: Path) -> list[int]:
    """Steps in the records of a training (metrics.jsonl), in order; a torn last line is left out."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    *whole, _torn = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line)["step"] for line in whole]


def what_is_missing(folder: Path, n_steps: int, models: Iterable[str]) -> str | None:
    """Why the training in `folder` is not finished, or None when it is.

    It is finished when its records end with step `n_steps`, without a gap, and when that step's export of
    each of `models` (actor, critic) is complete by name.
    """
    steps = recorded_steps(folder)
    if steps != list(range(1, n_steps + 1)):
        last = steps[-1] if steps else 0
        return f"its records end at step {last} of {n_steps}" if last != n_steps else "its records have a gap"
    export = step_folder(folder / "exports", n_steps)
    for name in models:
        if (lacking := missing_file(export / name)) is not None:
            return f"the export of its last step lacks {(export / name / lacking).relative_to(folder)}"
    return None


def missing_file(model: Path) -> str | None:
    """The first file that a model folder in Hugging Face format lacks; None when it is complete."""
    shards = [WHOLE]
    if (model / INDEX).is_file():
        shards = sorted(set(json.loads((model / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    return next((name for name in ("config.json", *shards) if not (model / name).is_file()), None)


def keep_exports(root: Path, history: Iterable[Mapping], n_best: int) -> None:
    """Delete all exports except the last one and the `n_best` with the highest rewards.

    An export's reward is the mean over the records of `history` after the previous export still on disk.
    """
    steps = saved_steps(root)
    records = list(history)
    scores = {}
    for before, step in zip([0, *steps], steps, strict=False):
        rewards = [record["reward"] for record in records if before < record["step"] <= step]
        scores[step] = sum(rewards) / max(1, len(rewards))
    best = sorted(steps, key=lambda step: (-scores[step], step))[:n_best]
    for step in steps:
        if step not in best and step != steps[-1]:
            shutil.rmtree(step_folder(root, step))


def drop_later(folder: Path, done: int) -> None:
    """Delete what an earlier start made after step `done`: rollouts, evaluations, exports; and what it was
    writing when it was killed.

    Another number of ranks or other settings would not write over all of it.
    """
    for part in ("rollouts", "evaluations", "exports"):
        remove_leftovers(folder / part)
        for path in (folder / part).glob("step-*"):
            if (match := STEP.match(path.name)) and int(match[1]) > done:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
