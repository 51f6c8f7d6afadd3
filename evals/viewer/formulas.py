r"""Formulas in a text: where they are, and each as a tree of MathML, which browsers draw by themselves.

    pieces, trees = read_formulas(r"so \(x^2\) is 4")
    pieces -> ["so ", ["\\(x^2\\)", 0], " is 4"]
    trees  -> [["math", {}, ["msup", {}, ["mi", {}, "x"], ["mn", {}, "2"]]]]

The texts are a model's: a tree has only elements and attributes of the lists below, and the page builds it
node by node, so nothing in it is markup. What cannot be converted, or is too long or too deep, stays text.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from html.entities import html5
from typing import Any
from xml.etree import ElementTree

from math_core import LatexError, LatexToMathML

MAX_CHARS = 1_500
"""Longest formula that is drawn; math-core's parser recurses, and takes four times as much."""
MAX_DEPTH = 40
"""Deepest nesting of braces in it."""
MAX_FORMULAS = 2_000
"""Most formulas of one text that are looked at."""

ELEMENTS = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup"}
    | {"msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts", "mtable", "mtr", "mtd"}
    | {"mpadded", "mphantom", "mstyle", "menclose"}
)
ATTRIBUTES = frozenset(
    {
        "display",
        "displaystyle",
        "scriptlevel",
        "lspace",
        "rspace",
        "width",
        "stretchy",
        "symmetric",
        "largeop",
    }
    | {"movablelimits", "fence", "separator", "form", "minsize", "maxsize", "accent", "accentunder"}
    | {"linethickness", "mathvariant", "columnalign", "notation"}
)
CLASSES = {
    "text-align:right": "m-right", "text-align:left": "m-left", "width:100%": "m-wide", "width:50%": "m-half",
    "padding-left:0": "m-tight-left", "padding-right:0": "m-tight-right", "padding-left:1em": "m-apart",
    "border-left": "m-line-left", "border-right": "m-line-right", "border-top": "m-line-top",
    "border-bottom": "m-line-bottom",
}  # fmt: skip
"""The style that math-core gives to cells, as classes; the page allows no style in elements."""
_VALUE = re.compile(r"[a-z -]{1,24}|-?\d{0,2}(\.\d{1,6})?(em|ex|px|%)?")
"""Words and small lengths."""

_OPENING = re.compile(
    r"(?<!\\)(?:\\\(|\\\[|\$\$|\$(?=[^\s$])"
    r"|\\begin\{(align|aligned|equation|gather|array|cases|[pbv]?matrix)\*?\}|\\boxed(?=\{))"
)
_DEFINITION = re.compile(r"\\(?:(?:re|provide)?newcommand|[egx]?def|let)(?![a-zA-Z])")
"""A text may define no macros, which could grow."""
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)(\w+;)")
MACROS = {
    "dotsb": r"\cdots", "dotsm": r"\cdots", "dotsi": r"\cdots", "dotsc": r"\ldots", "dotso": r"\ldots",
    "mbox": r"\text", "textnormal": r"\text", "textup": r"\text", "allowbreak": "", "displaylimits": "",
}  # fmt: skip
"""Commands that math-core does not know."""

_CLOSING = {r"\(": r"\)", r"\[": r"\]", "$$": "$$", "$": "$"}

Tree = list[Any]
"""[element, attributes, child tree or text, ...]."""


def read_formulas(text: str) -> tuple[list[Any], list[Tree]]:
    """Cut a text into pieces: plain ones as strings, formulas as [source, index of its tree].

    The pieces and sources joined are the text. Formulas that cannot be drawn are part of the plain pieces.
    """
    pieces: list[Any] = []
    trees: list[Tree] = []
    end = 0
    for first, last, latex, is_display in find_formulas(text):
        tree = to_tree(latex, is_display)
        if tree is not None:
            if first > end:
                pieces.append(text[end:first])
            pieces.append([text[first:last], len(trees)])
            trees.append(tree)
            end = last
    if end < len(text):
        pieces.append(text[end:])
    return pieces, trees


