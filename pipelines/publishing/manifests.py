"""Manifests and checksums that accompany published files."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.artifacts.artifact import CHECKSUMS, MANIFESTS, Artifact, check
from rewards.contracts.files import ROOT, hash_file, write_json, write_text


def write_manifest(artifact: Artifact, folder: Path) -> None:
    """Copy an artifact's manifest to `folder`/manifests; ValueError when its files differ from it.

    Time and memory used are left out, because they differ between equal artifacts, and equal content must
    upload nothing.
    """
    if problems := check(artifact.folder):
        raise ValueError(f"{artifact.folder}: damaged: {problems[0]}; run the stage again to remake it")
    manifest = {name: value for name, value in artifact.manifest.items() if name != "usage"}
    write_json(folder / MANIFESTS / f"{artifact.stage}.json", without_folders(manifest))


FILE_FIELDS = {"file", "gguf", "hostfile", "data_root", "protect_files"}
"""Fields that hold paths, however they are written."""
HUB_FIELDS = {"id", "path"}
"""Fields that hold a name on the hub or a folder, which may look alike."""
PATH = re.compile(r"(?:file:|~|\.{1,2}/|/(?![/\s])|[A-Za-z]:\\)[^\n]*")
"""A value that begins as a path does."""


def without_folders(value: Any, field: str = "") -> Any:
    """Reduce paths to the file's name, so that folders of this machine are not published.

    A value is a path when its field says so, or when it begins as one; a folder of this machine inside a
    longer text (this user's home, the working folder) goes too. Names on the hub stay.

    >>> without_folders({"file": "../own/mine.jsonl", "url": "hub:abc", "~/x/a.csv": ["file:///home/u/b.csv"]})
    {'file': 'mine.jsonl', 'url': 'hub:abc', 'a.csv': ['b.csv']}
    >>> without_folders({"hub": "AI-MO/NuminaMath", "file": "own/mine.jsonl", "stop": ["</answer>"]})
    {'hub': 'AI-MO/NuminaMath', 'file': 'mine.jsonl', 'stop': ['</answer>']}
    """
    if isinstance(value, dict):
        return {without_folders(name): without_folders(entry, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [without_folders(entry, field) for entry in value]
    if not isinstance(value, str):
        return value
    if field in FILE_FIELDS or PATH.fullmatch(value) or (field in HUB_FIELDS and Path(value).exists()):
        return re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    return private_folders().sub(lambda found: found[1] or "", value)


@cache
def private_folders() -> re.Pattern[str]:
    """A path below this user's home or the working folder, inside a text; group 1 is the file's name."""
    roots = {str(folder.resolve()) for folder in (Path.home(), Path.cwd(), ROOT)} - {"/"}
    longest = "|".join(re.escape(root) for root in sorted(roots, key=len, reverse=True))
    return re.compile(rf"(?:{longest})(?:/(?:[^\s/\"':,;]+/)*([^\s/\"':,;]*))?(?![\w-])")


def without_folders_in_rows(provenance: pl.Expr) -> pl.Expr:
    r"""Keep only the file's name in the column `provenance`, JSON written by curation.

    >>> rows = pl.DataFrame({"provenance": ['{"file":"../own/mine.jsonl","row":1}', '{"hub":"a/b","row":2}']})
    >>> rows.select(without_folders_in_rows(pl.col("provenance")))["provenance"].to_list()
    ['{"file":"mine.jsonl","row":1}', '{"hub":"a/b","row":2}']
    """
    name = r'((?:[^"/\\]|\\.)*)"'
    folders = r'(?:[^"\\]|\\.)*/'
    of_file = provenance.str.replace(rf'"file":"(?:{folders}){name}', '"file":"$1"')
    return of_file.str.replace(rf'"hub":"(?:file:|~|\.{{1,2}}/|/)(?:{folders})?{name}', '"hub":"$1"')


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
