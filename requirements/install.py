"""Create .venv with the exact versions of cpu.txt or gpu.txt: python3 requirements/install.py [--check]

Needs only Python 3.11, 3.12 or 3.13. Chooses the set that fits the machine and says which; uses uv if it is
installed or can be, else pip. A second run takes a fraction of a second; an interrupted one starts over
cleanly.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".reasoner-zero"
UV = "uv==0.13.9"
NEEDED_BYTES = {"cpu": 5 * 2**30, "gpu": 16 * 2**30}
TEMPORARY_BYTES = 300 * 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only say what would be installed")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 (this file may be run by an older Python)
        fail(
            f"Python 3.11 or later is needed, this is {platform.python_version()} ({sys.executable})",
            "install python3.11 (Debian, Ubuntu: apt-get install python3.11 python3.11-venv) "
            "and run: make PYTHON=python3.11 setup",
        )
    if sys.version_info >= (3, 14):
        fail(
            f"Python 3.11 to 3.13 is needed, this is {platform.python_version()}: vLLM has no wheels for it",
            "install python3.13 and run: make PYTHON=python3.13 setup",
        )
    kind, why = pick()
    say(f"{kind} set ({why}), Python {platform.python_version()}")
    warn_compiler(kind)
    # What a build leaves in this folder hides the installed project's metadata from `python -m`: one of an
    # older version lacks entry points, and Prefect's server does not start.
    shutil.rmtree(ROOT / "reasoner_zero.egg-info", ignore_errors=True)
    if STAMP.exists() and STAMP.read_text() == stamp(kind):
        say(f"{VENV.name} is up to date")
        return
    if arguments.check:
        say(f"{VENV.name} is missing, interrupted or outdated: run make setup")
        return
    started = time.monotonic()
    environment = {**os.environ, **room(kind)}
    make_venv(environment)
    install(kind, environment)
    try_torch(kind)
    STAMP.write_text(stamp(kind))
    say(f"done in {time.monotonic() - started:.0f} s")


def pick() -> tuple[str, str]:
    """The set and the reason: gpu if an NVIDIA driver answers, else cpu, unless REASONER_ZERO_SET is set."""
    forced = os.environ.get("REASONER_ZERO_SET")
    if forced:
        if forced not in NEEDED_BYTES:
            fail(f"REASONER_ZERO_SET is {forced!r}", "set it to cpu or gpu, or unset it")
        return forced, "REASONER_ZERO_SET"
    tool = shutil.which("nvidia-smi")
    if tool:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True)
        if listed.returncode == 0 and "GPU" in listed.stdout:
            return "gpu", listed.stdout.splitlines()[0].split(" (UUID")[0]
    return "cpu", "no NVIDIA GPU found"


def stamp(kind: str) -> str:
    """A hash of what a finished environment is made from."""
    parts = [kind, sys.version, str(VENV)]
    parts += [(ROOT / name).read_text() for name in (f"requirements/{kind}.txt", "pyproject.toml")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest() + "\n"


def warn_compiler(kind: str) -> None:
    """Say what is missing to compile at run time: on a GPU, Triton cannot launch a kernel without it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    missing = []
    if not any(shutil.which(name) for name in ("gcc", "cc", "clang")):
        missing.append(("C compiler", "gcc"))
    if not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        missing.append(("C++ compiler", "g++"))
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        missing.append(("Python.h", f"python{version}-dev"))
    for what, package in missing:
        if kind == "gpu":
            say(
                f"no {what}: training on a GPU needs it at run time. To install it: {system_install(package)}"
            )
        else:
            say(
                f"no {what}: everything runs, but vLLM's samplers stay uncompiled. "
                f"To install it: {system_install(package)}; the next run uses it"
            )


def system_install(package: str) -> str:
    """The command that installs a system package on this machine."""
    names = {"g++": {"dnf": "gcc-c++", "apk": "g++", "pacman": "gcc", "zypper": "gcc-c++"}}
    if package.startswith("python") and package.endswith("-dev"):
        names[package] = {"dnf": "python3-devel", "apk": "python3-dev", "pacman": "python"}
    for manager, verb in (
        ("apt-get", "install"),
        ("dnf", "install"),
        ("apk", "add"),
        ("zypper", "install"),
        ("pacman", "-S"),
    ):
        if shutil.which(manager):
            return f"sudo {manager} {verb} {names.get(package, {}).get(manager, package)}"
    return f"install the system package {package}"


