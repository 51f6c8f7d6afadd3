"""Publication of a run's prompt set or trained model on a hub, verified by reading it back.

    reasoner-zero publish runs/demo dataset --repo me/sums --dry-run
    shown = publish(Path("runs/demo"), "model", "me/demo-ppo", is_dry_run=True)

What is sent depends on the run's artifacts and on the version before, so publishing twice changes nothing.
Each version has a tag with its content. Nothing is overwritten or deleted that an earlier publication did not
write, unless the caller says so.
"""

import re
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.dataset import write_dataset
from pipelines.publishing.head import STAGE_OF, Changes, File, Head, read_head
from pipelines.publishing.hub import (
    Kind,
    Target,
    make_repository,
    read_back,
    require_token,
    send_folder,
    tag_version,
)
from pipelines.publishing.manifests import write_checksums
from pipelines.publishing.model import write_model
from pipelines.publishing.versions import next_version

SHOWN = 12
"""Files that a refusal names."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was (or would be) sent."""

    files: list[File]
    """Name, bytes, SHA-256."""
    commit: str | None
    """Commit on the hub; None for a dry run."""
    changes: Changes | None = None
    """What it changes in the repository; None when the hub could not be asked."""
    notes: list[str] = field(default_factory=list)
    """What the caller should know about the repository."""
    refusal: str = ""
    """Why a dry run would be refused."""
    pull_request: str | None = None
    """Its address, if one was opened."""
    is_new: bool = True
    """False when the repository held exactly these files, so that nothing was sent."""


def publish(
    run: Path,
    what: Kind,
    repo: str,
    *,
    is_dry_run: bool = False,
    forced_licenses: Collection[str] = (),
    keep: Path | None = None,
    token: str | None = None,
    is_private: bool | None = None,
    branch: str = "main",
    is_pull_request: bool = False,
    replace: bool = False,
) -> Shown:
    """Send the prompt set or the model of `run` to `repo`, then download and compare it.

    `forced_licenses` names sources to publish even though they state no license; `keep` is a new folder for a
    copy of what is sent; `token` is used instead of HF_TOKEN. A new repository is private or not as
    `is_private` or else the configuration says; `replace` allows to overwrite and delete files that no
    publication of ours wrote. Raises ValueError when it may not be published, RuntimeError when the hub's
    copy differs afterwards.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise ValueError(f"--repo must be OWNER/NAME, got {repo!r}")
    if what == "model" and forced_licenses:
        raise ValueError("--force-license is for data sets; a model has no sources")
    if keep is not None and keep.exists():
        raise ValueError(f"--out {keep}: already exists; name a new folder")
    workspace = Workspace.reopen(run)
    private = workspace.config.publish.private if is_private is None else is_private
    target = Target(what, repo, branch, private, is_pull_request)
    if not is_dry_run:
        require_token(token)
    # Beside the artifacts, on a disk that is large enough; /tmp may not be.
    with tempfile.TemporaryDirectory(dir=workspace.folder, prefix=".publish-") as scratch:
        head, notes = _look(target, Path(scratch) / "head", token, is_dry_run)
        if is_private and head is not None and head.is_private is False:
            raise ValueError(
                f"{repo} exists and is public; make it private in its settings, or publish without --private"
            )
        folder = Path(scratch) / "send"
        folder.mkdir()
        version = _write(workspace, target, folder, set(forced_licenses), head or Head())
        files = write_checksums(folder)
        if keep is not None:
            shutil.copytree(folder, keep)
        changes = head.changes(files) if head is not None else None
        refusal = "" if replace or changes is None else _refusal(target, changes)
        if is_dry_run:
            return Shown(files, None, changes, notes, refusal)
        if refusal:
            raise ValueError(refusal)
        make_repository(target, token)

        def check() -> str | None:
            """Somebody else may have committed since; a new repository has a first commit by now."""
            with tempfile.TemporaryDirectory(dir=scratch, prefix="head-") as place:
                now = read_head(target, Path(place), token)
            if not replace and (problem := _refusal(target, now.changes(files))):
                raise ValueError(problem)
            return now.commit

        message = f"{what} {version}"
        sent = send_folder(folder, target, message, check, token)
        read_back(what, repo, sent.commit, files, Path(scratch) / "back", token)
        if not is_pull_request:
            tag_version(what, repo, sent.commit, version, token)
    return Shown(files, sent.commit, changes, notes, pull_request=sent.pull_request, is_new=sent.is_new)


def _write(workspace: Workspace, target: Target, folder: Path, forced: set[str], head: Head) -> str:
    """Write what is published, except the checksums, to `folder`; returns the version's tag."""
    stages = ("curate", "rewards") if target.kind == "dataset" else ("curate", "rewards", "base", "train")
    manifests = {stage: workspace.linked(stage).manifest for stage in stages}
    version = next_version(manifests, STAGE_OF[target.kind], head.documents)
    if target.kind == "dataset":
        write_dataset(workspace, target.repo, folder, forced, version)
    else:
        write_model(workspace, target.repo, folder, version)
    return version.tag


def _look(
    target: Target, scratch: Path, token: str | None, is_dry_run: bool
) -> tuple[Head | None, list[str]]:
    """The head of the repository and what to say about it; a dry run goes on without a hub, and says so."""
    try:
        head = read_head(target, scratch, token, **({"pauses_s": ()} if is_dry_run else {}))
    except (RuntimeError, ConnectionError) as error:
        if not is_dry_run:
            raise
        return None, [f"the hub could not be asked what is in {target.repo} now: {error}"]
    if head.commit is None:
        kind = "private" if target.is_private else "public"
        return head, [f"{target.repo} is new (or not visible without the right token): it becomes {kind}"]
    return head, [f"{target.repo} exists and is {'private' if head.is_private else 'public'}"]


def _refusal(target: Target, changes: Changes) -> str:
    """Why this publication would take away somebody's work; empty when it would not."""
    if not changes.foreign:
        return ""
    shown = ", ".join(changes.foreign[:SHOWN])
    more = len(changes.foreign) - SHOWN
    n = len(changes.foreign)
    return (
        f"not published: {target.repo} holds files ({n}) that this tool did not publish, or "
        f"that were edited since, and that would be overwritten or deleted: {shown}"
        + (f" and {more} more" if more > 0 else "")
        + ". Name another repository or another --branch, or allow it with --replace"
    )
