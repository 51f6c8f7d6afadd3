"""MkDocs hooks: pages made at build time, and a check that the paths on all pages exist.

configuration.md and columns.md are generated (see reference.py). Pages that live elsewhere in the repository
(benches, changelog, contributing) are copied with their links rewritten. Nothing generated is committed.
"""

import logging
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from reference import PACKAGES, ROOT, Reference, write_columns  # beside this file; MkDocs looks there

log = logging.getLogger("mkdocs.plugins.reasoner_zero")
COPIED = {
    "bench/README.md": "benches.md",
    "bench/gpu/README.md": "gpu.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Place in the repository and name on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {"configuration.md": Reference().page(), "columns.md": write_columns()}
    for place, name in COPIED.items():
        pages[name] = relink((ROOT / place).read_text(encoding="utf-8"), place)
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    tree = ROOT / "docs" / "architecture.md"
    for problem in [*check_tree(tree.read_text(encoding="utf-8")), *check_paths()]:
        log.warning("%s", problem)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take the marks of tests/readme.py off the fences: "console tested" is a plain console block."""
    return re.sub(r"^```(\w+) tested.*$", r"```\1", markdown, flags=re.MULTILINE)


def relink(text: str, place: str) -> str:
    """Point the links of a page at `place` in the repository to the pages of the site."""

    def target(match: re.Match[str]) -> str:
        path, hash_, anchor = match[1].partition("#")
        if "://" in path or not path:
            return match[0]
        full = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
        full = COPIED.get(full, full.removeprefix("docs/"))
        return f"]({full}{hash_}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", target, text)


def check_tree(page: str) -> list[str]:
    """Compare the tree of architecture.md with the modules on disk; one line for each difference."""
    listed = set(tree_entries(page.rpartition("```text\n")[2].partition("```")[0]))
    found = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }
    patterns = [entry for entry in listed if "*" in entry]
    in_packages = {entry for entry in listed if entry.split("/")[0] in PACKAGES and not entry.endswith("/")}
    missing = [
        f"architecture.md: {path} is on disk and not in the tree"
        for path in sorted(found - listed)
        if not any(
            PurePosixPath(path).parent == PurePosixPath(p).parent and fnmatch(path, p) for p in patterns
        )
    ]
    gone = [
        f"architecture.md: {entry} is in the tree and not on disk"
        for entry in sorted(in_packages - found)
        if "*" not in entry and not (ROOT / entry).exists()
    ]
    return missing + gone


def check_paths() -> Iterator[str]:
    """Files of the project that a page names and that do not exist; the changelog names old ones."""
    top = "|".join((*PACKAGES, "bench", "configs", "docs", "requirements", "tests"))
    named = re.compile(rf"(?<![\w./-])(?:{top})/[\w./-]*\w\.(?:py|md|toml|txt|json|yaml|png)\b")
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / place for place in COPIED)]
    for page in pages:
        for path in sorted(set(named.findall(page.read_text(encoding="utf-8")))):
            if page.name != "CHANGELOG.md" and "NAME" not in path and not (ROOT / path).exists():
                yield f"{page.relative_to(ROOT)}: there is no {path}"


def tree_entries(tree: str) -> Iterator[str]:
    """Paths of an indented tree, folders with a slash at the end."""
    folders: list[str] = []
    for line in tree.splitlines():
        if not line.strip():
            continue
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        del folders[depth:]
        yield "".join(folders) + name
        if name.endswith("/"):
            folders.append(name)
