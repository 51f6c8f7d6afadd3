r"""One-place changes of a reference answer, as text: each is a wrong answer, unless a list names it as equal.

>>> [text for kind, text in mutations(r"\frac{15}{4}") if kind == "brace"]
['\\frac{1}{5}4']
"""

import re
from collections.abc import Iterator

Mutation = tuple[str, str]
"""The kind of change, and the changed text."""
_SIN = {
    "\\sin": "\\cos",
    "\\cos": "\\sin",
    "\\tan": "\\cot",
    "\\ln": "\\cos",
    "\\log": "\\sin",
    "\\arctan": "\\arcsin",
}
_FUNCTION = re.compile(r"\\(?:sin|cos|tan|ln|log|arctan)(?![A-Za-z])")
_STRICT = {"<": "\\le ", ">": "\\ge ", "\\le": "<", "\\ge": ">", "\\leq": "<", "\\geq": ">"}
_STRICTNESS = re.compile(r"\\leq?(?![A-Za-z])|\\geq?(?![A-Za-z])|[<>]")
_UNITS = {
    "cm": "mm",
    "km": "cm",
    "m": "km",
    "kg": "g",
    "hours": "minutes",
    "minutes": "hours",
    "dollars": "cents",
}
_UNIT = re.compile(r"(?<![A-Za-z\\])(?:cm|km|kg|hours|minutes|dollars)(?![A-Za-z])")
_VARIABLE = re.compile(r"(?<![A-Za-z\\{])([a-zA-Z])(?![A-Za-z])")
_COMMAND_OR_TEXT = re.compile(r"\\(?:text|mathrm|operatorname|begin|end|mathbb)\s?\{[^{}]*\}|\\[A-Za-z]+")
_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]+)\}\s?\{([^{}]+)\}")
TAILS = (" or 1234", ", 1234", "; 1234", " million", r"\text{ or } 1234", " but not always")


def mutations(gold: str) -> Iterator[Mutation]:
    """Yield every change of every kind at every place."""
    hidden = [match.span() for match in _COMMAND_OR_TEXT.finditer(gold)]

    def is_free(place: int) -> bool:
        return not any(start <= place < end for start, end in hidden)

    def put(start: int, end: int, text: str) -> str:
        return gold[:start] + text + gold[end:]

    for match in re.finditer(r"\d", gold):
        if is_free(match.start()):
            digit = int(match[0])
            yield "digit", put(*match.span(), str(digit + 1 if digit < 9 else 4))
    for match in re.finditer(r"[+-]", gold):
        if is_free(match.start()) and re.match(r"\s?[^\\\s,;)\]}$]|\s?\\[a-z]+", gold[match.end() :]):
            yield "sign", put(*match.span(), "-" if match[0] == "+" else "+")
    for match in re.finditer(r"\^\{?(\d)(?!\d)", gold):
        yield "exponent", put(*match.span(1), str(int(match[1]) + 1))
    for match in re.finditer(r"(\d)(?=\^\{?[\dnkx(-])", gold):
        yield "base", put(*match.span(1), str(int(match[1]) + 2))
    for match in _FUNCTION.finditer(gold):
        yield "function", put(*match.span(), _SIN[match[0]])
    for match in _VARIABLE.finditer(gold):
        if is_free(match.start()):
            yield "variable", put(*match.span(1), "w" if match[1] != "w" else "v")
    yield from _brackets(gold)
    yield from _braces(gold)
    yield from _members(gold)
    for match in _STRICTNESS.finditer(gold):
        yield "strictness", put(*match.span(), _STRICT[match[0]])
    for match in _FRACTION.finditer(gold):
        if match[1] != match[2]:
            yield "inverted fraction", put(*match.span(), f"\\frac{{{match[2]}}}{{{match[1]}}}")
    for match in _UNIT.finditer(gold):
        yield "unit", put(*match.span(), _UNITS[match[0]])
    for tail in TAILS:
        yield "tail", gold + tail


def _brackets(gold: str) -> Iterator[Mutation]:
    """Open or close the end of an interval; turn a tuple into a set."""
    bare = gold.strip("$ .").replace("\\left", "").replace("\\right", "")
    if len(bare) < 3 or "," not in bare or any(c in bare[1:-1] for c in "()[]{}"):
        return
    ends = bare[0] + bare[-1]
    if ends in ("()", "[]", "(]", "[)"):
        yield "bracket", ("[" if bare[0] == "(" else "(") + bare[1:]
        yield "bracket", bare[:-1] + ("]" if bare[-1] == ")" else ")")
        yield "bracket", "\\{" + bare[1:-1] + "\\}"


def _braces(gold: str) -> Iterator[Mutation]:
    """Move a brace by one digit: 15/4 becomes (1/5)4, and 2^{n}3 becomes 2^{n3}."""
    for match in re.finditer(r"\\[dt]?frac\{(\d)(\d+)\}\{(\d+)\}", gold):
        yield (
            "brace",
            f"{gold[: match.start()]}\\frac{{{match[1]}}}{{{match[2]}}}{match[3]}{gold[match.end() :]}",
        )
    for match in re.finditer(r"\\sqrt\{(\d)(\d+)\}", gold):
        yield "brace", f"{gold[: match.start()]}\\sqrt{{{match[1]}}}{match[2]}{gold[match.end() :]}"
    for match in re.finditer(r"\^\{(\w)\}(\d)", gold):
        yield "brace", f"{gold[: match.start()]}^{{{match[1]}{match[2]}}}{gold[match.end() :]}"
    for match in re.finditer(r"\^\{(\d)(\d+)\}", gold):
        yield "brace", f"{gold[: match.start()]}^{{{match[1]}}}{match[2]}{gold[match.end() :]}"


def _members(gold: str) -> Iterator[Mutation]:
    """Drop or add a member of a list, tuple or set."""
    bare = gold.strip("$ .")
    opening = next((b for b in ("\\{", "\\left\\{", "\\left(", "(") if bare.startswith(b)), "")
    closing = {"\\{": "\\}", "\\left\\{": "\\right\\}", "\\left(": "\\right)", "(": ")", "": ""}[opening]
    if not bare.endswith(closing):
        return
    inner = bare[len(opening) : len(bare) - len(closing)]
    if any(c in inner for c in "()[]{}") or "," not in inner or re.search(r"\d,\d{3}", inner):
        return
    members = inner.split(",")
    for dropped in {0, len(members) - 1}:
        rest = [member for n, member in enumerate(members) if n != dropped]
        yield "dropped member", opening + ",".join(rest) + closing
    yield "added member", opening + ",".join([*members, " 1234"]) + closing
