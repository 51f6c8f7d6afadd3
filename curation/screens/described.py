"""What the words of a statement describe although a picture shows it too: grids, curves, sectors, shaded regions."""

import re

from curation.screens.points import FORMULA, NUMBER

_GIVEN_GRID = re.compile(
    r"(?i)\b\w+\s?-?(?:by|x|×|\\times)-?\s?\w+\$? (?:square |rectangular )?(?:grid|board|array|lattice|checkerboard|chessboard)s?\b(?: of (?:lattice )?(?:points|dots|squares|cells)\b)?(?: shown\b)?|\bgrid(?: of dots)? (?:consisting|composed|made up) of \w+"
)
_GRID = re.compile(r"(?i)\b(?:grid|board|array|lattice)s?\b")
"""A grid whose size is stated is there."""
_INTRODUCED = re.compile(
    r"(?i)\ban? (?:[\w-]+ ){0,2}(spinner|board|dartboard|chessboard)\b(?![^.?!]*\b(?:shown|below|pictured)\b)"
)
_CURVE = re.compile(r"(?i)\b(?:graph(?:ed|s)?|plotted)\b")
_DEFINED = re.compile(
    r"(?:formula|defined|function|[Ll]et|given by|where)[^.?!=]{0,60}\b[a-zA-Z]\s?\(x\)\s*=\s*(?![^$=]*[a-zA-Z]\s*(?:\\left)?\()(?![^$=]*(?<![a-zA-Z\\])[a-eA-E](?![a-zA-Z]))[^$=]*x"
)
"""A function with its formula."""
_CALL = re.compile(r"[a-zA-Z]\s*(?:\\left)?\(")
_COEFFICIENT = re.compile(r"(?<![a-zA-Z\\])[a-eA-E](?![a-zA-Z])")
_LEFT_SIDE = re.compile(r"^\W*(?:[yr]|[a-zA-Z]\s?\(\s?[a-z]\s?\))\s*$|x.*y|y.*x|^[^a-z]*\|")
_PIE = re.compile(r"(?i)\bcharts?\b|\bgraphs?\b")
"""A sector is described by its angle."""
_SHADE = re.compile(r"(?i)\b(?:un)?shad(?:e|ed|ing)\b|\bgr[ae]y\b")
_IS_SHADED = re.compile(
    r"(?i)\b(?:is|are|be|was|were|we|and) (?:then )?(?:shaded?|coloure?d|painted)\b|\bshad(?:e|ing)\b|\b(?:an?|is the|are the|one) shaded\b"
)
_REGION = re.compile(
    r"(?i)\bshaded (?:region|area|part)\W+(?:surrounding|between|bounded|enclosed|outside|inside|within|formed|that|consisting|of (?:an?|the))"
    r"|\b(?:shaded|gr[ae]y) (?:quadrilateral|triangle|square|rectangle|region|polygon|area)\W+(?:\\triangle ?)?(?-i:[A-Z]{3,})|\(the (?:shaded|gr[ae]y) \w+\)|\bshaded sector of\b"
    r"|\bshaded,? (?:if|when|given that)\b|\((?:light |dark )?(?:gr[ae]y|shaded)\)|\bshaded \w+ (?:is|are) [^.?!]{1,20} wide\b|\bremoved from an?\b"
    r"|\btwo concentric\b|\binscribed in\b|\bin the interior of\b|\bfits exactly inside\b"
)
ASKS = re.compile(r"(?i)\b(?:what|which|how|find|determine|calculate|compute|evaluate)\b")
SENTENCE = re.compile(r"[.?!]\)?\s+|(?<=as shown)\s+(?=[A-Z])|\n\s*\n")


def without_described(bare: str, text: str) -> str:
    """Take out the names of what only a picture shows where the words describe it: a grid of stated size, a curve
    with its formula, a spinner that is introduced, a shaded region that is bounded in words."""
    if _GIVEN_GRID.search(bare):
        bare = _GRID.sub(" ", _GIVEN_GRID.sub(" 2 ", bare))
    for noun in _INTRODUCED.findall(bare):
        bare = re.sub(rf"(?i)\b{noun}s?\b", " ", bare)
    if _CURVE.search(bare) and states_curve(text):
        bare = _CURVE.sub(" ", bare)
    if "central angle" in text:
        bare = _PIE.sub(" ", bare)
    if _SHADE.search(bare) and explains_shading(text):
        bare = _SHADE.sub(" ", bare)
    return bare


def states_curve(text: str) -> bool:
    """Whether a formula gives the curve: an equation of x and y without functions or coefficients left open."""
    equations = [one.strip("$ ").partition("=") for one in FORMULA.findall(text) if "=" in one]
    if re.search(r"\|\$?\s*=\s*\$?\d", text):
        return True
    if any(_CALL.search(right) for _, _, right in equations):
        return bool(_DEFINED.search(text))
    return any(
        _LEFT_SIDE.search(left) and re.search(r"\d", right) and not _COEFFICIENT.search(right)
        for left, _, right in equations
        if re.search(r"[xt]", right) or NUMBER.search(right) and re.search(r"x.*y|\|", left)
    )


def explains_shading(text: str) -> bool:
    """Whether words say which region is shaded; a question for the shaded part does not."""
    return bool(_REGION.search(text)) or any(
        _IS_SHADED.search(sentence) and not ASKS.search(sentence) for sentence in SENTENCE.split(text)
    )
