"""The arrows of the layout point one way: flows -> pipelines -> {curation, training, evals} -> rewards."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "curation", "rewards", "training", "evals", "flows")
MAY_IMPORT = {
    "rewards": set(),
    "curation": {"rewards"},
    "training": {"rewards"},
    "evals": {"rewards"},
    "pipelines": {"curation", "rewards", "training", "evals"},
    "flows": {"pipelines"},
}
PREFECT_GLUE = "pipelines/orchestration/"


def source_files(package: str) -> list[Path]:
    return [ROOT / "flows.py"] if package == "flows" else sorted((ROOT / package).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    """Top-level names that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str) -> None:
    files = source_files(package)
    assert files
    for path in files:
        ours = imported_packages(path) & set(PACKAGES) - {package}
        # The command line starts the flow of the same name: the one arrow back, named here.
        allowed = MAY_IMPORT[package] | ({"flows"} if path.name == "commands.py" else set())
        assert ours <= allowed, f"{path.relative_to(ROOT)} imports {sorted(ours - allowed)}"


def test_only_the_prefect_glue_imports_prefect() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in source_files(package)
        if "prefect" in imported_packages(path)
    }
    assert found == STARTS_PREFECT


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        pytest.param(
            "import pipelines.cli.main", {"torch", "vllm", "deepspeed", "polars", "prefect"}, id="help"
        ),
        pytest.param(
            "import curation.curate", {"torch", "vllm", "deepspeed", "transformers", "sympy"}, id="curation"
        ),
        pytest.param("import rewards.grader", {"torch", "vllm", "sympy", "math_verify"}, id="rewards"),
        pytest.param("import pipelines.stages.chain", {"torch", "vllm", "deepspeed", "prefect"}, id="stages"),
    ],
)
def test_heavy_libraries_load_only_where_needed(statement: str, forbidden: set[str]) -> None:
    code = f"{statement}; import sys; print(*sorted(set(sys.modules) & {forbidden!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
