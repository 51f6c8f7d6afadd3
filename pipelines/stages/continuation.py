"""What a training does when its run was begun with another configuration or code: ask, resume or start anew.

Nothing of a run is lost or repeated in silence. A change that only concerns the operation of a run continues
it (`rewards.contracts.settings.Kind`); any other is named, and the command asks for --resume or --fresh.
"""

import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.artifacts.artifact import MANIFEST, Stage, locked
from pipelines.artifacts.provenance import code_version, git_commit, library_versions
from pipelines.artifacts.workspace import Workspace
from pipelines.config import RunConfig
from rewards.contracts.files import read_json, write_json
from rewards.contracts.settings import Kind, fields_by_kind
from training.saving.segments import differences, is_harmless, read_segments
from training.saving.steps import recorded_steps, saved_steps

logger = logging.getLogger(__name__)
STATE = ".state"
"""Suffix of the folder, beside a finished artifact, with its newest checkpoint; not part of the artifact."""
KEEP = "keep.json"
"""In that folder: for how many days the training that made it wants it kept."""
DAY_S = 86400.0


class RunChanged(ValueError):
    """The run has steps of another configuration or code, and nobody has said what to do with them."""


def describe(config: RunConfig, settings: Mapping[str, Any], inputs: Mapping[str, str], stage: Stage) -> dict:
    """The segment that a start of this configuration makes; see `training.saving.segments.Segment`.

    `settings` are the fields that decide the result, as in the stage's fingerprint.
    """
    kinds = {f"training.{key}": kind for key, kind, _ in fields_by_kind(config.training) if kind != "result"}
    values = {f"training.{key}": value for key, _, value in fields_by_kind(config.training)}
    return {
        "settings": {**{key: value for key, value in values.items() if key in kinds}, **settings},
        "kinds": kinds,
        "inputs": dict(inputs),
        "code": code_version(stage.packages),
        "commit": git_commit(),
        "libraries": library_versions(),
    }


def prepare(
    workspace: Workspace, stage: Stage, fingerprint: str, now: Mapping[str, Any], n_steps: int
) -> None:
    """Before a training of `n_steps` starts: take over the state of the run so far, if the configuration says
    so. Raises RunChanged when that is not said, or when there is nothing to continue."""
    final = workspace.store.root / stage.name / fingerprint
    partial = final.with_suffix(".partial")
    if final.exists() or partial.exists():
        made = final if final.exists() else partial
        if workspace.config.on_change == "fresh":
            logger.info(
                "stage=%s --fresh changes nothing: this configuration and code made %s; another --name and "
                "training.seed make another run",
                stage.name,
                made,
            )
        if segments := read_segments(made):
            changes = [*differences(segments[-1], now, {Kind.OPERATION, Kind.PLACEMENT})]
            what = (
                "finished, and kept as it is;" if made == final else "continues; the result is the same run,"
            )
            if changes:
                logger.info("stage=%s %s changed in operation: %s", stage.name, what, "; ".join(changes))
        if made == final:
            note_days(_kept_state(final), workspace.config.training.keep_state_days)
        if made == partial and not (partial / "state").exists():
            kept, recorded = saved_steps(_kept_state(final)), recorded_steps(partial)
            if kept and kept[-1:] == recorded[-1:]:  # Killed between its last step and its name.
                os.rename(_kept_state(final), partial / "state")
        return
    former = former_folder(workspace, stage)
    if former is None:
        return
    done, n_recorded = resumable_step(former), len(recorded_steps(former))
    if not done and not (former / MANIFEST).exists():
        if n_recorded:
            logger.info("stage=%s %d steps without a checkpoint are made again", stage.name, n_recorded)
        return
    choice = workspace.config.on_change
    if choice == "ask":
        raise RunChanged(question(workspace, stage, former, done, n_recorded, now))
    if choice == "fresh":
        logger.info("stage=%s starts at step 1; the former steps stay in %s", stage.name, former)
        return
    if not done:
        raise RunChanged(
            f"{former}: its checkpoint is gone (training.keep_state_days), so it cannot be resumed; "
            "start again at step 1 with --fresh"
        )
    segments = read_segments(former)
    changes = [*differences(segments[-1], now, {Kind.RESULT})] if segments else []
    decides = [
        change
        for change in changes
        if not change.startswith("code of the stage") and not is_harmless(change, segments[-1], now, done)
    ]
    if done > n_steps or done == n_steps and decides:
        raise RunChanged(
            f"{former}: already at step {done} of the {n_steps} asked for, so no step would be made with the "
            "new configuration; raise training.n_steps to continue, or start again with --fresh. Exports of "
            "earlier steps are in exports/"
        )
    adopt(workspace, stage, former, partial)
    logger.info("stage=%s resumes at step %d from %s", stage.name, done, former)


