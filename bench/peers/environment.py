"""Python environments for other tools, separate from the project's own.

    python = peer_environment("lm-eval", ["lm-eval==0.4.13", "sacrebleu"], shares=True)

Environments are in .venv.bench/, beside the project's own, and are created once.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / ".venv.bench"


def peer_environment(name: str, requirements: list[str], *, shares: bool = False) -> Path:
    """Return the Python of an environment with `requirements`, which is created on first use.

    `shares`: it also sees this environment's packages, so that a peer runs with the same torch and vLLM, and
    only what is missing is installed.
    """
    folder = ROOT / name
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join([*requirements, f"shares={shares}"])
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if shares:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        link = folder / "lib" / version / "site-packages" / "project.pth"
        link.write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *requirements], check=True)
    stamp.write_text(wanted)
    return python
