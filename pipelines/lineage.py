"""What a result was made from: the tree from an artefact back to the raw files, every hash checked.

    root = lineage(Path("runs/demo/evaluate-final"))
    console.print(as_tree(root))

An input is named in a manifest by the content of an artefact, or by the hash of a raw file or benchmark.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.tree import Tree

from pipelines.artifact import MANIFEST, check
from rewards.files import hash_file, read_json


@dataclass(frozen=True, slots=True)
class Node:
    """An artefact or a raw input, what it was made from, and what is wrong with it."""

    name: str
    detail: str
    inputs: tuple["Node", ...] = ()
    problems: tuple[str, ...] = ()

    def all_problems(self) -> Iterator[str]:
        """Everything wrong in this node and below."""
        yield from (f"{self.name}: {problem}" for problem in self.problems)
        for node in self.inputs:
            yield from node.all_problems()


def lineage(artefact: Path) -> Node:
    """Follow an artefact (or a run's link to it) back; FileNotFoundError when it is none."""
    folder = artefact.resolve()
    if not (folder / MANIFEST).exists():
        raise FileNotFoundError(
            f"{artefact}: no {MANIFEST}; give an artefact of a run, such as runs/demo/evaluate-final"
        )
    store = folder.parents[1]
    known: dict[str, Path] = {}
    for path in sorted(store.glob(f"*/*/{MANIFEST}")):
        known.setdefault(read_json(path)["content"], path.parent)
    run_config = artefact.parent / "config.json"
    data_root = read_json(run_config).get("data_root") if run_config.exists() else None
    return _Walk(known, Path(data_root) if data_root else None).node(folder.parent.name, folder)


@dataclass(slots=True)
class _Walk:
    known: dict[str, Path]
    data_root: Path | None

    def node(self, name: str, folder: Path) -> Node:
        manifest = read_json(folder / MANIFEST)
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
        return Node(name, detail, tuple(inputs), tuple(check(folder)))

    def _raw(self, label: str, content: str, file: str | None) -> Node:
        """A file, hub revision, generator or benchmark; a file that is at hand is hashed again."""
        path = (self.data_root or Path()) / file if file else None
        if path is None or not path.is_file():
            return Node(label, content[:64])
        problems = () if hash_file(path) == content else ("the file has changed since",)
        return Node(label, f"{path} {content[:16]}", problems=problems)


def as_tree(node: Node) -> Tree:
    """Render a lineage for a terminal; what is wrong stands behind a cross."""
    tree = Tree(_line(node))
    for below in node.inputs:
        tree.add(as_tree(below))
    return tree


def _line(node: Node) -> str:
    mark = "[red]✗[/red]" if node.problems else "[green]✓[/green]"
    wrong = "".join(f" [red]{problem}[/red]" for problem in node.problems)
    return f"{mark} [bold]{node.name}[/bold] {node.detail}{wrong}"
