"""Where a source's files are: local paths with *, and URLs that fsspec reads, which are streamed.

locate("raw/part-*.parquet", Path("data")), locate("s3://bucket/rows.jsonl.gz", None)
"""

import os
from functools import partial
from pathlib import Path
from typing import IO, Any

from curation.sources.readers import FORMATS, Location, SourceError
from rewards.contracts.files import canonical_json, hash_file, hash_text


def is_url(file: str) -> bool:
    return "://" in file


def locate(file: str, data_root: Path | None) -> list[Location]:
    """The files that `file` names, in order of their names; SourceError when there is none."""
    if is_url(file):
        return _remote(file)
    path = (data_root or Path()) / file
    if any(mark in file for mark in "*?[") and not path.exists():
        base = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = sorted(one for one in base.glob(pattern) if one.is_file())
        if not found:
            raise SourceError(f"{path}: no file matches")
        return [Location(str(one), one.name, partial(one.open, "rb"), path=check_link(one)) for one in found]
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    check_link(path)
    return [Location(str(path), path.name, partial(path.open, "rb"), path=path)]


def check_link(path: Path) -> Path:
    """The path itself; SourceError when it is a link to something that is not data.

    A folder from elsewhere may contain a link to a key or a password file. A link may lead to a file with the
    name of a data file that is not in a hidden folder, or to a file of the same download (the hub's cache).
    """
    if not path.is_symlink():
        return path
    target = path.resolve()
    here = path.parent.resolve()
    if target.parent.name == "blobs" and target.parent.parent in here.parents:
        return path
    is_hidden = any(
        part.startswith(".") for part in target.parts[len(Path(os.path.commonpath([here, target])).parts) :]
    )
    if is_hidden or not any(f"{suffix}." in f"{target.name}." for suffix in FORMATS):
        raise SourceError(
            f"{path}: this link leads to {target}, not to a data file; copy it here if it is meant"
        )
    return path


def _remote(url: str) -> list[Location]:
    system, paths = _file_system(url)
    return [
        Location(system.unstrip_protocol(one), one.rpartition("/")[2], _opener(system, one)) for one in paths
    ]


def _opener(system: Any, path: str) -> Any:
    def open_file() -> IO[bytes]:
        return system.open(path, "rb", cache_type="readahead")

    return open_file


def _file_system(url: str) -> tuple[Any, list[str]]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        paths = sorted(system.glob(path)) if any(mark in path for mark in "*?[") else [path]
        missing = not paths or not system.isfile(paths[0])
        if paths and missing:
            _tell_apart(system, paths[0])
    except ImportError as error:
        raise SourceError(f"{url}: {error}; install it to read such URLs") from None
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        why = " ".join(str(error).split())[:300]
        raise SourceError(f"{url}: cannot be reached: {type(error).__name__}: {why}") from None
    if missing:
        raise SourceError(f"{url}: no such file")
    return system, paths


def _tell_apart(system: Any, path: str) -> None:
    """Raise what hides behind a missing file: over HTTP a dead server looks like one."""
    try:
        system.info(path)
    except FileNotFoundError as error:
        if error.__cause__ is not None and not isinstance(error.__cause__, FileNotFoundError):
            raise error.__cause__ from None


def fingerprint(file: str, data_root: Path | None) -> str:
    """Hash of the files' contents; of a URL, of what its server says about it (size, ETag, time)."""
    if is_url(file):
        system, paths = _file_system(file)
        told = [{key: str(value) for key, value in system.info(one).items()} for one in paths]
        keep = ("name", "size", "ETag", "etag", "LastModified", "last_commit", "blob_id", "mtime", "md5Hash")
        return hash_text(canonical_json([{key: one[key] for key in keep if key in one} for one in told]))
    local = [one.path for one in locate(file, data_root) if one.path is not None]
    if len(local) == 1:
        return hash_file(local[0])
    return hash_text(canonical_json([[one.name, hash_file(one)] for one in local]))
