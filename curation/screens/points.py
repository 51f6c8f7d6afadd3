"""Points of a statement: which are named, and which its words bring into the plane ("D is on BC")."""

import re
from collections.abc import Iterable

_COMMAND = re.compile(
    r"\\(?:overline|overrightarrow|overleftrightarrow|widehat|text|mathrm|rm|textbf|mathbf|mathcal|angle|measuredangle|boldsymbol)\b|[{}]"
)
_NAME = re.compile(r"(?<![A-Za-z\\])[A-Z](?:['’_]?\d?)(?:[A-Z]['’_]?\d?){0,11}(?![A-Za-z]|-[a-z])")
_SHAPE = (
    r"(?:triangles?|squares?|rectangles?|parallelograms?|trapezoids?|trapeziums?|quadrilaterals?|rhombus(?:es)?|pentagons?|hexagons?|octagons?|"
    r"decagons?|polygons?|cubes?|tetrahedr(?:on|a)|prisms?|pyramids?|box|kite|parallelepiped|dodecagon|nonagon|heptagon|planes?|cuboid)"
)
_LIST = r"(?:\s|\$|\\\(|\\\)|,|~|\\,|and|or)*"
_TOKEN = r"[A-Z]['’_]?\d?"
_LETTER = re.compile(_TOKEN)
_ANCHORS = (
    re.compile(rf"(?i:{_SHAPE}|\\triangle|△|\\square)(?:\s|\$|\\\(|,)*((?:{_TOKEN}){{3,12}}(?:{_LIST}(?:\\triangle)?\s*(?:{_TOKEN}){{3,12}})*)(?![a-z])"),
    re.compile(rf"(?<![A-Za-z])((?:{_TOKEN}){{3,12}}(?:{_LIST}(?:{_TOKEN}){{3,12}})*)(?:\s|\$|\\\))*(?i:is|be|are|form|forms)\b(?! (?:a )?(?:right angle|\$?\d))"),
    re.compile(
        rf"(?i:points?|vertex|vertices|cent(?:er|re)s?|midpoints?|at|from|through|circles?|foot|town|cit(?:y|ies)|incenter|circumcenter|origin|on|[Bb]ags?|[Bb]ox(?:es)?|[Tt]eams?|[Ss]ets?|[Uu]rns?|[Cc]ity|[Rr]unners?|[Rr]egions?|[Pp]layers?|[Pp]oints?|[Cc]ircles?|"
        rf"chords?|diameters?|radi(?:us|i)|tangents?|altitudes?|medians?|bisectors?|arcs?|diagonals?|perpendiculars?|lines?|segments?|edges?|legs?|bases?|sides?|hypotenuse)"
        rf"(?:\s|\$|\\\(|~|,)*((?:{_TOKEN}){{1,2}}(?:{_LIST}(?:{_TOKEN}){{1,2}})*)(?![A-Za-z])"
    ),
    re.compile(
        rf"(?<![A-Za-z])({_TOKEN}(?:(?:\s|\$|\\\(|\\\)|,|and)+{_TOKEN})*)(?:\s|\$|\\\)|,)*(?i:is|are|be|lies?|divides?|moves?|denotes?|and|the (?:foot|midpoint|cent(?:er|re)|intersection|point)|on|in)\b"
    ),
    re.compile(rf"(?<![A-Za-z])({_TOKEN})\s*=?\s*(?:\$|\\left)?\("),
    re.compile(rf"(?<![A-Za-z])((?:{_TOKEN}){{2}})(?:\s|\$|\\\)|\\\()*(?:\\perp|⊥|⟂|(?i:(?:is|represents) (?:perpendicular|an? |the ))|\\parallel|(?i:bisects))"),
    re.compile(rf"((?:{_TOKEN}){{2}}(?:\W|and)*(?i:bisects?|trisects?)\W*(?:{_TOKEN}){{3}})"),
)  # fmt: skip
"""Words that bring points into the plane."""
_WORDS = {"I", "AM", "PM", "II", "III", "US", "DVD", "TV", "CD"}
_A_IS_A_POINT = re.compile(r"[A-Z]A|A[B-Z]|\$A\b|[Bb]ags? A\b|\\\(\s*A\s*\\\)|points? A\b")
FORMULA = re.compile(r"\$\$?[^$]+\$\$?|\\\(.*?\\\)|\\\[.*?\\\]")
_SPACED = re.compile(r"(?<=[A-Z]) (?=[A-Z](?![a-z]))")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BUILT = (
    r"(?i)perpendicular|\\perp|⊥|parallel|right angle|right-angled|midpoint|tangent|bisect|inscribed|lies? on|\bon segment|intersect"
    r"|cent(?:er|re)s?\b|radius|diameter|trisect|similar|regular|equilateral|square|rectang|chord|passes through"
)
_CONSTRUCTION = re.compile(_BUILT)
RELATION = re.compile(_BUILT + r"|triangle|\bline\b")
"""Words that say how figures are built."""


def places_all(given: str, last: str) -> bool:
    """Every point is placed by words, and the last sentence only asks about those that are placed before it."""
    first, final = _plain(given), _plain(last)
    wanted, asked = _points(first), _points(final)
    if not _A_IS_A_POINT.search(f"{first} {final}"):
        wanted, asked = wanted - {"A"}, asked - {"A"}
    placed = _placed(first, _ANCHORS)
    said = f"{first} {final}"
    is_known = given.strip() and asked <= wanted | _placed(final, _ANCHORS)
    n_relations = len(_CONSTRUCTION.findall(said))
    if is_known and n_relations and n_relations + len(NUMBER.findall(said)) + said.count("=") >= 3:
        return True
    if not given.strip() or not wanted:
        return wanted | asked <= _placed(f"{first} {final}", _ANCHORS)
    return wanted <= placed | _placed(final, _ANCHORS) and asked <= wanted | _placed(final, _ANCHORS[1:])


def n_unknown(given: str, last: str) -> int:
    """How many of the points asked about are not named before."""
    if not given.strip():
        return 0
    final = _plain(last)
    return len(_points(final) - _points(_plain(given)) - _placed(final, _ANCHORS[:1]))


def _plain(text: str) -> str:
    return _SPACED.sub("", _COMMAND.sub(" ", text))


def _points(text: str) -> set[str]:
    """Letters of the names in formulas, or in words where no formula holds one."""
    names = [name for formula in FORMULA.findall(text) for name in _NAME.findall(formula)] or _NAME.findall(
        text
    )
    return _letters(name for name in names if name not in _WORDS and len(set(name)) == len(name))


def _placed(text: str, anchors: tuple[re.Pattern[str], ...]) -> set[str]:
    return _letters(found for anchor in anchors for found in anchor.findall(text))


def _letters(names: Iterable[str]) -> set[str]:
    return {letter for name in names for letter in _LETTER.findall(name)}
