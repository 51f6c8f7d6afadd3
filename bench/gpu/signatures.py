"""Check every torch, vLLM and DeepSpeed call of ours against the sources of given versions, without a GPU.

    python bench/gpu/run.py --signatures                    the installed versions
    python bench/gpu/run.py --signatures FOLDER             unpacked wheels: FOLDER/torch, FOLDER/vllm, ...

Nothing is imported: our calls and the functions they reach are read from source text. A call counts as
unchecked when its target is compiled or made at run time.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("training", "bench/gpu", "pipelines/jobs")
LIBRARIES = ("torch", "vllm", "deepspeed")
ALIASES = {
    "vllm.LLM": "vllm.entrypoints.llm.LLM",
    "vllm.SamplingParams": "vllm.sampling_params.SamplingParams",
}
"""Names that a library makes available at run time."""
OBJECTS = {
    "self.llm": "vllm.entrypoints.llm.LLM",
    "self.llm.llm_engine": "vllm.v1.engine.llm_engine.LLMEngine",
    "engine": "deepspeed.runtime.engine.DeepSpeedEngine",
    "critic": "deepspeed.runtime.engine.DeepSpeedEngine",
}
"""Classes of our variables, as written, whose methods are checked; DeepSpeed's only in training/."""
METHODS_OF_ENGINES = (
    *("backward", "step", "set_gradient_accumulation_boundary", "get_global_grad_norm"),
    "zero_optimization_stage",
)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ATTRIBUTES = {
    "deepspeed.runtime.zero.stage3.DeepSpeedZeroOptimizer_Stage3": (
        *("get_param_id", "_get_param_partition_group", "checkpoint_event_prologue"),
        "checkpoint_event_epilogue",
    ),
    "deepspeed.runtime.zero.stage_1_and_2.DeepSpeedZeroOptimizer": ("update_lp_params",),
    "deepspeed.runtime.bf16_optimizer.BF16_Optimizer": ("update_lp_params",),
}
"""Methods of DeepSpeed's optimizers that training/saving/fragments.py calls."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ours: the dotted name of its target, and its arguments."""

    target: str
    n_positional: int
    keywords: tuple[str, ...]
    is_open: bool
    """With * or ** among its arguments."""
    place: str


@dataclass(slots=True)
class Report:
    checked: int = 0
    unchecked: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def calls_of(path: Path) -> Iterator[Call]:
    """Calls in a file whose target is a library's, by its imports or by OBJECTS."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                (alias.asname or alias.name.partition(".")[0]): (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                for alias in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    in_training = path.is_relative_to(ROOT / "training")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        written = ast.unparse(node.func)
        first, _, rest = written.partition(".")
        owner, _, method = written.rpartition(".")
        if owner in OBJECTS and (owner.startswith("self") or in_training and method in METHODS_OF_ENGINES):
            target = f"{OBJECTS[owner]}.{method}"
        elif names.get(first, "").partition(".")[0] in LIBRARIES:
            target = names[first] + (f".{rest}" if rest else "")
        else:
            continue
        keywords = tuple(k.arg for k in node.keywords if k.arg)
        is_open = any(k.arg is None for k in node.keywords)
        is_open |= any(isinstance(a, ast.Starred) for a in node.args)
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        yield Call(target, len(node.args), keywords, is_open, place)


class Sources:
    """Functions and classes of the libraries in a folder, by dotted name."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.trees: dict[Path, ast.Module] = {}

    def file(self, module: list[str]) -> Path | None:
        place = self.site.joinpath(*module)
        return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)

    def tree(self, path: Path) -> ast.Module:
        if path not in self.trees:
            self.trees[path] = ast.parse(path.read_text(encoding="utf-8"))
        return self.trees[path]

    def find(self, dotted: str, depth: int = 0) -> ast.AST | str | None:
        """The definition of `dotted`; a text when the module exists and the name is not in it; None when that
        cannot be said."""
        dotted = next(
            (full + dotted[len(short):] for short, full in ALIASES.items()
             if dotted == short or dotted.startswith(f"{short}.")), dotted)  # fmt: skip
        parts = dotted.split(".")
        for n in range(len(parts) - 1, 0, -1):
            path = self.file(parts[:n])
            if path is not None:
                return self._inside(self.tree(path), path, parts[:n], parts[n:], depth)
        return f"{parts[0]} has no module for {dotted}" if (self.site / parts[0]).exists() else None

    def _inside(
        self, tree: ast.AST, path: Path, module: list[str], names: list[str], depth: int
    ) -> ast.AST | str | None:
        name, *rest = names
        for node in ast.walk(tree) if isinstance(tree, ast.Module) else tree.body:  # type: ignore[attr-defined]
            is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if is_definition and node.name == name:
                return self._inside(node, path, module, rest, depth) if rest else node
        if isinstance(tree, ast.ClassDef):
            for base in tree.bases:
                package = module if path.name == "__init__.py" else module
                found = (
                    self.find(f"{'.'.join(package)}.{ast.unparse(base)}.{'.'.join(names)}", depth + 1)
                    if depth < 6
                    else None
                )
                if isinstance(found, ast.AST):
                    return found
            return f"{tree.name} has no {name}" if not tree.bases else None
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and depth < 6:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        base = module if path.name == "__init__.py" else module[:-1]
                        above = base[: len(base) - node.level + 1] if node.level else []
                        target = [*above, *(node.module.split(".") if node.module else []), alias.name, *rest]
                        return self.find(".".join(target), depth + 1)
        return None


