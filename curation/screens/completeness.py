r"""Is a statement complete without the picture that it mentions?

"In the diagram, ABCD is a square of side 4 and E is the midpoint of AB. Find DE." is; "In the diagram, find x." is not.
A statement is complete when it mentions its picture in passing, never asks about it, brings every point into the
plane in words ("D is on BC"), holds the numbers that the drawing is labeled with, and has data.
"""

import re
from functools import lru_cache
from collections.abc import Iterable

_PICTURE = r"(?:figure|diagram|picture|drawing|illustration|sketch|image)"
_PLACE = r"(?:\s+(?:to|on|at|below|above|shown|here|given|the|your|right|left))*"
_MENTION = re.compile(
    rf"(?i)\(?\b(?:as |is |are )?(?:\(?see|(?:as )?(?:shown|seen|illustrated|depicted|pictured|indicated|drawn))?\s*(?:in|on|from) (?:the|this)"
    rf"(?: (?:following|adjoining|accompanying|attached|adjacent))? {_PICTURE}{_PLACE}\)?"
    rf"|\bthe {_PICTURE}{_PLACE} shows (?=(?:part of )?(?:an? |two |three |the |\$|\\\())|\((?:see )?(?:the )?{_PICTURE}{_PLACE}\)"
    r"|,?\s*\bas (?:shown|pictured|illustrated|depicted|drawn|seen|indicated)(?: (?:below|above|here|at (?:the )?right))?(?=\W)"
    r"|\bshown below\b|!\[[^\]]*\](?:\([^)]*\))?|!Image|(?:is|are) shown(?: (?:below|above|here|at right))?(?=[.,])"
)
"""A picture mentioned in passing: the sentence says what is in it."""
_NEEDS = re.compile(
    rf"(?i)\b(?:figures|diagrams|pictures|drawings)\b|\bfig\.|\b{_PICTURE} ?\(?(?:\d|[a-d]\b(?!\s+\w))"
    rf"|\b(?:first|second|third|left|right|middle|two|one of the|each) (?:\w+ )?{_PICTURE}\b"
    r"|\b(?:graph|chart|table|grid|maps?|spinner|number line|clock|calendar|plot|histogram|maze|dial|spreadsheet|floor ?plan|circuit|network|(?:side|top|front|plan) view|"
    r"scales?|thermometer|lattice|dots?|toothpicks?|tiles?|tiling|pattern|arrow|checkerboard|pixel)s?\b"
    r"|\b(?:shaded?|shading|gray|grey|unshaded)\b|\b(?:marked|labell?ed|numbered|indicated|colou?red|dotted|dashed)\b"
    r"|\b(?:this|these|the following|the given) (?:\w+ )?(?:triangle|square|rectangle|parallelogram|trapezoid|polygon|shape|solid|cube|arrangement|array|figure|diagram)s?\b"
    r"|\b(?:shown|pictured|drawn)\b|\b(?:below|above)\b(?! (?:the|a|an|each|or|and|it|line|ground|sea|\$|\d|\\))|!|\.(?:png|jpe?g|gif|svg)\b"
    rf"|\bin (?:the )?{_PICTURE}\b|\bthe {_PICTURE}\b"
)
"""What only the picture can say; looked for when its mentions have been taken out."""
_BY_PICTURE = re.compile(
    r"(?i)\b(?:arrang|plac|stack|combin|divid|dissect|cut|fold|join|attach|position|overlap|paint|assembl|put together|packed|"
    r"constructed|made (?:up )?(?:of|from)|built|folded|pieces|labell?ed|surround|stretch|regions)\w*[^.?!]{0,60},? as (?:shown|pictured|illustrated|depicted|drawn|in the)"
    rf"|\b(?!points)[a-z]+s in (?:the|this) {_PICTURE}\b"
)
"""The picture says how things are put together."""
_ASKS = re.compile(r"(?i)\b(?:what|which|how|find|determine|calculate|compute|evaluate)\b")
_SENTENCE = re.compile(r"[.?!]\)?\s+|\n\s*\n")
_DATA = re.compile(
    r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twice|half|third|quarter|equal|equilateral|isosceles|regular|right|"
    r"midpoints?|inscribed|tangent|perpendicular|parallel|perp|bisects?|congruent|same)\b"
)
_LETTER_ASKED = re.compile(
    r"(?i:\b(?:value of|find|what is|determine|is))\s*(?:\\\(|\$)?\s*\\?([a-z]|theta|alpha)\s*(?:\\\)|\$)?\s*(?:[.?!,]|\\|in |$)"
)
_COMMAND = re.compile(
    r"\\(?:overline|overrightarrow|overleftrightarrow|widehat|text|mathrm|rm|textbf|mathbf|angle|measuredangle|boldsymbol)\b|[{}]"
)
_NAME = re.compile(r"(?<![A-Za-z\\])[A-Z](?:['’_]?\d?)(?:[A-Z]['’_]?\d?){0,11}(?![A-Za-z])")
_SHAPE = (
    r"(?:triangles?|squares?|rectangles?|parallelograms?|trapezoids?|trapeziums?|quadrilaterals?|rhombus(?:es)?|pentagons?|hexagons?|octagons?|"
    r"decagons?|polygons?|cubes?|tetrahedr(?:on|a)|prisms?|pyramids?|box|kite|parallelepiped|dodecagon|nonagon|heptagon|planes?|angle|cuboid)"
)
_LIST = r"(?:\s|\$|\\\(|\\\)|,|~|\\,|and|or)*"
_TOKEN = r"[A-Z]['’_]?\d?"
_ANCHORS = (
    re.compile(rf"(?i:{_SHAPE}|\\triangle|△|\\square)(?:\s|\$|\\\()*((?:{_TOKEN}){{3,12}}(?:{_LIST}(?:\\triangle)?\s*(?:{_TOKEN}){{3,12}})*)(?![a-z])"),
    re.compile(rf"(?<![A-Za-z])((?:{_TOKEN}){{3,12}}(?:{_LIST}(?:{_TOKEN}){{3,12}})*)(?:\s|\$|\\\))*(?i:is|be|are|form|forms)\b"),
    re.compile(
        rf"(?i:points?|vertex|vertices|cent(?:er|re)s?|midpoints?|at|from|through|circles?|foot|town|cit(?:y|ies)|incenter|circumcenter|origin|"
        rf"chords?|diameters?|radi(?:us|i)|tangents?|altitudes?|medians?|bisectors?|arcs?|diagonals?|perpendiculars?|lines?|segments?|edges?|legs?|bases?|sides?|hypotenuse)"
        rf"(?:\s|\$|\\\(|~)*((?:{_TOKEN}){{1,2}}(?:{_LIST}(?:{_TOKEN}){{1,2}})*)(?![A-Za-z])"
    ),
    re.compile(
        rf"(?<![A-Za-z])((?:{_TOKEN})(?:{_LIST}{_TOKEN})*)(?:\s|\$|\\\)|,)*(?i:is|are|be|lies?|divides?|moves?|denotes?|and|the (?:foot|midpoint|cent(?:er|re)|intersection|point)|on|in)\b"
    ),
    re.compile(rf"(?<![A-Za-z])({_TOKEN})\s*=?\s*(?:\$|\\left)?\("),
    re.compile(rf"(?<![A-Za-z])((?:{_TOKEN}){{2}})(?:\s|\$|\\\)|\\\()*(?:\\perp|⊥|⟂|(?i:is (?:perpendicular|an? |the ))|\\parallel|(?i:bisects))"),
)  # fmt: skip
"""Words that bring points into the plane."""
_WORDS = {"I", "AM", "PM", "II", "III", "US", "DVD", "TV", "CD"}
_A_IS_A_POINT = re.compile(r"[A-Z]A|A[B-Z]|\$A\$|\\\(\s*A\s*\\\)|points? A\b")
_LABEL = re.compile(r'\b(?:label|Label|MP|dot|D)\s*\(\s*(?:\w+\([^)]*\)\s*\*\s*)?"([^"]*)"')
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@lru_cache(maxsize=10_000)
def is_complete(text: str, code: str = "") -> bool:
    """Whether a statement, without the code of its drawings, can do without its picture.

    >>> is_complete("In the diagram, $ABCD$ is a square of side 4 and $E$ is the midpoint of $AB$. Find $DE$.")
    True
    >>> is_complete("In the diagram, $ABC$ is a triangle with $AB = 30$, and $AD = 3$. What is the length of $DC$?")
    False
    """
    if not holds_labels(text, code) or _BY_PICTURE.search(text):
        return False
    bare = _MENTION.sub(" ", text)
    if _NEEDS.search(bare) or len(_DATA.findall(bare)) < 2 or len(bare.split()) < 10:
        return False
    *given, last = _SENTENCE.split(text.strip())
    if _asks_of_picture(last) or _asks_unknown_letter(bare):
        return False
    return _places_all(_MENTION.sub(" ", " . ".join(given)), _MENTION.sub(" ", last))


