r"""Is a statement complete without the picture that it mentions?

"In the diagram, ABCD is a square of side 4 and E is the midpoint of AB. Find DE." is; "In the diagram, find x." is not.
A statement is complete when it mentions its picture in passing, never asks about it, brings every point into the
plane in words ("D is on BC"), holds the numbers that the drawing is labeled with, and has data.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_PICTURE = r"(?:figure|diagram|picture|drawing|illustration|sketch|image)"
_PLACE = r"(?:\s+(?:to|on|at|below|above|shown|here|given|the|your|right|left))*"
_MENTION = re.compile(
    rf"(?i)\(?\b(?:as |is |are )?(?:\(?see|(?:as )?(?:shown|seen|illustrated|depicted|pictured|indicated|drawn))?\s*(?:in|on|from) (?:the|this)"
    rf"(?: (?:following|adjoining|accompanying|attached|adjacent|given))? {_PICTURE}{_PLACE}\)?"
    rf"|\bthe {_PICTURE}{_PLACE} shows (?=(?:part of )?(?:an? |two |three |the |\$|\\\(|rectangle|triangle|square|regular|circle|parallelogram|trapezoid|equilateral))|\((?:see )?(?:the )?{_PICTURE}{_PLACE}\)"
    r"|,?\s*\bas (?:shown|pictured|illustrated|depicted|drawn|seen|indicated)(?: (?:below|above|here|at (?:the )?right))?(?=\W)"
    r"|(?:,?\s*\bshown)? (?:below|above|at (?:the )?right|to the right)(?=[,.;:?\s)]|$)|\bshown (?:below|above|here)\b|\*20\d\d[^*]*\*"
    r"|\bshown in bold(?:face)?\b|\b(?:shown )?in the Venn diagram\b|\b(?:triangles?|squares?|rectangles?|trapezoid|cube|solid|prism|pyramid|cone|cylinder|circles?|hexagon) shown(?= (?:is|has|are|have|shares?)\b|,)"
    r"|\((?:shaded|dotted|dashed)[^()]{0,20}\)|\b(?:like|as) in the examples?\b|\bshaded (?:\w+ )?\W*(?:surrounding|between|bounded|enclosed|outside|inside|formed|that|consist\w*|by|when)\b|\bcreating a shaded\b"
    r"|\bbounds? (?:a|the) shaded\b|\b(?:remaining|rest|other|middle|inner|outer|common)\b[^.?!]{0,60} (?:is|are) shaded\b|\bshaded \w+ (?:\$|\\\()?(?:\\triangle ?)?[A-Z]{3,}"
    r"|\s![\s\d]*$"
    r"|!\[[^\]]*\](?:\([^)]*\))?|!Image|(?:is|are) shown(?: (?:below|above|here|at right))?(?=[.,])"
)
"""A picture mentioned in passing: the sentence says what is in it."""
_FILE_NAME = re.compile(r"\s[^.?!\n]{0,40}\.png\s*$")
_EXAMPLE = re.compile(r"(?i)\b(?:examples?|instance|sample|one such|one possible|one way)\b")
_SHOWN = re.compile(r"(?i)\b(?:shown|shows?|below|above|pictured|illustrated|gives|given)\b")
_WITH_END = re.compile(r"[^.?!]+[.?!:]*")
"""A sentence that only shows an example can go."""
_GIVEN_GRID = re.compile(
    r"(?i)\b\w+\s?-?(?:by|x|×|\\times)-?\s?\w+\$? (?:square |rectangular )?(?:grid|board|array|lattice|checkerboard|chessboard)s?\b(?: shown\b)?"
)
_GRID = re.compile(r"(?i)\b(?:grid|board|array|lattice)s?\b")
"""A grid whose size is stated is there."""
_NEEDS = re.compile(
    rf"(?i)\b(?:figures|diagrams|pictures|drawings)\b|\bfig\.|\b{_PICTURE} ?\(?(?:\d|[a-d]\b(?!\s+\w))"
    rf"|\b(?:first|second|third|left|right|middle|two|one of the|each) (?:\w+ )?{_PICTURE}\b"
    r"|\b(?:graph|chart|grid|maps?|spinner|number line|calendar|(?:box|line|dot|stem|leaf|scatter)[- ]?plot|histogram|maze|dial|spreadsheet|floor ?plan|circuit|boards?|(?:side|top|front|plan) view|"
    r"thermometer|lattice|toothpick|arrow|pixel)s?\b|\b(?:this|the|each) pattern\b"
    r"|\b(?:this|the|following) table\b|\bshad(?:ed|ing)\b|\b(?:gray|grey|unshaded)\b|\b(?:marked|labell?ed|numbered|indicated|dotted|dashed)\b"
    r"|\b(?:this|these|the following|the given) (?:\w+ )?(?:polygon|shape|solid|arrangement|array|figure|diagram)s?\b"
    r"|\b(?:shown|pictured|graphed|plotted)\b|\.(?:png|jpe?g|gif|svg)\b"
    r"|\bthe following (?:\w+omino(?:es)?|shapes?|polygons?|tiles?|patterns?|mazes?|puzzles?|polyhedr\w+|solids?|objects?|networks?|clocks?|blocks?)\b"
    rf"|\b(?:of|in|on|from) (?:the )?{_PICTURE}\b|\bthe (?:diagram|picture|drawing|illustration|sketch|image)\b"
    r"|\bthe figure (?:shows?|represents?|depicts?|consists?|contains?|drawn|may|can|shown|above|below)\b"
)
"""What only the picture can say; looked for when its mentions have been taken out."""
_BY_PICTURE = re.compile(
    r"(?i)\b(?:arrang|plac|stack|combin|divid(?!\w* [^.?!]{0,20}(?:congruent|equal|unit|identical))|dissect|cut|fold|join|attach|position|overlap|assembl|put together|packed|"
    r"made (?:up )?(?:of|from)|built|folded|pieces|labell?ed|surround|stretch|regions)\w*[^.?!]{0,60},? as (?:shown|pictured|illustrated|depicted|drawn|in the)"
    rf"|\b(?!points|as\b)[a-z]+s in (?:the|this) {_PICTURE}\b"
)
"""The picture says how things are put together."""
_ASKS = re.compile(r"(?i)\b(?:what|which|how|find|determine|calculate|compute|evaluate)\b")
_SENTENCE = re.compile(r"[.?!]\)?\s+|\n\s*\n")
_DATA = re.compile(
    r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twice|half|third|quarter|equal|equilateral|isosceles|regular|right|"
    r"midpoints?|inscribed|tangent|perpendicular|parallel|perp|bisects?|congruent|same|trisect|squares?|circles?|hexagons?|heptagons?|octagons?|dodecagons?|cubes?|semicirc\w+|spheres?)\b"
)
_LETTER_ASKED = re.compile(
    r"(?i:\b(?:value of|find|what is|determine|is))\s*(?:\\\(|\$)?\s*\\?([a-z]|theta|alpha)\s*(?:\\\)|\$)?\s*(?:[.?!,]|\\|in |$)"
)
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
_FORMULA = re.compile(r"\$[^$]*\$|\\\(.*?\\\)")
_SPACED = re.compile(r"(?<=[A-Z]) (?=[A-Z](?![a-z]))")
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
    bare = _without_mentions(text)
    if _GIVEN_GRID.search(bare):
        bare = _GRID.sub(" ", _GIVEN_GRID.sub(" 2 ", bare))
    n_data, n_words = len(_DATA.findall(bare)), len(bare.split())
    if n_words < 10 or n_data < (1 if n_words >= 12 else 2) or _NEEDS.search(bare):
        return False
    if _asks_of_picture(_SENTENCE.split(text.strip())[-1]) or _asks_unknown_letter(bare):
        return False
    *given, last = _SENTENCE.split(bare.strip())
    return _places_all(" . ".join(given), last)


def _without_mentions(text: str) -> str:
    if ".png" in text:
        text = _FILE_NAME.sub("", text)
    if _EXAMPLE.search(text):
        sentences = _WITH_END.findall(text)
        text = "".join(one for one in sentences if not (_EXAMPLE.search(one) and _SHOWN.search(one)))
    return _MENTION.sub(" ", text)


def _asks_of_picture(sentence: str) -> bool:
    """The question itself is about the picture: "Find x in the diagram", "In the diagram, what is x?"."""
    asked, mention = _ASKS.search(sentence), _MENTION.search(sentence)
    if asked is None or mention is None:
        return False
    if asked.start() < mention.start():
        before = sentence[: mention.start()].rstrip()
        return not (before.endswith(",") or mention.group().startswith(","))
    around = sentence[: mention.start()] + sentence[mention.end() : asked.start()]
    return not around.strip(" ,")


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
    return {letter for name in names for letter in _LETTER.findall(name)}


def _places_all(given: str, last: str) -> bool:
    """Every point is placed by words, and the last sentence only asks about those that are placed before it."""
    first, final = _plain(given), _plain(last)
    wanted, asked = _points(first), _points(final)
    if not _A_IS_A_POINT.search(f"{first} {final}"):
        wanted, asked = wanted - {"A"}, asked - {"A"}
    placed = _placed(first, _ANCHORS)
    if not given.strip() or not wanted:
        return wanted | asked <= _placed(f"{first} {final}", _ANCHORS)
    return wanted <= placed | _placed(final, _ANCHORS) and asked <= wanted | _placed(final, _ANCHORS[1:])


def _plain(text: str) -> str:
    return _SPACED.sub("", _COMMAND.sub(" ", text))


def _points(text: str) -> set[str]:
    """Letters of the names in formulas, or in words where no formula holds one."""
    names = [name for formula in _FORMULA.findall(text) for name in _NAME.findall(formula)] or _NAME.findall(
        text
    )
    return _letters(name for name in names if name not in _WORDS and len(set(name)) == len(name))


def _placed(text: str, anchors: tuple[re.Pattern[str], ...]) -> set[str]:
    return _letters(found for anchor in anchors for found in anchor.findall(text))
