r"""Is a statement complete without the picture that it mentions?

"In the diagram, ABCD is a square of side 4 and E is the midpoint of AB. Find DE." is; "In the diagram, find x." is not.
A short statement is complete when it mentions its picture in passing, never asks about it, brings every point into
the plane in words ("D is on BC"), holds the numbers that the drawing is labeled with, and has data. A statement that
tells much is complete unless it names what only a picture can hold: a spinner's numbers, a curve without its formula.
"""

import re
from functools import lru_cache

from curation.screens.described import ASKS, SENTENCE, states_curve, without_described
from curation.screens.points import NUMBER, RELATION, n_unknown, places_all

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
_HOLDS = (
    r"(?i)\b(?:graphs?|graphed|plotted|spinners?|charts?|maps?|maze|calendars?|number lines?|(?:game|dart|circuit|peg|geo)[ -]?boards?|boards? (?:shown|below|on the)|dial|histogram|nets?|thermometer|magic square|number wall|factor tree)\b"
    r"|\b(?:side|front|top|this) views?\b|\b(?:this|following|given) table\b|\btable (?:below|above|shows|lists|gives)\b|\bpegs\b|\bhexomino|\bpentominoes\b"
    rf"|\b(?:first|second|third|left|right|two) {_PICTURE}s?\b"
    r"|\b(?:numbers?|digits?|integers?|letters?) (?!of\b)[^.?!]{0,80}\b(?:circles?|boxes|cells|squares|regions?|blanks)\b|\bshad|\bgr[ae]y\b"
)
_HOLDS_ALWAYS = re.compile(_HOLDS)
_HOLDS_OFTEN = re.compile(
    _HOLDS
    + r"|\b(?:mark|label+|number|indicat)ed\b(?! (?:(?:as|with|by|from)\b|\$?\d))|\barrows?\b"
    + rf"|\beach {_PICTURE}s?\b|\b(?:figures|diagrams|pictures)\b|\b(?:of|in|on) the {_PICTURE}\b"
)
"""What only a picture holds, in statements that tell very much and in those that tell much."""
_REFERS = re.compile(rf"(?i)\b(?:{_PICTURE}|shown|below|above|illustrated|depicted|pictured|graph|chart)s?\b")
_DATA = re.compile(
    r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twice|half|third|quarter|equal|equilateral|isosceles|regular|right|"
    r"midpoints?|inscribed|tangent|perpendicular|parallel|perp|bisects?|congruent|same|trisect|squares?|circles?|hexagons?|heptagons?|octagons?|dodecagons?|cubes?|semicirc\w+|spheres?|centroids?|medians?|altitudes?)\b"
)
_LETTER_ASKED = re.compile(
    r"(?i:\b(?:value of|find|what is|determine|is))\s*(?:\\\(|\$)?\s*\\?([a-z]|theta|alpha)\s*(?:\\\)|\$)?\s*(?:[.?!,]|\\|in |$)"
)
_LABEL = re.compile(r'\b(?:label|Label|MP|dot|D)\s*\(\s*(?:\w+\([^)]*\)\s*\*\s*)?"([^"]*)"')
_WORD = re.compile(r"[a-z]+")
_IN_WORDS = {
    word: str(number)
    for number, words in enumerate(
        (
            "one first unit",
            "two second",
            "three third",
            "four fourth",
            "five fifth",
            "six sixth",
            "seven seventh",
            "eight eighth",
            "nine ninth",
            "ten tenth",
            "eleven",
            "twelve",
        ),
        1,
    )
    for word in words.split()
}
_POINTS = re.compile(r"\b[A-Z]{2,4}\b\s*=|\\angle")
_MUCH, _VERY_MUCH = 25, 38
"""Words from which on a statement tells much: what its picture is labeled with is then there in words or follows."""


@lru_cache(maxsize=10_000)
def is_complete(text: str, code: str = "") -> bool:
    """Whether a statement, without the code of its drawings, can do without its picture.

    >>> is_complete("In the diagram, $ABCD$ is a square of side 4 and $E$ is the midpoint of $AB$. Find $DE$.")
    True
    >>> is_complete("In the diagram, $ABC$ is a triangle with $AB = 30$, and $AD = 3$. What is the length of $DC$?")
    False
    """
    bare = without_described(_without_mentions(text), text)
    if _asks_unknown_letter(bare):
        return False
    n_words, n_data = len(bare.split()), len(_DATA.findall(bare))
    refers = _REFERS.search(text) is not None
    very_much = n_words >= _VERY_MUCH
    *given, last = SENTENCE.split(bare.strip())
    before = " . ".join(given)
    if n_words >= _MUCH and n_data >= 2 or very_much and not refers:
        unseen = (_HOLDS_ALWAYS if very_much else _HOLDS_OFTEN).search(bare)
        is_built = very_much or RELATION.search(bare) or not _POINTS.search(bare)
        if is_built and not unseen:
            is_told = very_much or not refers or holds_labels(text, code)
            return is_told and n_unknown(before, last) <= (2 if very_much else 1)
    if n_words < 10 or n_data < (1 if n_words >= 12 else 2) or not holds_labels(text, code):
        return False
    if _BY_PICTURE.search(text) or _NEEDS.search(bare):
        return False
    if _asks_of_picture(SENTENCE.split(text.strip())[-1]) and not states_curve(text):
        return len(NUMBER.findall(before)) >= 2 and places_all(before, last)
    return places_all(before, last)


def _without_mentions(text: str) -> str:
    if ".png" in text:
        text = _FILE_NAME.sub("", text)
    if _EXAMPLE.search(text):
        sentences = _WITH_END.findall(text)
        text = "".join(one for one in sentences if not (_EXAMPLE.search(one) and _SHOWN.search(one)))
    return _MENTION.sub(" ", text)


def _asks_of_picture(sentence: str) -> bool:
    """The question itself is about the picture: "Find x in the diagram", "In the diagram, what is x?"."""
    asked, mention = ASKS.search(sentence), _MENTION.search(sentence)
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
    labels = set(NUMBER.findall(" ".join(_LABEL.findall(code)))) - {"0"}
    return labels <= set(NUMBER.findall(text)) | {
        _IN_WORDS[word] for word in _WORD.findall(text.lower()) if word in _IN_WORDS
    }


def _asks_unknown_letter(text: str) -> bool:
    """A letter is asked for that the text says nothing about."""
    asked = _LETTER_ASKED.findall(text)
    return any(len(re.findall(rf"(?<![A-Za-z]){re.escape(one)}(?![A-Za-z])", text)) < 2 for one in asked)
