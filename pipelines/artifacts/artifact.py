"""Artifacts, the contract between stages: folders of data, rejects and a manifest, named by their origin.

    store = Store(Path("runs"))
    artifact = store.produce(stage, config, inputs, build)     # returns immediately if it exists

An artifact's `fingerprint` is the hash of its stage, config, inputs and code: the cache key. Its `content`
is the hash of its files. A folder gets its final name only when everything in it, including the manifest, is
on disk. What a failed or killed build has left is removed, or, for resumable stages, kept as a `.partial`
folder that the next run continues.
"""

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.artifacts.provenance import code_version, describe_environment
from rewards.contracts.files import (
    canonical_json,
    hash_file,
    hash_text,
    read_json,
    remove_leftovers,
    sync_folder,
    write_json,
    write_parquet,
)
from rewards.contracts.records import REJECT
from rewards.contracts.usage import measured

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"
LAYOUT = 1
"""Version of this contract; after a change, older artifacts are no longer found."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished artifact."""

    stage: str
    fingerprint: str
    folder: Path
    is_cached: bool = field(default=False, compare=False)
    """True when it was found finished, not made just now."""

    @property
    def manifest(self) -> dict[str, Any]:
        return read_json(self.folder / MANIFEST)

    @property
    def content(self) -> str:
        return self.manifest["content"]

    def read(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / name)


@dataclass(slots=True)
class Draft:
    """An artifact in progress: the builder writes files to `folder` and records counts."""

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)
    """read, kept, rejected; read must equal kept + rejected."""
    seeds: dict[str, int] = field(default_factory=dict)
    volatile: set[str] = field(default_factory=set)
    """Files or folders that differ from run to run (timings), left out of `content`."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Anything else worth knowing, for the manifest."""

    def write(self, name: str, frame: pl.DataFrame) -> None:
        """Write a frame as a Parquet file."""
        write_parquet(self.folder / name, frame, statistics=False)

    def count(self, read: int, kept: int, rejected: int) -> None:
        if read != kept + rejected:
            raise AssertionError(f"rows were lost: read {read}, kept {kept}, rejected {rejected}")
        self.counts = {"read": read, "kept": kept, "rejected": rejected}

    def write_rejects(self, rejects: pl.DataFrame) -> None:
        self.write("rejects.parquet", REJECT.check(rejects))


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage's name, and the folders and files of code that decide its output.

    `tests/pipelines/test_code_lists.py` follows the imports and names every missing file.
    """

    name: str
    packages: tuple[str, ...]
    is_resumable: bool = False
    """True when the builder continues what a killed one has left in its folder."""


class Store:
    """All artifacts in one folder, by stage and fingerprint."""

    def __init__(self, root: Path) -> None:
        self.root = root / "artifacts"

    def fingerprint(self, stage: Stage, config: Any, inputs: Mapping[str, str]) -> str:
        """Hash of everything that decides the output, 16 hex digits."""
        key = {
            "layout": LAYOUT,
            "stage": stage.name,
            "config": config,
            "inputs": dict(inputs),
            "code": code_version(stage.packages),
        }
        return hash_text(canonical_json(key), 16)

    def find(self, stage: str, fingerprint: str) -> Artifact | None:
        """The finished artifact, with files checked against its manifest; a damaged one is renamed."""
        artifact = Artifact(stage, fingerprint, self.root / stage / fingerprint)
        if not artifact.folder.exists():
            return None
        problems = check(artifact.folder)
        if not problems:
            return artifact
        aside = artifact.folder.with_name(f"{fingerprint}.damaged-{time.time_ns()}")
        logger.warning("artifact damaged stage=%s moved_to=%s problem=%s", stage, aside.name, problems[0])
        artifact.folder.rename(aside)
        return None

    def produce(
        self,
        stage: Stage,
        config: Any,
        inputs: Mapping[str, str],
        build: Callable[[Draft], None],
        announce: Callable[[Path], None] | None = None,
    ) -> Artifact:
        """Return the artifact for (stage, config, inputs), and build it if it does not exist.

        `inputs` maps names to content hashes. `announce` is called with the working folder before the build.
        If two processes want the same artifact, one builds it, and the other waits and finds it.
        """
        fingerprint = self.fingerprint(stage, config, inputs)
        final = self.root / stage.name / fingerprint
        final.parent.mkdir(parents=True, exist_ok=True)
        with locked(final.with_suffix(".lock")):
            found = self.find(stage.name, fingerprint)
            if found is not None:
                logger.info("stage=%s cached fingerprint=%s", stage.name, fingerprint)
                return replace(found, is_cached=True)
            draft = Draft(final.with_suffix(".partial"))
            if not stage.is_resumable:
                shutil.rmtree(draft.folder, ignore_errors=True)
            draft.folder.mkdir(exist_ok=True)
            remove_leftovers(draft.folder)
            if announce is not None:
                announce(draft.folder)
            try:
                with measured() as usage:
                    build(draft)
            except BaseException:
                if not stage.is_resumable:
                    shutil.rmtree(draft.folder, ignore_errors=True)
                raise
            write_json(draft.folder / MANIFEST, manifest(stage, fingerprint, config, inputs, draft, usage))
            sync_folder(draft.folder)
            os.rename(draft.folder, final)
            sync_folder(final.parent)
        logger.info("stage=%s made fingerprint=%s wall_s=%.1f", stage.name, fingerprint, usage["wall_s"])
        return Artifact(stage.name, fingerprint, final)


def manifest(
    stage: Stage,
    fingerprint: str,
    config: Any,
    inputs: Mapping[str, str],
    draft: Draft,
    usage: dict[str, float],
) -> dict[str, Any]:
    """Describe a finished draft; every file is listed with its SHA-256 and size."""
    files = {
        str(path.relative_to(draft.folder)): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in sorted(draft.folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    stable = {
        name: entry["sha256"]
        for name, entry in files.items()
        if not any(name == v or name.startswith(f"{v}/") for v in draft.volatile)
    }
    return {
        "layout": LAYOUT,
        "stage": stage.name,
        "fingerprint": fingerprint,
        "content": hash_text(canonical_json(stable), 16),
        "config": config,
        "inputs": dict(inputs),
        "code_version": code_version(stage.packages),
        "counts": draft.counts,
        "seeds": draft.seeds,
        "facts": draft.facts,
        "files": files,
        "volatile": sorted(draft.volatile),
        "usage": usage,
        "environment": describe_environment(),
    }


def check(folder: Path) -> list[str]:
    """Compare an artifact's files with its manifest; returns one message per wrong file."""
    if not (folder / MANIFEST).exists():
        return [f"{MANIFEST} is missing"]
    problems = []
    for name, entry in read_json(folder / MANIFEST)["files"].items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != entry["bytes"] or hash_file(path) != entry["sha256"]:
            problems.append(f"{name} differs from its SHA-256")
    return problems


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; the kernel releases it when the process dies."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("waiting for another process to finish %s", path.stem)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


CHECKSUMS, MANIFESTS = "SHA256SUMS", "manifests"
