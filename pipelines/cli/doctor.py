"""Checks of this machine: versions, GPU, compiler, memory, disk, servers."""

import os
import platform
import shutil
import socket
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from pipelines.jobs.gpus import describe_driver, describe_gpus
from rewards.contracts.files import ROOT


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["ok", "note", "problem"]
    what: str
    found: str
    meaning: str


def examine(runs: Path) -> list[Finding]:
    """Check the machine; imports neither torch nor vLLM, so it answers immediately."""
    gpus = describe_gpus()
    return [
        Finding("ok", "python", platform.python_version(), ""),
        *_versions("gpu" if gpus else "cpu"),
        _accelerator(gpus),
        *_driver(gpus),
        *_compilers("gpu" if gpus else "cpu"),
        _memory(),
        _disk("results", runs if runs.exists() else Path.cwd(), 5.0),
        _disk("temporary files", Path(tempfile.gettempdir()), 0.3),
        _server(),
        _hub(),
    ]


def _versions(kind: str) -> list[Finding]:
    """Compare installed versions with the lock file; one line when all agree."""
    lock = ROOT / "requirements" / f"{kind}.txt"
    if not lock.exists():
        return [
            Finding("note", "packages", "no lock file", "installed as a package, without the project's clone")
        ]
    from packaging.markers import Marker  # In a clone it is installed with everything else.

    wrong = []
    for line in lock.read_text().splitlines():
        name, _, wanted = line.partition("==")
        wanted, _, marker = (part.strip() for part in wanted.partition(";"))
        if not wanted or name.startswith("#") or marker and not Marker(marker).evaluate():
            continue
        try:
            found = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(Finding("problem", name, found, f"{lock.name} requires {wanted}; run: make setup"))
    return wrong or [Finding("ok", "packages", f"as in requirements/{lock.name}", "")]


def _accelerator(gpus: list[str]) -> Finding:
    if gpus:
        return Finding(
            "ok", "GPU", f"{len(gpus)} x {gpus[0]}", "training in bf16; vLLM sleeps during updates"
        )
    return Finding(
        "note",
        "GPU",
        "none",
        "demo and smollm2 run in fp32 on the CPU; the orz_* configs need GPUs (see reasoner-zero plan)",
    )


DRIVER, CAPABILITY = 580, 8.0
"""Oldest driver of CUDA 13, with which torch 2.13 is built, and the first generation with bf16."""


def _driver(gpus: list[str]) -> list[Finding]:
    """The NVIDIA driver and what its GPUs can compute; nothing without a GPU."""
    if not gpus:
        return []
    found = describe_driver()
    if found is None:
        return [Finding("problem", "NVIDIA driver", "no answer", "nvidia-smi does not answer; restart it")]
    version, capability = found
    level: Literal["ok", "problem"] = "ok" if int(version.split(".")[0]) >= DRIVER else "problem"
    mend = f"torch needs {DRIVER} or later: apt-get install nvidia-driver-{DRIVER}, then restart"
    able: Literal["ok", "problem"] = "ok" if capability >= CAPABILITY else "problem"
    return [
        Finding(level, "NVIDIA driver", version, "" if level == "ok" else mend),
        Finding(able, "compute capability", f"{capability:g}", f"bf16 needs {CAPABILITY:g} (A100) or later"),
    ]


def _compilers(kind: str) -> list[Finding]:
    """Compilers and headers: on a GPU, Triton compiles a launcher for its kernels when they first run."""
    level: Literal["note", "problem"] = "problem" if kind == "gpu" else "note"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    needs = "Triton needs it for every kernel" if kind == "gpu" else "vLLM's samplers stay uncompiled"
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    rows = []
    for what, found, package in (
        ("C compiler", _first("gcc", "cc", "clang"), "gcc"),
        ("C++ compiler", _first("g++", "c++", "clang++"), "g++"),
        ("Python.h", str(header) if header.exists() else None, f"python{version}-dev"),
    ):
        if found:
            rows.append(Finding("ok", what, found, "vLLM and Triton compile at first use"))
        else:
            rows.append(Finding(level, what, "none", f"{needs}; to install it: apt-get install {package}"))
    return rows


def _first(*names: str) -> str | None:
    return next((name for name in names if shutil.which(name)), None)


def _memory() -> Finding:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    level: Literal["ok", "problem"] = "ok" if gib >= 6 else "problem"
    return Finding(level, "memory", f"{gib:.0f} GiB", "the demo needs about 4 GiB, smollm2 about 13 GiB")


def _disk(what: str, folder: Path, needed_gib: float) -> Finding:
    free = shutil.disk_usage(folder).free / 2**30
    level: Literal["ok", "problem"] = "ok" if free >= needed_gib else "problem"
    return Finding(level, f"disk for {what}", f"{free:.1f} GiB free in {folder}", f"needs {needed_gib:g} GiB")


def _server() -> Finding:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Finding("ok", "Prefect server", "none", "each run starts a temporary one")
    host, _, port = url.split("//")[-1].split("/")[0].partition(":")
    try:
        socket.create_connection((host, int(port or 80)), timeout=1.0).close()
    except OSError as error:
        return Finding(
            "problem", "Prefect server", url, f"does not answer ({error}); start it or unset PREFECT_API_URL"
        )
    return Finding("ok", "Prefect server", url, "answers")


def _hub() -> Finding:
    if os.environ.get("HF_TOKEN"):
        return Finding("ok", "hub token", "set", "publish can use it")
    return Finding("note", "hub token", "not set", "only publishing needs it: set HF_TOKEN")
