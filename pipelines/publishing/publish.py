"""Publication of a run's prompt set or trained model on a hub, verified by reading it back.

    reasoner-zero publish runs/demo dataset --repo me/sums --dry-run
    shown = publish(Path("runs/demo"), "model", "me/demo-ppo", is_dry_run=True)

What is sent depends only on the run's artifacts, so publishing twice changes nothing. Each version has a tag
with its fingerprint.
"""

import re
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.dataset import write_dataset
from pipelines.publishing.hub import Kind, read_back, send_folder, tag_version
from pipelines.publishing.manifests import write_checksums
from pipelines.publishing.model import write_model


@dataclass(frozen=True, slots=True)
class Shown:
    """What was (or would be) sent."""

    files: list[tuple[str, int, str]]
    """Name, bytes, SHA-256."""
    commit: str | None
    """Commit on the hub; None for a dry run."""


def publish(
    run: Path,
    what: Kind,
    repo: str,
    *,
    is_dry_run: bool = False,
    forced_licenses: Collection[str] = (),
    keep: Path | None = None,
    token: str | None = None,
) -> Shown:
    """Send the prompt set or the model of `run` to `repo`, then download and compare it.

    `forced_licenses` names sources to publish even though they state no license; `keep` is a new folder for a
    copy of what is sent; `token` is used instead of HF_TOKEN. Raises ValueError when it may not be published,
    RuntimeError when the hub's copy differs afterwards.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise ValueError(f"--repo must be OWNER/NAME, got {repo!r}")
    if what == "model" and forced_licenses:
        raise ValueError("--force-license is for data sets; a model has no sources")
    if keep is not None and keep.exists():
        raise ValueError(f"--out {keep}: already exists; name a new folder")
    workspace = Workspace.reopen(run)
    # Beside the artifacts, on a disk that is large enough; /tmp may not be.
    with tempfile.TemporaryDirectory(dir=workspace.folder, prefix=".publish-") as scratch:
        folder = Path(scratch) / "send"
        folder.mkdir()
        if what == "dataset":
            write_dataset(workspace, repo, folder, set(forced_licenses))
        else:
            write_model(workspace, repo, folder)
        files = write_checksums(folder)
        if keep is not None:
            shutil.copytree(folder, keep)
        if is_dry_run:
            return Shown(files, None)
        stage = "rewards" if what == "dataset" else "train"
        message = f"{what} of {stage} {workspace.linked(stage).fingerprint}"
        commit = send_folder(folder, what, repo, message, token)
        read_back(what, repo, commit, files, Path(scratch) / "back", token)
        tag_version(what, repo, commit, version_tag(workspace.linked(stage)), token)
    return Shown(files, commit)


def version_tag(artifact: Artifact) -> str:
    """The tag of a published version: its artifact's fingerprint, so the same version has the same tag."""
    return f"v-{artifact.fingerprint}"
