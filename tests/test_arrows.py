"""Imports go one way: flows -> pipelines -> {curation, training, evals} -> rewards."""

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
COMMAND_RUN = ROOT / "pipelines/cli/stages.py"
"""The command `run` starts the flow of that name: the one arrow back."""
MOST_FILES = 24
"""Python files in one folder."""


def source_files(package: str) -> list[Path]:
    return [ROOT / "flows.py"] if package == "flows" else sorted((ROOT / package).rglob("*.py"))


def imported_packages(path: Path) -> set[str]:
    """Top-level names that a file imports anywhere, including inside functions."""
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
        allowed = MAY_IMPORT[package] | ({"flows"} if path == COMMAND_RUN else set())
        assert ours <= allowed, f"{path.relative_to(ROOT)} imports {sorted(ours - allowed)}"


def test_only_the_prefect_glue_imports_prefect() -> None:
    for package in PACKAGES:
        for path in source_files(package):
            if "prefect" in imported_packages(path):
                name = path.relative_to(ROOT).as_posix()
                assert name == "flows.py" or name.startswith(PREFECT_GLUE), name


def imported_modules(path: Path) -> set[Path]:
    """The project files that a file imports anywhere."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            place = ROOT / name.replace(".", "/")
            found |= {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()}
    return found - {path}


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """A path from a name back to itself; empty when there is none.

    >>> " -> ".join(find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) or ["none"])
    'b -> c -> b'
    >>> " -> ".join(find_circle({"a": {"b"}, "b": set()}) or ["none"])
    'none'
    """
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in sorted(arrows.get(name, ())):
            if circle := follow(target, [*way, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(arrows) if (circle := follow(name, []))), [])


ALL_ARROWS = {path: imported_modules(path) for package in PACKAGES for path in source_files(package)}
ROOMS = sorted({path.parent for path in ALL_ARROWS})


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.relative_to(ROOT).as_posix())
def test_no_circle_among_the_files_and_folders_of_a_room(room: Path) -> None:
    """True for every folder, this means that there is no import cycle anywhere."""
    arrows: dict[str, set[str]] = {}
    for source, targets in ALL_ARROWS.items():
        for target in targets if room in source.parents else ():
            if room in target.parents and not (source == COMMAND_RUN and target.name == "flows.py"):
                here, there = (path.relative_to(room).parts[0] for path in (source, target))
                if here != there and there != "__init__.py":
                    arrows.setdefault(here, set()).add(there)
    assert find_circle(arrows) == []


def test_no_folder_contains_many_files() -> None:
    tops = [ROOT / name for name in (*PACKAGES, "tests", "bench") if (ROOT / name).is_dir()]
    folders = [folder for top in tops for folder in (top, *top.rglob("*")) if folder.is_dir()]
    crowded = {folder.relative_to(ROOT).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: n for folder, n in crowded.items() if n > MOST_FILES} == {}


def test_tests_lie_where_their_module_does() -> None:
    """tests/<package>/<room>/test_<module>.py; a behavior across modules is tested in tests/<package>/."""
    for path in (ROOT / "tests").glob("*/*/**/test_*.py"):
        module = ROOT / path.relative_to(ROOT / "tests").with_name(path.name.removeprefix("test_"))
        assert module.exists() or module.with_suffix("").is_dir(), path.relative_to(ROOT)


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
