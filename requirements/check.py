"""Check that both locks install on every supported Python, without installing: python requirements/check.py

A dry run of uv for Python 3.11, 3.12 and 3.13 on Linux (x86_64), for cpu.txt and gpu.txt. With --overlaps
WHEELS it also names files that more than one wheel in a folder would write. Needs uv and a package index.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = ("3.11", "3.12", "3.13")
SETS = ("cpu", "gpu")
PLATFORM = "x86_64-manylinux_2_28"
SHARED = re.compile(r"(^|/)(__init__\.py|py\.typed)$|\.dist-info/")
"""Files that packages of one name space write alike."""


def dry_run(kind: str, version: str, uv: str) -> str | None:
    """What uv says against installing a lock on a Python, or None when it would install."""
    lock = HERE / f"{kind}.txt"
    environment = dict(os.environ)
    if kind == "cpu" and environment.get("PIP_FIND_LINKS"):
        environment.setdefault("UV_FIND_LINKS", environment["PIP_FIND_LINKS"])
    with tempfile.TemporaryDirectory() as target:
        command = [uv, "pip", "install", "--dry-run", "--no-deps", "--target", target, "-r", str(lock)]
        command += ["--python-version", version, "--python-platform", PLATFORM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stderr.strip()[-1500:] if done.returncode else None


def overlaps(folder: Path) -> dict[tuple[str, ...], int]:
    """Wheels in `folder` that write the same files, and how many."""
    owners: dict[str, list[str]] = defaultdict(list)
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and not SHARED.search(name):
                    owners[name].append(wheel.name.split("-")[0])
    found: dict[tuple[str, ...], int] = defaultdict(int)
    for names in owners.values():
        if len(names) > 1:
            found[tuple(names)] += 1
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--overlaps", type=Path, metavar="WHEELS", help="folder of downloaded wheels")
    parser.add_argument("--python", nargs="+", default=VERSIONS)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    arguments = parser.parse_args()
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        sys.exit("uv is not installed: pip install uv")
    n_wrong = 0
    for kind in arguments.sets:
        for version in arguments.python:
            reason = dry_run(kind, version, uv)
            n_wrong += reason is not None
            sys.stdout.write(f"{kind}.txt on Python {version}: {reason or 'installs'}\n")
    if arguments.overlaps:
        for names, count in overlaps(arguments.overlaps).items():
            n_wrong += 1
            sys.stdout.write(f"{' and '.join(names)} write {count} files in common\n")
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