def _asks_of_picture(sentence: str) -> bool:
    """The question itself is about the picture: "Find x in the diagram", "In the diagram, what is x?"."""
    asked, mention = _ASKS.search(sentence), _MENTION.search(sentence)
    if asked is None or mention is None:
        return False
    return asked.start() < mention.start() or not sentence[mention.end() : asked.start()].strip(" ,")


def holds_labels(text: str, code: str) -> bool:
    """Whether the numbers that a drawing is labeled with are in the text as well."""
    if "abel" not in code and "MP" not in code:
        return True
    return set(_NUMBER.findall(" ".join(_LABEL.findall(code)))) <= set(_NUMBER.findall(text))


def _asks_unknown_letter(text: str) -> bool:
    """A letter is asked for that the text says nothing about."""
    asked = _LETTER_ASKED.findall(text)
    return any(len(re.findall(rf"(?<![A-Za-z]){re.escape(one)}(?![A-Za-z])", text)) < 2 for one in asked)


def _letters(names: Iterable[str]) -> set[str]:
    return {letter for name in names for letter in re.findall(_TOKEN, name)}


def _places_all(given: str, last: str) -> bool:
    """Every point is placed by words, and the last sentence adds none to what is given before it."""
    first, final = (_COMMAND.sub(" ", text) for text in (given, last))
    plain = f"{first} . {final}"
    placed = _letters(found for pattern in _ANCHORS for found in pattern.findall(plain))
    wanted = _letters(name for name in _NAME.findall(plain) if name not in _WORDS)
    if not _A_IS_A_POINT.search(plain):
        wanted.discard("A")
    known = _letters(_NAME.findall(first))
    return wanted <= placed and (not known or wanted <= known)
