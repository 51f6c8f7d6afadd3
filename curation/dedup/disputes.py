r"""Near texts with the same numbers and different golds: one problem whose golds dispute, or two problems?

Of two wordings of one problem, many small things differ and nothing that matters. Two problems of one mold
differ in one place, and there in a word that counts ("altitude" for "bisector"), or in their last question.
"""

import re
from difflib import SequenceMatcher

_CLAUSE = re.compile(r"(?<=[.?!。？！,;])\s+|\n+")
_SIGN = re.compile(
    r"(?i)(?:arc)?(?:sin|cos|tan|cot)(?=[^a-z])|\|(?=[^|])|lfloor|lceil|\\(?:log|ln|gcd|Delta|nabla|pm)"
)
_NEGATIONS = frozenset(
    [
        "not",
        "no",
        "neither",
        "nor",
        "non",
        "never",
        "without",
        "cannot",
        "except",
        "non-negative",
        "nonnegative",
    ]
)
_CAPITALS = re.compile(r"(?<![A-Za-z])[A-Z]{3,}(?![a-z])")
_WORD = re.compile(r"[A-Za-z]+|\d+|\\[a-z]+|[^\sA-Za-z\d]")
_LAYOUT = re.compile(
    r"\\(?:left|right|cdots?|ldots|dots|text|mathrm|displaystyle|quad|qquad|[,;!:( )\[\]])"
    r"|[$.,;:?!(){}\[\]\\_~]"
)
_SMALL = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "is",
        "are",
        "was",
        "were",
        "be",
        "in",
        "on",
        "at",
        "to",
        "for",
        "by",
        "from",
        "with",
        "and",
        "or",
        "that",
        "which",
        "this",
        "these",
        "those",
        "it",
        "its",
        "as",
        "if",
        "then",
        "there",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "so",
        "such",
        "given",
        "let",
        "find",
        "what",
        "how",
        "determine",
        "calculate",
        "compute",
        "value",
        "will",
        "can",
        "we",
        "you",
        "he",
        "she",
        "they",
        "their",
        "his",
        "her",
        "one",
        "each",
        "any",
        "all",
        "suppose",
        "where",
        "when",
        "also",
        "into",
        "than",
    ]
)
FEWEST_EDITS = 3
_ALIKE = 0.5


def is_dispute(one: str, other: str, similarity: float, n_numbers: int) -> bool:
    """True when two near texts, whose numbers are the same in the same order, state one problem.

    >>> a = "After placing some coins in one purse, he put more in each next one. How many are in the 6th?"
    >>> b = "After putting a few in one purse, he placed more in each following one. How many are in the 6th?"
    >>> is_dispute(a, b, 0.75, 2)
    True
    >>> is_dispute("BM is an altitude of ABC. Find BM.", "BM is a median of ABC. Find BM.", 0.9, 0)
    False
    """
    left, right = _words(one), _words(other)
    edits = _edits(left, right)
    if not any(_counts(edit) for edit in edits):
        return True
    if not _asks_alike(one, other) or _signs(one) != _signs(other) or _negations(left) != _negations(right):
        return False
    if _names_apart(one, other) or _names_apart(other, one):
        return False
    floor = 0.5 if n_numbers >= 5 else 0.7
    return similarity >= floor and len(edits) >= FEWEST_EDITS


def _signs(text: str) -> list[str]:
    """Functions, bars and brackets that change a value, in order of the alphabet."""
    return sorted(_SIGN.findall(text))


def _negations(words: list[str]) -> int:
    return sum(word in _NEGATIONS or word.startswith("indistin") for word in words)


def _names_apart(one: str, other: str) -> bool:
    """True when one text has a word in capitals ("DOG") that the other has not, however spaced."""
    letters = re.sub(r"[^A-Z]", "", other)
    return any(name not in letters for name in _CAPITALS.findall(re.sub(r"\\[A-Za-z]+", " ", one)))


def _words(text: str) -> list[str]:
    bare = _LAYOUT.sub(" ", text.lower()).replace("without remainder", "evenly")
    return _WORD.findall(bare)


def _edits(left: list[str], right: list[str]) -> list[tuple[list[str], list[str]]]:
    """Stretches that differ, without words that both have in them."""
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    return [(left[a:b], right[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _counts(edit: tuple[list[str], list[str]]) -> bool:
    return any(word not in _SMALL for side in edit for word in side)


def _asks_alike(one: str, other: str) -> bool:
    """Their last clauses share most of their words."""
    last = [_last_clause(text) for text in (one, other)]
    smaller = min(len(last[0]), len(last[1]))
    return not smaller or len(last[0] & last[1]) >= _ALIKE * smaller


def _last_clause(text: str) -> set[str]:
    """Words that count of the last clause, or clauses, with at least two of them."""
    found: set[str] = set()
    for clause in reversed(_CLAUSE.split(text.strip())):
        found |= set(_words(clause)) - _SMALL
        if len(found) >= 2:
            break
    return found