def room(kind: str) -> dict[str, str]:
    """Check disk space; returns environment variables that avoid a full temporary folder."""
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES[kind]:
        fail(
            f"{ROOT} has {free / 2**30:.1f} GiB free, the {kind} set "
            f"needs {NEEDED_BYTES[kind] / 2**30:.0f} GiB",
            "free some space, or clone the project to a larger disk, and run the same command again",
        )
    if shutil.disk_usage(tempfile.gettempdir()).free >= TEMPORARY_BYTES:
        return {}
    folder = ROOT / ".venv.tmp"
    folder.mkdir(exist_ok=True)
    say(f"{tempfile.gettempdir()} is nearly full: using {folder.name} for temporary files")
    return {"TMPDIR": str(folder)}


def make_venv(environment: dict[str, str]) -> None:
    """Create an empty environment; what an interrupted installation left is removed."""
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, env=environment, capture_output=True, text=True)
    if made.returncode:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        fail(
            "this Python cannot create a virtual environment:\n" + (made.stdout + made.stderr).strip(),
            f"install its venv module: {system_install(f'python{version}-venv')}, then run the same command "
            "again",
        )


def install(kind: str, environment: dict[str, str]) -> None:
    lock = ROOT / "requirements" / f"{kind}.txt"
    python = str(VENV / "bin" / "python")
    local_torch = has_local_cpu_torch()
    uv = shutil.which("uv") or own_uv(python, environment)
    if uv:
        say(f"installing {lock.name} with uv; to compile it, at the end, takes a silent minute or two")
        # Compiled now: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every process would
        # compile again. Importing vLLM takes 7 CPU-seconds instead of 17.
        options = ["--no-deps", "--compile-bytecode"]
        if kind == "gpu":
            options += ["--torch-backend", "auto"]
        elif not local_torch:
            options += ["--torch-backend", "cpu"]
        if os.environ.get("PIP_FIND_LINKS"):
            environment.setdefault("UV_FIND_LINKS", os.environ["PIP_FIND_LINKS"])
        command = [uv, "pip", "install", "--python", python, *options, "-r", str(lock)]
    else:
        say(f"installing {lock.name} with pip; uv would be faster")
        command = [python, "-m", "pip", "install", "--no-deps", "-r", str(lock)]
    run(command, environment)
    if not uv and kind == "cpu" and not local_torch:
        # pip's torch is a CUDA build, whose libraries the CPU lock does not list; with them it runs on a CPU.
        run([python, "-m", "pip", "install", "-r", str(lock), "torch"], environment)
    project = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    if uv:
        run([uv, "pip", "install", "--python", python, *project], environment)
    else:
        run([python, "-m", "pip", "install", *project], environment)


def try_torch(kind: str) -> None:
    """Fail here, and not in the first training, when the torch that was found does not start."""
    started = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", "import torch"], capture_output=True, text=True
    )
    if started.returncode:
        fail(
            f"torch was installed and does not start: {(started.stderr.strip().splitlines() or ['?'])[-1]}",
            f"the {kind} set needs a torch built for it and for Python {platform.python_version()}; use a "
            "Python for which your package index or find-links folder has one",
        )


def has_local_cpu_torch() -> bool:
    """True when pip is configured with a local folder that contains a CPU build of torch."""
    shown = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    folders = os.environ.get("PIP_FIND_LINKS", "").split()
    for line in shown.stdout.splitlines():
        if "find-links" in line.split("=", 1)[0]:
            folders += line.split("=", 1)[1].strip().strip("'\"").split()
    found = [
        wheel
        for folder in folders
        if os.path.isdir(folder)
        for wheel in Path(folder).glob("torch-*+cpu-*.whl")
    ]
    if found and not os.environ.get("PIP_FIND_LINKS"):
        os.environ["PIP_FIND_LINKS"] = str(found[0].parent)
    return bool(found)


def own_uv(python: str, environment: dict[str, str]) -> str | None:
    """Install uv into the environment; None if that fails, so that pip is used instead."""
    if os.environ.get("REASONER_ZERO_INSTALLER") == "pip":
        return None
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        say("uv could not be installed: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
        return None
    return str(VENV / "bin" / "uv")


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment)
    if done.returncode:
        fail(
            f"the installation failed (exit status {done.returncode})",
            "read the message above; if it is about the network or the disk, fix that and run the same "
            "command again: it starts over cleanly and reuses what was downloaded",
        )


def say(text: str) -> None:
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


def fail(problem: str, remedy: str) -> None:
    sys.exit(f"setup: {problem}\nsetup: to fix it: {remedy}")


if __name__ == "__main__":
    main()
