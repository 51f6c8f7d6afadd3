"""Run every command of README.md that stands in a ```console block marked `tested`: python tests/readme.py
[--list]

A marked block starts with the line ```console tested; its lines that begin with `$ ` are run in order from
the project's folder. Commands that need the data of another checkout name a folder that may be missing:
such a block is marked `tested needs=PATH` and left out, with a line that says so, when PATH is not there.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"```console tested(?: needs=(\S+))?\n(.*?)```", re.DOTALL)


def commands(text: str) -> list[tuple[str, str | None]]:
    """(command, folder it needs) in the order of the page.

    >>> commands("```console tested\\n$ true\\nsome output\\n```")
    [('true', None)]
    """
    return [
        (line.removeprefix("$ "), needs or None)
        for needs, body in BLOCK.findall(text)
        for line in body.splitlines()
        if line.startswith("$ ")
    ]


def main() -> int:
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    if not found:
        sys.exit("README.md marks no command as tested")
    n_run = 0
    for command, needs in found:
        if needs and not (ROOT / needs).exists():
            sys.stdout.write(f"left out, {needs} is not here: {command}\n")
            continue
        sys.stdout.write(f"$ {command}\n")
        sys.stdout.flush()
        if "--list" in sys.argv:
            continue
        started = time.monotonic()
        done = subprocess.run(["bash", "-c", f'export PATH="$PWD/.venv/bin:$PATH"; {command}'], cwd=ROOT)
        if done.returncode:
            sys.exit(f"README.md: exit status {done.returncode} from: {command}")
        n_run += 1
        sys.stdout.write(f"  ok, {time.monotonic() - started:.0f} s\n")
    sys.stdout.write(f"README.md: {n_run} commands ran\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