def misfit(call: Call, node: ast.AST) -> str | None:
    """What is wrong with a call of the function or class `node`; None when nothing is."""
    is_method = False
    if isinstance(node, ast.ClassDef):
        own = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if own is None:
            fields = {n.target.id for n in node.body
                      if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}  # fmt: skip
            unknown = [name for name in call.keywords if name not in fields]
            return f"no field {', '.join(unknown)}" if fields and unknown else None
        node, is_method = own, True
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = node.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    if is_method or positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    named = {*positional, *(a.arg for a in arguments.kwonlyargs)}
    unknown = [name for name in call.keywords if name not in named]
    if unknown and arguments.kwarg is None:
        return f"no argument {', '.join(unknown)}; it has: {', '.join(sorted(named))}"
    if call.n_positional > len(positional) and arguments.vararg is None:
        return f"{call.n_positional} positional arguments, it takes {len(positional)}"
    if not call.is_open:
        n_defaults = len(arguments.defaults)
        required = positional[: len(positional) - n_defaults][call.n_positional :]
        required += [
            a.arg for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is None
        ]
        if missing := [name for name in required if name not in call.keywords]:
            return f"lacks {', '.join(missing)}"
    return None


def check(site: Path) -> Report:
    """Check all calls of SOURCES against the libraries in `site`."""
    sources, report = Sources(site), Report()
    files = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    for call in (call for path in files for call in calls_of(path)):
        found = sources.find(call.target)
        if isinstance(found, str):
            report.wrong.append(f"{call.place}: {call.target}: {found}")
        elif isinstance(found, DEFINITIONS) and not is_overloaded(found):
            report.checked += 1
            if (reason := misfit(call, found)) is not None:
                report.wrong.append(f"{call.place}: {call.target}: {reason}")
        else:
            report.unchecked.add(call.target)
    for owner, methods in ATTRIBUTES.items():
        for method in methods:
            found = sources.find(f"{owner}.{method}")
            report.checked += isinstance(found, ast.AST)
            if isinstance(found, str):
                report.wrong.append(f"training/saving/fragments.py: {owner}.{method}: {found}")
    return report


def is_overloaded(node: ast.AST) -> bool:
    """Several signatures, of which only the first was found."""
    marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
    return any(mark.endswith("overload") for mark in marks)


def main(folder: str | None) -> int:
    site = Path(folder) if folder else Path(next(p for p in sys.path if (Path(p) / "torch").is_dir()))
    report = check(site)
    for line in report.wrong:
        sys.stdout.write(f"WRONG  {line}\n")
    counts = f"{report.checked} calls checked, {len(report.wrong)} wrong"
    unchecked = f"{len(report.unchecked)} functions are compiled or made at run time, so unchecked"
    sys.stdout.write(f"{counts}; {unchecked}\n")
    return 1 if report.wrong else 0
