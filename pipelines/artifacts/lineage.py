"""Lineage of a result: the tree from an artifact back to the raw files, with every hash checked.

    root = lineage(Path("runs/demo/evaluate-final"))
    root = lineage(Path("downloaded"), runs=Path("runs"))       # a published data set or model
    console.print(as_tree(root))

An input is named in a manifest by the content of an artifact, or by the hash of a raw file or benchmark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.tree import Tree

from pipelines.artifacts.artifact import CHECKSUMS, MANIFEST, MANIFESTS, check
from rewards.contracts.files import hash_file, read_json

EXPORT = re.compile(r"exports/step-\d{6}/")


@dataclass(frozen=True, slots=True)
class Node:
    """An artifact or a raw input, what it was made from, and its problems."""

    name: str
    detail: str
    inputs: tuple["Node", ...] = ()
    problems: tuple[str, ...] = ()

    def all_problems(self) -> Iterator[str]:
        """All problems of this node and those below it."""
        yield from (f"{self.name}: {problem}" for problem in self.problems)
        for node in self.inputs:
            yield from node.all_problems()


def lineage(artifact: Path, runs: Path = Path("runs")) -> Node:
    """Trace an artifact, a run's link to one, or a copy of what was published.

    Follows manifests and the artifacts in `runs`. FileNotFoundError when `artifact` is neither.
    """
    if (artifact / CHECKSUMS).exists():
        return published(artifact, runs)
    folder = artifact.resolve()
    if not (folder / MANIFEST).exists():
        raise FileNotFoundError(
            f"{artifact}: no {MANIFEST}; give an artifact of a run, such as runs/demo/evaluate-final, "
            "or a downloaded publication"
        )
    store = folder.parents[1]
    known: dict[str, Path] = {}
    for path in sorted(store.glob(f"*/*/{MANIFEST}")):
        known.setdefault(read_json(path)["content"], path.parent)
    run_config = artifact.parent / "config.json"
    data_root = read_json(run_config).get("data_root") if run_config.exists() else None
    return _Walk(known, Path(data_root) if data_root else None).node(folder.parent.name, folder)


def published(folder: Path, runs: Path) -> Node:
    """Check a published folder and trace it to the run that made it, if that run is in `runs`."""
    manifests = {path.stem: path for path in sorted((folder / MANIFESTS).glob("*.json"))}
    stage = "train" if "train" in manifests else "rewards"
    manifest = read_json(manifests[stage])
    links = [link for link in runs.glob(f"*/{stage}") if link.resolve().name == manifest["fingerprint"]]
    if links:
        made = lineage(min(links))
    else:
        known = {read_json(path)["content"]: path for path in manifests.values()}
        made = _Walk(known, None).node(stage, manifests[stage])
    what = "model" if stage == "train" else "data set"
    return Node(f"published {what}", str(folder), (made,), tuple(_wrong_files(folder, manifest)))


def _wrong_files(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """Files that differ from the checksums, and model files that are not those of the last training step."""
    for line in (folder / CHECKSUMS).read_text().splitlines():
        sha256, _, name = line.partition("  ")
        if not (folder / name).is_file():
            yield f"{name} is missing"
        elif hash_file(folder / name) != sha256:
            yield f"{name} differs from its SHA-256"
    exports = sorted(name for name in manifest["files"] if EXPORT.match(name))
    last = exports[-1].split("/")[1] if exports else None
    for name in exports:
        _, step, part, file = name.split("/", 3)
        copy = folder / file if part == "actor" else folder / part / file
        if step == last and copy.is_file() and hash_file(copy) != manifest["files"][name]["sha256"]:
            yield f"{copy.relative_to(folder)} is not the file that training made"


@dataclass(slots=True)
class _Walk:
    known: dict[str, Path]
    data_root: Path | None

    def node(self, name: str, found: Path) -> Node:
        """The node of an artifact's folder, or of a manifest alone."""
        manifest = read_json(found / MANIFEST if found.is_dir() else found)
        sources = manifest["config"].get("sources") or () if manifest["stage"] == "curate" else ()
        files = {source["name"]: source.get("file") for source in sources}
        inputs = []
        for label, content in manifest["inputs"].items():
            if content in self.known:
                inputs.append(self.node(label, self.known[content]))
            else:
                inputs.append(self._raw(label, content, files.get(label.removeprefix("source:"))))
        detail = (
            f"{manifest['stage']}/{manifest['fingerprint']} content {manifest['content']} "
            f"code {manifest['code_version']}"
        )
        for line in manifest["facts"].get("segments", ()):
            inputs.append(Node("segment", line))
        if found.is_dir():
            return Node(name, detail, tuple(inputs), tuple(check(found)))
        return Node(name, f"{detail} (not on this machine)", tuple(inputs))

    def _raw(self, label: str, content: str, file: str | None) -> Node:
        """A file, hub revision, generator or benchmark; a file on this machine is hashed again."""
        path = (self.data_root or Path()) / file if file else None
        if path is None or not path.is_file():
            return Node(label, content[:64])
        problems = () if hash_file(path) == content else ("the file has changed since",)
        return Node(label, f"{path} {content[:16]}", problems=problems)


def as_tree(node: Node) -> Tree:
    """Render a lineage for a terminal; problems follow a cross."""
    tree = Tree(_line(node))
    for below in node.inputs:
        tree.add(as_tree(below))
    return tree


def _line(node: Node) -> str:
    mark = "[red]✗[/red]" if node.problems else "[green]✓[/green]"
    wrong = "".join(f" [red]{problem}[/red]" for problem in node.problems)
    return f"{mark} [bold]{node.name}[/bold] {node.detail}{wrong}"
