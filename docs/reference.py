"""Reference pages of the site, read statically from the source: configuration.md and columns.md.

The configuration page lists every field of the settings classes: type, default and the docstring below it. A
field without one stops the build. The columns page lists the columns of every record.
"""

import ast
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("curation", "rewards", "training", "evals", "pipelines")
ROOT_CLASS = "pipelines.config.RunConfig"
BASE_CLASS = "rewards.contracts.settings.Settings"
WORDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
OPERATED = {
    "Operation": "*May change in mid-run.*",
    "Placement": "*May change in mid-run; sums are then made in another order.*",
}
"""Marks of fields that do not decide the result, and what the page says of them."""
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}

INTRODUCTION = """\
# Configuration reference

Every field of a run's TOML file, generated from the settings classes. *Required* means that there is no
default. A section in double brackets, such as `[[curation.sources]]`, is a list; on the command line its
entries are numbered: `--curation.sources.0.name`. An unknown key is refused, and the message names the
nearest known one.

A run continues when a field changes that only concerns its operation; such fields say so. When any other
field of `training` changes, the command names it and asks for `--resume` or `--fresh`.

"paper" is arXiv 2503.24290; "reference script" is `playground/orz_7b_ppo.py` of its authors' repository;
"ours" marks what is neither.
"""


class Reference:
    """The settings classes as the page shows them: one section a class, where it is first used."""

    def __init__(self) -> None:
        # The docstrings of fields are read here, and no package of ours is imported.
        self.loader = griffe.GriffeLoader(search_paths=[ROOT])
        for package in PACKAGES:
            self.loader.load(package)
        self.loader.resolve_aliases(external=False)
        self.keys: dict[str, list[str]] = {}
        """Keys under which a class is used, in the order of the page."""
        self.missing: list[str] = []

    def page(self) -> str:
        self.collect(ROOT_CLASS, "")
        sections = [self.section(path) for path in self.keys]
        if self.missing:
            raise PluginError(f"configuration fields without a docstring: {', '.join(self.missing)}")
        return "\n".join([INTRODUCTION, *sections])

    def lookup(self, path: str) -> Any:
        found = self.loader.modules_collection[path]
        return found.final_target if found.is_alias else found

    def collect(self, path: str, key: str) -> None:
        """Note every settings class below the one at `path`, depth first."""
        seen = path in self.keys
        self.keys.setdefault(path, []).append(key)
        if seen:
            return
        for field in self.fields(path):
            inner = self.settings_of(field)
            if inner is not None:
                name, is_list = inner
                dotted = f"{key}.{field.name}".lstrip(".") + ("[]" if is_list else "")
                self.collect(name, dotted)

    def fields(self, path: str) -> list[griffe.Attribute]:
        """Fields of a class, inherited ones first."""
        found = self.lookup(path)
        bases = [self.resolve(str(name), found) for name in found.bases]
        inherited = [field for base in bases if self.is_settings(base) for field in self.fields(base.path)]
        return inherited + [
            member
            for member in found.members.values()
            if isinstance(member, griffe.Attribute) and member.annotation is not None
            if "property" not in member.labels
        ]

    def resolve(self, name: str, scope: Any) -> Any:
        """What a name means where a class is defined; None for builtins and other packages."""
        try:
            return self.lookup(scope.module.resolve(name))
        except (griffe.NameResolutionError, griffe.AliasResolutionError, KeyError):
            return None

    def is_settings(self, found: Any) -> bool:
        return isinstance(found, griffe.Class) and any(
            base.path == BASE_CLASS or self.is_settings(base)
            for base in (self.resolve(str(name), found) for name in found.bases)
            if base is not None
        )

    def settings_of(self, field: griffe.Attribute) -> tuple[str, bool] | None:
        """Path of the settings class in a field's type, and whether the field is a list of them."""
        tree = ast.parse(str(field.annotation), mode="eval")
        is_list = isinstance(tree.body, ast.Subscript) and ast.unparse(tree.body.value) == "tuple"
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                found = self.resolve(node.id, field)
                if self.is_settings(found):
                    return found.path, is_list
        return None

    def section(self, path: str) -> str:
        found, keys = self.lookup(path), self.keys[path]
        text = " ".join(found.docstring.value.split()) if found.docstring else ""
        depth = keys[0].count(".") + 2 if keys[0] else 2
        lines = [f"{'#' * min(depth, 4)} {heading(keys[0])} {{: #{anchor(path)} }}", "", text, ""]
        if len(keys) > 1:
            lines += [f"Also: {', '.join(f'`{header(key)}`' for key in keys[1:])}.", ""]
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        for field in self.fields(path):
            if not field.docstring:
                self.missing.append(field.path)
                continue
            marked = str(field.annotation).partition("[")[0]
            words = [*field.docstring.value.split(), OPERATED.get(marked, "")]
            meaning = escape(" ".join(words).rstrip())
            default = self.default(field)
            lines.append(f"| {key(field.name)} | {self.type(field)} | {default} | {meaning} |")
        return "\n".join([*lines, ""])

    def type(self, field: griffe.Attribute) -> str:
        inner = self.settings_of(field)
        if inner is not None:
            path, is_list = inner
            name = "list of sections" if is_list else "section"
            return f"[{name}](#{anchor(path)})"
        return self.describe(ast.parse(str(field.annotation), mode="eval").body, field)

    def describe(self, node: ast.expr, field: griffe.Attribute) -> str:
        """A type in the words of a TOML file."""
        match node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                parts = [self.describe(side, field) for side in (left, right)]
                return " or ".join(part for part in parts if part != "unset")
            case ast.Constant(value=None):
                return "unset"
            case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in OPERATED:
                return self.describe(inner, field)
            case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
                values = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return ", ".join(f"`{toml(ast.literal_eval(value))}`" for value in values)
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant()])):
                return f"list of: {self.describe(item, field)}"
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
                return f"{len(items)} numbers"
            case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, value])):
                return f"table of: {self.describe(value, field)}"
            case ast.Name(id=name) if name in WORDS:
                return WORDS[name]
            case ast.Name(id=name):
                alias = self.resolve(name, field)
                if isinstance(alias, griffe.Attribute) and alias.value is not None:
                    return self.describe(ast.parse(str(alias.value), mode="eval").body, alias)
        raise PluginError(f"{field.path}: no words for the type {ast.unparse(node)}")

    def default(self, field: griffe.Attribute) -> str:
        """The default and the limits of a field; of a section, what its default changes."""
        if field.value is None:
            return "*required*"
        node = ast.parse(str(field.value), mode="eval").body
        limits = ""
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Field":
            named = {word.arg: word.value for word in node.keywords}
            given = node.args[0] if node.args else named.get("default")
            limits = ", ".join(
                f"{LIMITS[name]} {ast.unparse(named[name])}" for name in LIMITS if name in named
            )
            limits = f" ({limits})" if limits else ""
            if given is None:
                return f"*required*{limits}"
            node = given
        return f"{self.value(node, field)}{limits}"

    def value(self, node: ast.expr, scope: Any) -> str:
        """A default; of a section, the fields that it sets."""
        match node:
            case ast.Constant(value=None):
                return "unset"
            case ast.Call(keywords=keywords):
                shown = ", ".join(
                    f"{word.arg} = {toml(self.evaluate(word.value, scope))}" for word in keywords
                )
                return f"`{shown}`" if shown else ""
            case ast.Tuple(elts=items) if any(isinstance(item, ast.Call) for item in items):
                return "; ".join(self.value(item, scope) for item in items)
        return f"`{toml(self.evaluate(node, scope))}`"

    def evaluate(self, node: ast.expr, scope: Any) -> Any:
        """The value of a literal, a quotient such as 4 / 64, or the name of one."""
        match node:
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self.evaluate(left, scope) / self.evaluate(right, scope)
            case ast.Name(id=name):
                found = self.resolve(name, scope)
                return self.evaluate(ast.parse(str(found.value), mode="eval").body, found)
        return ast.literal_eval(node)


