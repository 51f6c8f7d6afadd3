"""Build the wheel, install it outside the project and use it as a new user would: python tests/wheel.py

Everything runs in a folder with a user's own rewards.py, flows.py, evals/ and training/, none of which may
ever be imported. Needs a package index.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("curation", "rewards", "training", "evals", "pipelines")
BESIDE = ("flows.py", "pyproject.toml", "README.md", "LICENSE")
CODE_BESIDE_PYTHON = {".j2", ".json", ".typed"}
TRAP = "raise SystemExit('the user\\'s own file was imported')\n"
BASE_LIMIT_BYTES = 120 * 2**20
"""Size of an environment with only the verifier, without pip and setuptools."""
CONFIG = """\
name = "mine"
[[curation.sources]]
name = "mine"
file = "mine.jsonl"
[training.model]
path = "base"
[evals]
benchmarks = []
"""
GRADES = """\
from rewards import Reason, grade, grade_batch, verify
assert grade("So the answer is 50%.", "1/2") is True
assert grade_batch([("\\\\boxed{3}", "3"), ("\\\\boxed{4}", "3")]) == [True, False]
assert verify("(1,2)", "</think><answer>\\\\boxed{(2,1)}</answer>", mode="orz").reason is Reason.WRONG
"""
ADAPTERS = """\
import importlib.util
from pathlib import Path
import rewards
for name in ("trl", "verl", "openrlhf"):
    path = Path(rewards.__path__[0]) / "adapters" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"adapter_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if name == "verl":
        assert module.compute_score("any", "<answer>\\\\boxed{7}</answer>", "7")["score"] == 1.0
    if name == "trl":
        one = "<answer>\\\\boxed{7}</answer>"
        assert module.math_reward(prompts=["3 + 4?"], completions=[one], answer=["7"]) == [1.0]
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder)
        check_contents(wheel)
        place = make_traps(folder / "user")
        use_verifier(install(folder / "base", str(wheel)), place)
        use_curation(install(folder / "curation", f"{wheel}[curation]"), place)
    say("the wheel works")
    return 0


def build(folder: Path) -> Path:
    """Build from a copy, because setuptools leaves files in the source folder."""
    source = folder / "source"
    source.mkdir()
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in BESIDE:
        shutil.copy(ROOT / file, source)
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist")]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *options, str(source), at=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Check that the wheel has every template, table and marker file."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", *CODE_BESIDE_PYTHON} and "__pycache__" not in path.parts
    }
    assert files <= inside, sorted(files - inside)
    assert any(name.endswith("LICENSE") for name in inside)
    say(f"{wheel.name}: {len(files)} files, {wheel.stat().st_size / 2**20:.2f} MiB")


def make_traps(folder: Path) -> Path:
    """A working folder with files named like our packages."""
    for package in ("evals", "training"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text(TRAP)
    for module in ("rewards.py", "flows.py"):
        (folder / module).write_text(TRAP)
    return folder


def install(place: Path, what: str) -> Path:
    """Create an environment with `what`; returns its folder of commands."""
    venv.create(place, with_pip=True)
    tool = shutil.which("uv") or (ROOT / ".venv" / "bin" / "uv")
    python = str(place / "bin" / "python")
    if Path(tool).exists():
        run(str(tool), "pip", "install", "--quiet", "--python", python, what, at=place)
    else:
        run(python, "-m", "pip", "install", "--quiet", what, at=place)
    return place / "bin"


def use_verifier(commands: Path, place: Path) -> None:
    size = sum(
        path.stat().st_size
        for path in commands.parent.glob("lib/python*/site-packages/**/*")
        if path.is_file() and not {"pip", "setuptools", "__pycache__"} & set(path.parts)
    )
    say(f"the verifier alone: {size / 2**20:.0f} MiB")
    assert size < BASE_LIMIT_BYTES
    python, command = str(commands / "python"), str(commands / "reasoner-zero")
    run(python, "-P", "-c", GRADES, at=place)
    run(python, "-P", "-c", ADAPTERS, at=place)
    said = run(command, "verify", "--gold", r"\frac{1}{2}", r"so we get \boxed{0.5}", at=place)
    assert "correct" in said
    # Only sympy can decide this one, in a process that is started in the user's folder.
    said = run(command, "verify", "--gold", r"\log_{2}(x^2+2x+1)", r"\boxed{2\log_{2}(|x+1|)}", at=place)
    assert "reward    1.0" in said, said
    assert "python" in run(command, "doctor", at=place, status=None)
    for arguments, extra in (
        (["curate", "--config", "mine.toml"], "curation"),
        (["train", "--config", "mine.toml"], "training"),
        (["compare", "a", "b"], "evals"),
        (["view", "a"], "view"),
        (["up"], "flows"),
    ):
        said = run(command, *arguments, at=place, status=2)
        assert said.count("\n") == 1 and f"pip install 'reasoner-zero[{extra}]'" in said, said
    said = run(python, "-m", "curation.dedup", "--help", at=place, status=1)
    assert said.count("\n") == 1 and "reasoner-zero[curation]" in said, said


def use_curation(commands: Path, place: Path) -> None:
    rows = [{"problem": f"What is {n} plus {7 * n}? Give the sum.", "answer": str(8 * n)} for n in range(40)]
    text = "".join(json.dumps({"id": str(n), **row}) + "\n" for n, row in enumerate(rows))
    (place / "mine.jsonl").write_text(text)
    (place / "mine.toml").write_text(CONFIG)
    command, python = str(commands / "reasoner-zero"), str(commands / "python")
    run(command, "curate", "--config", "mine.toml", at=place)
    assert (place / "runs" / "mine" / "curate" / "README.md").exists()
    run(command, "rewards", "--config", "mine.toml", at=place)
    run(python, "-m", "pipelines", "audit", "runs/mine", at=place)
    options = ["mine.jsonl", "--text-column", "problem", "--out", "kept.parquet"]
    run(python, "-m", "curation.dedup", *options, at=place)
    said = run(command, "train", "--config", "mine.toml", at=place, status=2)
    assert "reasoner-zero[training]" in said, said


def run(*command: str, at: Path, status: int | None = 0) -> str:
    """Run a command and return its output; AssertionError unless it exits with `status`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if os.environ.get("PIP_FIND_LINKS"):
        environment.setdefault("UV_FIND_LINKS", os.environ["PIP_FIND_LINKS"])
    done = subprocess.run(
        command, cwd=at, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert status in (None, done.returncode), f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
    return done.stdout


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
