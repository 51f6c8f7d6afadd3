"""Provenance of a result: hash of the code that made it, library versions, commit, machine."""

import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.jobs.gpus import gpu_names
from pipelines.jobs.versions import library_versions
from rewards.contracts.files import ROOT, canonical_json, hash_file, hash_text

SOURCE_SUFFIXES = (".py", ".j2")


@cache
def code_version(packages: tuple[str, ...]) -> str:
    """Hash of the source files of `packages`, 16 hex digits.

    Each is a folder, a file, or a pattern such as training/*.py for the files directly in a folder.
    """
    files: list[Path] = []
    for package in packages:
        found = list(ROOT.glob(package))
        if not found:
            raise FileNotFoundError(f"{package}: no such package or file in the project")
        for path in found:
            files += [path] if path.is_file() else [p for p in path.rglob("*") if p.suffix in SOURCE_SUFFIXES]
    return hash_text(canonical_json({str(p.relative_to(ROOT)): hash_file(p) for p in files}), 16)


@cache
def describe_environment() -> dict[str, Any]:
    """Versions, commit and machine, for manifests."""
    return {
        "python": platform.python_version(),
        "libraries": library_versions(),
        "commit": git_commit(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "gpus": gpu_names(),
    }


def git_commit() -> str | None:
    """The checked-out commit, with `+changes` when files differ from it; None outside a repository."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