def question(
    workspace: Workspace,
    stage: Stage,
    former: Path,
    done: int,
    n_recorded: int,
    now: Mapping[str, Any],
) -> str:
    segments = read_segments(former)
    changes = (
        [*differences(segments[-1], now, {Kind.RESULT})]
        if segments
        else ["made by a version of this program that did not record its configuration"]
    )
    where = workspace.folder / stage.name
    state = f"its newest checkpoint is of step {done}" if done else "its checkpoint is gone"
    return "\n  ".join(
        [
            f"{where}: this run has made {n_recorded} steps ({state}), and now differs from what made them:",
            *(changes or ["nothing that is recorded"]),
        ]
    ) + (
        "\nSay --resume to continue from that checkpoint under the new configuration (the lineage then shows "
        'both), or --fresh to start again at step 1; in a flow, override {"on_change": "resume"} or "fresh". '
        "What exists is kept either way; another --name makes another run"
    )


def former_folder(workspace: Workspace, stage: Stage) -> Path | None:
    """The folder that the run's link of this stage shows to, finished or not; None when there is none."""
    link = workspace.folder / stage.name
    if not link.is_symlink():
        return None
    target = link.parent / os.readlink(link)
    if not target.exists() and target.suffix == ".partial":  # Killed between renaming and linking.
        target = target.with_suffix("")
    return target.resolve() if target.exists() else None


def state_folder(folder: Path) -> Path:
    """Where the checkpoints of a training are: inside it, or, once it is finished, beside it."""
    return _kept_state(folder) if (folder / MANIFEST).exists() else folder / "state"


def resumable_step(folder: Path) -> int:
    """The step of the newest complete checkpoint, 0 when there is none."""
    steps = saved_steps(state_folder(folder))
    return steps[-1] if steps else 0


def adopt(workspace: Workspace, stage: Stage, former: Path, partial: Path) -> None:
    """Make `partial` from the folder of the run so far.

    An unfinished folder that no other run uses is renamed. Otherwise the files are linked into a new one:
    training replaces files and never writes into them, so the old folder keeps its own.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    with locked(former.with_suffix(".lock")):  # Waits for a process that still trains there.
        is_mine = not (former / MANIFEST).exists() and _links(workspace.root, stage.name, former) <= 1
        if is_mine:
            os.rename(former, partial)
            return
        draft = partial.with_suffix(".adopting")
        shutil.rmtree(draft, ignore_errors=True)
        leave = shutil.ignore_patterns(MANIFEST, "*.partial")
        shutil.copytree(former, draft, copy_function=_link, ignore=leave)
        if not (draft / "state").exists():
            shutil.copytree(state_folder(former), draft / "state", copy_function=_link, ignore=leave)
        os.rename(draft, partial)


def keep_state(draft: Path, final: Path, days: float | None) -> None:
    """Move the newest checkpoint of a finished training beside its artifact; delete the others, and all when
    `days` is 0."""
    state, kept = draft / "state", _kept_state(final)
    if not state.exists():
        return
    for step in saved_steps(state)[:-1]:
        shutil.rmtree(state / f"step-{step:06d}")
    shutil.rmtree(kept, ignore_errors=True)
    if days == 0:
        shutil.rmtree(state)
        return
    os.rename(state, kept)
    os.utime(kept)
    note_days(kept, days)


def note_days(kept: Path, days: float | None) -> None:
    """Write beside a kept checkpoint for how many days from its end its training wants it."""
    if not kept.exists() or (kept / KEEP).exists() and read_json(kept / KEEP)["days"] == days:
        return
    ended = kept.stat().st_mtime
    write_json(kept / KEEP, {"days": days})
    os.utime(kept, (ended, ended))


def drop_old_states(store: Path) -> None:
    """Delete the checkpoints that finished trainings have kept for as long as each of them asked."""
    for kept in store.glob(f"*/*{STATE}"):
        days = read_json(kept / KEEP)["days"] if (kept / KEEP).exists() else None
        if days is not None and time.time() - kept.stat().st_mtime > days * DAY_S:
            logger.info("removed the checkpoint of a training finished %g days ago: %s", days, kept)
            shutil.rmtree(kept, ignore_errors=True)


def _kept_state(final: Path) -> Path:
    return final.with_suffix(STATE)


def _links(root: Path, stage: str, folder: Path) -> int:
    """How many runs link to `folder`."""
    return sum(link.resolve() == folder for link in root.glob(f"*/{stage}") if link.is_symlink())


def _link(source: str, target: str) -> None:
    """A hard link, or a copy where the disk has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