def find_formulas(text: str) -> Iterator[tuple[int, int, str, bool]]:
    r"""Yield (first, last, LaTeX, is displayed) for every formula; in one pass.

    >>> [found[2] for found in find_formulas(r"$x$ costs $5 or $6, \boxed{7} and \(y\)")]
    ['x', '\\boxed{7}', 'y']
    """
    place = 0
    for _ in range(MAX_FORMULAS):
        opening = _OPENING.search(text, place)
        if opening is None:
            return
        place = opening.end()
        found = _whole(text, opening)
        if found is not None:
            last, latex = found
            mark = opening[0]
            yield opening.start(), last, latex, mark in (r"\[", "$$") or mark.startswith(r"\begin")
            place = last


def _whole(text: str, opening: re.Match[str]) -> tuple[int, str] | None:
    """Where the formula that begins here ends, and its LaTeX; None when it does not."""
    mark, start = opening[0], opening.end()
    limit = min(len(text), start + MAX_CHARS)
    if mark == r"\boxed":
        end = _closing_brace(text, start, limit)
        return None if end < 0 else (end, text[opening.start() : end])
    if mark.startswith(r"\begin"):
        closing = mark.replace("begin", "end", 1)
        end = text.find(closing, start, limit)
        last = end + len(closing)
        return None if end < 0 else (last, text[opening.start() : last])
    closing = _CLOSING[mark]
    end = text.find(closing, start, limit)
    while end > 0 and text[end - 1] == "\\":
        end = text.find(closing, end + 1, limit)
    if end < 0 or not text[start:end].strip() or "\n\n" in text[start:end]:
        return None
    if mark == "$" and (text[end - 1].isspace() or text[end + 1 : end + 2].isdigit()):
        return None
    return end + len(closing), text[start:end]


def _closing_brace(text: str, start: int, limit: int) -> int:
    depth = 0
    for place in range(start, limit):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place + 1
    return -1


@lru_cache(maxsize=4096)
def to_tree(latex: str, is_display: bool = False) -> Tree | None:
    """Convert LaTeX to a tree of MathML; None when it cannot be converted."""
    if len(latex) > MAX_CHARS or _depth(latex) > MAX_DEPTH or "\0" in latex or _DEFINITION.search(latex):
        return None
    try:
        text = _converter().convert_with_local_state(latex, displaystyle=is_display)
        return _tree(ElementTree.fromstring(_ENTITY.sub(_character, text)))
    except (LatexError, ElementTree.ParseError):
        return None


@lru_cache(maxsize=1)
def _converter() -> LatexToMathML:
    return LatexToMathML(fancy_error=False, macros=MACROS, allow_unreliable_rendering=True)


def _character(entity: re.Match[str]) -> str:
    """The character of an entity that HTML knows and XML does not."""
    return html5.get(entity[1], entity[0])


def _depth(latex: str) -> int:
    depth = deepest = 0
    for character in latex:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest


def _classes(style: str) -> str:
    """The classes for a style; what they do not know is left out.

    >>> _classes("text-align: right;justify-items: end;border-top: 0.05em solid currentcolor;position: fixed")
    'm-right m-line-top'
    """
    parts = [part.replace(" ", "") for part in style.split(";")]
    names = [part if part in CLASSES else part.partition(":")[0] for part in parts]
    return " ".join(CLASSES[name] for name in names if name in CLASSES)


def _tree(element: ElementTree.Element) -> Tree:
    """Copy what is in the lists; other elements become rows of their children."""
    name = element.tag.rpartition("}")[2]
    allowed = {
        key: value for key, value in element.attrib.items() if key in ATTRIBUTES and _VALUE.fullmatch(value)
    }
    if classes := _classes(element.attrib.get("style", "")):
        allowed["class"] = classes
    tree: Tree = [name if name in ELEMENTS else "mrow", allowed]
    if element.text and element.text.strip():
        tree.append(element.text)
    for child in element:
        tree.append(_tree(child))
        if child.tail and child.tail.strip():
            tree.append(child.tail)
    return tree
