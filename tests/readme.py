"""Run everything that README.md and the docs mark as tested: python tests/readme.py [--list]

A marked block starts with ```console tested or ```python tested. Of a console block, the lines that begin
with `$ ` are run in order from the project's folder; a Python block is run, and where it has `>>>` prompts
its output is compared. README.md comes first (its demo is what the other pages look at), then the pages in
the order of mkdocs.yml, then CONTRIBUTING.md. Blocks that need the data of another checkout name a folder
that may be missing, `tested needs=PATH`: they are left out, with a line that says so, when PATH is not there.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```(console|python) tested(?: needs=(\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUN_DOCTEST = """
import doctest, sys
test = doctest.DocTestParser().get_doctest(sys.argv[1], {}, "page", None, 0)
sys.exit(doctest.DocTestRunner().run(test).failed > 0)
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, or one Python block, and the folder that it needs."""

    shown: str
    arguments: tuple[str, ...]
    needs: str = ""


def steps(text: str) -> list[Step]:
    """What a page marks as tested, in order.

    >>> [step.shown for step in steps("```console tested\\n$ true\\nsome output\\n```\\n")]
    ['$ true']
    >>> [step.shown for step in steps("```python tested needs=data\\n>>> 1 + 1\\n2\\n```\\n")]
    ['>>> 1 + 1']
    """
    found = []
    for kind, needs, body in BLOCK.findall(text):
        if kind == "console":
            commands = [line.removeprefix("$ ") for line in body.splitlines() if line.startswith("$ ")]
            path = 'export PATH="$PWD/.venv/bin:$PATH"'
            found += [Step(f"$ {one}", ("bash", "-c", f"{path}; {one}"), needs) for one in commands]
        else:
            code = (RUN_DOCTEST, body) if ">>> " in body else (body,)
            found.append(Step(body.splitlines()[0], (sys.executable, "-c", *code), needs))
    return found


def pages() -> list[Path]:
    """README.md, the pages of the site in order (those that are made while it is built left out), and
    CONTRIBUTING.md."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    docs = [ROOT / "docs" / name for name in _names(nav)]
    return [ROOT / "README.md", *(path for path in docs if path.exists()), ROOT / "CONTRIBUTING.md"]


def _names(nav: Any) -> Iterator[str]:
    """Files of a nav, top to bottom."""
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _names(entry)


def main() -> int:
    found = {page: steps(page.read_text(encoding="utf-8")) for page in pages()}
    if not found[ROOT / "README.md"]:
        sys.exit("README.md marks nothing as tested")
    n_run = 0
    for page, of_page in found.items():
        name = page.relative_to(ROOT)
        if of_page:
            sys.stdout.write(f"{name}\n")
        for step in of_page:
            if step.needs and not (ROOT / step.needs).exists():
                sys.stdout.write(f"  left out, {step.needs} is not here: {step.shown}\n")
                continue
            sys.stdout.write(f"  {step.shown}\n")
            sys.stdout.flush()
            if "--list" in sys.argv:
                continue
            started = time.monotonic()
            done = subprocess.run(step.arguments, cwd=ROOT)
            if done.returncode:
                sys.exit(f"{name}: exit status {done.returncode} from: {step.shown}")
            n_run += 1
            sys.stdout.write(f"    ok, {time.monotonic() - started:.0f} s\n")
    sys.stdout.write(f"{n_run} commands and examples ran\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