def write_columns() -> str:
    """The page on the columns of every record, read from the calls of Schema and Column."""
    text = (ROOT / "rewards" / "contracts" / "records.py").read_text(encoding="utf-8")
    known: dict[str, list[ast.Call]] = {}
    lines = ["# Columns", "", "What the Parquet and JSON-lines files of a run hold, in this order.", ""]
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign):
            continue
        name = ast.unparse(node.targets[0])
        if isinstance(node.value, ast.Tuple) and name.isupper():
            known[name] = columns_of(node.value, known)
        elif isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "Schema":
            title, meaning, columns = node.value.args
            known[f"{name}.columns"] = known[name] = columns_of(columns, known)
            lines += [f"## {ast.literal_eval(title)}", "", f"{sentence(ast.literal_eval(meaning))}.", ""]
            lines += ["| column | type | meaning |", "| --- | --- | --- |"]
            lines += [describe_column(column) for column in known[name]]
            lines.append("")
    return "\n".join(lines)


def columns_of(node: ast.expr, known: dict[str, list[ast.Call]]) -> list[ast.Call]:
    """The columns of a tuple, those of others that it unpacks included."""
    if not isinstance(node, ast.Tuple):
        raise PluginError(f"records.py: no tuple of columns: {ast.unparse(node)[:60]}")
    found: list[ast.Call] = []
    for item in node.elts:
        if isinstance(item, ast.Starred):
            found += known[ast.unparse(item.value)]
        elif isinstance(item, ast.Call):
            found.append(item)
    return found


def describe_column(column: ast.Call) -> str:
    name, dtype, meaning = column.args
    may_be_null = ", or null" if any(word.arg == "is_optional" for word in column.keywords) else ""
    kind = {"TEXT": "text", "INT": "whole number", "FLOAT": "number", "BOOL": "true or false"}
    return (
        f"| {key(ast.literal_eval(name))} | {kind[ast.unparse(dtype)]}{may_be_null} "
        f"| {escape(ast.literal_eval(meaning))} |"
    )


def sentence(text: str) -> str:
    return escape(text[0].upper() + text[1:])


def key(name: str) -> str:
    return f'<code class="key">{name}</code>'


def toml(value: Any) -> str:
    """A value as a TOML file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def header(key: str) -> str:
    """The header of a section in a TOML file, double brackets for a list.

    >>> header("curation.sources[].hub"), header("evals.benchmarks[]")
    ('[curation.sources.hub]', '[[evals.benchmarks]]')
    """
    bare = key.replace("[]", "")
    return f"[[{bare}]]" if key.endswith("[]") else f"[{bare}]"


def heading(key: str) -> str:
    return f"`{header(key)}`" if key else "The run"


def anchor(path: str) -> str:
    return path.rpartition(".")[2].lower()


def escape(text: str) -> str:
    """Text for a cell of a table.

    >>> escape("`a<b` and <b>, |x|")
    '`a<b` and &lt;b>, &#124;x&#124;'
    """
    marks = {"<": "&lt;", "|": "&#124;"}
    return re.sub(r"(`[^`]*`)|[<|]", lambda m: m[1] or marks[m[0]], text)
