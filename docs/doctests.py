"""A griffe extension for the API pages: doctests become code blocks, and a bare "<" is a character."""

import re
from collections.abc import Iterator
from typing import Any

import griffe


class Doctests(griffe.Extension):
    """Docstrings as the pages show them."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = "\n".join(fence(obj.docstring.value.splitlines()))


def fence(lines: list[str]) -> Iterator[str]:
    """Put doctests between fences; a doctest ends at a blank line.

    >>> list(fence(["Adds.", "", ">>> 1 + 1", "2"]))
    ['Adds.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    is_inside = False
    for line in lines:
        if line.lstrip().startswith(">>> ") and not is_inside:
            is_inside = True
            yield "```pycon"
        elif is_inside and not line.strip():
            is_inside = False
            yield "```"
        is_code = is_inside or line.startswith("    ")
        yield line if is_code else re.sub(r"(`[^`]*`)|<(?=[\w/])", lambda m: m[1] or "&lt;", line)
    if is_inside:
        yield "```"
