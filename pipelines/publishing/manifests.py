"""Manifests and checksums that accompany published files."""

from pathlib import Path
from typing import Any

from pipelines.artifacts.artifact import CHECKSUMS, MANIFESTS, Artifact, check
from rewards.contracts.files import hash_file, write_json, write_text


def write_manifest(artifact: Artifact, folder: Path) -> None:
    """Copy an artifact's manifest to `folder`/manifests; ValueError when its files differ from it.

    Time and memory used are left out, because they differ between equal artifacts, and equal content must
    upload nothing.
    """
    if problems := check(artifact.folder):
        raise ValueError(f"{artifact.folder}: damaged: {problems[0]}; run the stage again to remake it")
    manifest = {name: value for name, value in artifact.manifest.items() if name != "usage"}
    write_json(folder / MANIFESTS / f"{artifact.stage}.json", without_folders(manifest))


def without_folders(value: Any) -> Any:
    """Reduce absolute paths to the file's name, so that folders of this machine are not published.

    >>> without_folders({"file": "/home/me/mine.jsonl", "url": "hub:abc"})
    {'file': 'mine.jsonl', 'url': 'hub:abc'}
    """
    if isinstance(value, dict):
        return {name: without_folders(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [without_folders(entry) for entry in value]
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def write_checksums(folder: Path) -> list[tuple[str, int, str]]:
    """Write SHA256SUMS (for `sha256sum -c`); returns (name, bytes, SHA-256) of all files, SHA256SUMS last."""
    files = [
        (path.relative_to(folder).as_posix(), path.stat().st_size, hash_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    target = folder / CHECKSUMS
    write_text(target, "".join(f"{sha256}  {name}\n" for name, _, sha256 in files))
    return [*files, (CHECKSUMS, target.stat().st_size, hash_file(target))]
