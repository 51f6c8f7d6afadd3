r"""The lexicon of words and LaTeX commands to rewrite: spelled-out numbers, synonyms, signs, layout."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from curation.text.contraries import synonyms

REPLACED, LAYOUT, LAYOUT_WITH_ARGUMENT, ENVIRONMENT, FRACTION = 1, 2, 3, 4, 5
"""What is done with an entry: another word replaces it; it is skipped, alone, with one argument or with two;
its parts are read."""

# "one" is left out: it is a pronoun as often as a number.
_NUMBER_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORDS = {word: str(value) for value, word in enumerate(_NUMBER_WORDS, 2)}
_WORDS |= dict.fromkeys(("determine", "compute", "calculate", "evaluate"), "find")
_WORDS |= {f"{verb}n": f"{verb} not" for verb in ("is", "are", "was", "were", "do", "does", "did", "should")}
_WORDS |= {"cannot": "can not", "couldn": "could not", "wouldn": "would not"}
_WORDS |= {"degree": "deg", "degrees": "deg", "percent": "%", "factorial": "!"}

_LAYOUT = (
    *("left", "right", "big", "bigg", "bigl", "bigr", "bigm", "biggl", "biggr", "biggm", "displaystyle"),
    *("textstyle", "limits", "nolimits", "text", "textbf", "textit", "textrm", "texttt", "mathrm", "mathbf"),
    *("mathit", "mathsf", "mathbb", "mathcal", "operatorname", "mbox", "hbox", "emph", "underline", "uline"),
    *("boldsymbol", "rm", "bf", "it", "quad", "qquad", "ldots", "cdots", "dots", "dotsb", "dotsc", "dotsi"),
    *("dotsm", "dotso", "vdots", "ddots", "lbrace", "rbrace", "lbrack", "rbrack", "langle", "rangle"),
    *("lvert", "rvert", "vert", "mid"),
)
_SIGNS = {"times": "*", "cdot": "*", "ast": "*", "div": "/", "leq": "<=", "le": "<=", "leqslant": "<="}
_SIGNS |= {"geq": ">=", "ge": ">=", "geqslant": ">=", "neq": "!=", "ne": "!=", "lt": "<", "gt": ">"}
_SIGNS |= {"degree": "deg"}


class Lexicon(NamedTuple):
    """A hash table with linear probing; a slot without an entry has key 0."""

    keys: np.ndarray
    """uint64 [n_slots], n_slots a power of two: hash of the word, or of the command with its backslash"""
    actions: np.ndarray
    """uint8 [n_slots]"""
    starts: np.ndarray
    """int32 [n_slots + 1]: what is written for it is `pool[starts[i]:starts[i + 1]]`"""
    pool: np.ndarray
    """uint8"""


@cache
def lexicon(hash_bytes: Callable[[np.ndarray, int, int], int]) -> Lexicon:
    """Make the table; entries are found by their `hash_bytes`."""
    entries = sorted(_entries())
    n_slots = 1 << (3 * len(entries)).bit_length()
    keys, actions = np.zeros(n_slots, np.uint64), np.zeros(n_slots, np.uint8)
    texts = [""] * n_slots
    for word, action, text in entries:
        data = np.frombuffer(word.encode(), np.uint8)
        key = int(hash_bytes(data, 0, len(data)))
        slot = key % n_slots
        while keys[slot]:
            slot = (slot + 1) % n_slots
        keys[slot], actions[slot], texts[slot] = key, action, text
    starts = np.zeros(n_slots + 1, np.int32)
    np.cumsum([len(text.encode()) for text in texts], out=starts[1:])
    return Lexicon(keys, actions, starts, np.frombuffer("".join(texts).encode(), np.uint8))


def _entries() -> Iterator[tuple[str, int, str]]:
    same = {word: stands for word, (stands, _) in synonyms().items() if stands != word}
    yield from ((word, REPLACED, text) for word, text in (same | _WORDS).items())
    yield from ((f"\\{name}", REPLACED, text) for name, text in _SIGNS.items())
    yield from ((f"\\{name}", LAYOUT, "") for name in _LAYOUT)
    yield from ((f"\\{name}", LAYOUT_WITH_ARGUMENT, "") for name in ("hspace", "vspace", "phantom", "label"))
    yield from ((f"\\{name}", ENVIRONMENT, "") for name in ("begin", "end"))
    yield from ((f"\\{name}", FRACTION, "frac") for name in ("frac", "dfrac", "tfrac", "cfrac"))
