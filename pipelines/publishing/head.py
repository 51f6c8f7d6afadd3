"""What a repository on the hub holds now, and what a publication would change there.

    head = read_head(Target("dataset", "me/sums"), scratch)
    changes = head.changes(files)          # added, changed, deleted, foreign

A file may be overwritten or deleted without asking only if a publication of ours wrote it: the SHA256SUMS at
the head lists it with the bytes that it has now. Everything else is somebody's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.artifacts.artifact import CHECKSUMS, MANIFESTS
from pipelines.publishing.hub import PAUSES_S, Target, persist
from rewards.contracts.files import hash_file, read_json

THE_HUBS = {".gitattributes"}
"""Files that the hub itself makes in a new repository."""
STAGE_OF = {"dataset": "rewards", "model": "train"}
"""The stage whose manifest every publication of a kind has."""
File = tuple[str, int, str]
"""Name, bytes, SHA-256."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a publication would do to a repository: names of files."""

    added: list[str]
    changed: list[str]
    deleted: list[str]
    foreign: list[str]
    """Those of `changed` and `deleted` that no publication of ours wrote, or that were edited since."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit of a repository; without a commit the repository does not exist yet."""

    commit: str | None = None
    is_private: bool | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every file, as far as it was needed."""
    listed: dict[str, str] = field(default_factory=dict)
    """SHA-256 by name, as the head's SHA256SUMS has it; empty when the repository is not ours."""
    documents: dict[str, Any] = field(default_factory=dict)
    """Our manifests by stage, and CHANGELOG.md and croissant.json, of the published version."""

    def changes(self, files: list[File]) -> Changes:
        ours = {name: sha256 for name, _, sha256 in files}
        there = set(self.sizes) - THE_HUBS
        changed = sorted(name for name in there & set(ours) if self.hashes.get(name) != ours[name])
        deleted = sorted(there - set(ours))
        foreign = [
            name
            for name in sorted([*changed, *deleted])
            if name != CHECKSUMS and self.listed.get(name, "") != self.hashes.get(name)
        ]
        if changed and CHECKSUMS in changed and not self.listed:
            foreign.append(CHECKSUMS)
        return Changes(sorted(set(ours) - there), changed, deleted, foreign)


def read_head(
    target: Target, scratch: Path, token: str | None = None, pauses_s: Sequence[float] = PAUSES_S
) -> Head:
    """Look at the newest commit; a missing repository gives an empty head, a missing branch that of main.

    Of a repository of ours the small files are downloaded to `scratch`; of any other only names are read.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    api, kind = HfApi(token=token), target.kind

    def look() -> Any:
        for branch in dict.fromkeys((target.branch, "main")):
            try:
                return api.repo_info(target.repo, repo_type=kind, revision=branch, timeout=20)
            except GatedRepoError:
                raise
            except (RepositoryNotFoundError, RevisionNotFoundError):
                continue
        return None

    info = persist(look, str(target), pauses_s)
    if info is None:
        return Head()
    commit = str(info.sha)

    def names() -> dict[str, RepoFile]:
        tree = api.list_repo_tree(target.repo, repo_type=kind, revision=commit, recursive=True)
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    found = persist(names, str(target), pauses_s)
    sizes = {name: entry.size for name, entry in found.items()}
    hashes = {name: entry.lfs.sha256 for name, entry in found.items() if entry.lfs is not None}
    if not {CHECKSUMS, f"{MANIFESTS}/{STAGE_OF[kind]}.json"} <= set(found):
        return Head(commit, info.private, sizes, hashes)
    small = sorted(name for name in found if name not in hashes and name not in THE_HUBS)

    def download() -> None:
        patterns = [_literal(name) for name in small]
        snapshot_download(
            target.repo,
            repo_type=kind,
            revision=commit,
            allow_patterns=patterns,
            local_dir=scratch,
            token=token,
        )

    persist(download, str(target), pauses_s)
    hashes |= {name: hash_file(scratch / name) for name in small if (scratch / name).is_file()}
    return Head(commit, info.private, sizes, hashes, _listed(scratch / CHECKSUMS), _documents(scratch))


def _literal(name: str) -> str:
    """A file's name as a pattern that matches only it."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _listed(checksums: Path) -> dict[str, str]:
    lines = (line.partition("  ") for line in checksums.read_text(encoding="utf-8").splitlines())
    return {name: sha256 for sha256, _, name in lines}


def _documents(folder: Path) -> dict[str, Any]:
    documents: dict[str, Any] = {
        path.stem: read_json(path) for path in sorted((folder / MANIFESTS).glob("*.json"))
    }
    for name in ("CHANGELOG.md", "croissant.json"):
        path = folder / name
        if path.is_file():
            documents[name] = path.read_text(encoding="utf-8")
    return documents
