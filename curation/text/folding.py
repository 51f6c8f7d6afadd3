"""Folding of Unicode to lower-case ASCII, as flat tables by code point for compiled loops.

Superscripts become powers, typographic signs become plain ones, accents are dropped, other letters stay.
"""

import unicodedata
from functools import cache

import numpy as np

FOLDED = 0x20000
"""Code points from here on (rare Han characters) stay as they are."""
GROWTH = 4
"""A code point's folded form has at most this many times as many bytes."""

_SIGNS = {digit: f"^{value}" for value, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_SIGNS |= dict.fromkeys("−–—‐‑‒﹣", "-") | dict.fromkeys("×⋅·∙✕*∗", " * ")
_SIGNS |= {"÷": " / ", "∕": "/", "⁄": "/", "≤": " <= ", "⩽": " <= ", "≥": " >= ", "⩾": " >= ", "≠": " != "}
_SIGNS |= {"π": " pi ", "∞": " infty ", "°": " deg ", "√": " sqrt ", "∠": " angle ", "△": " triangle "}
_SIGNS |= {"∪": " cup ", "∩": " cap ", "∈": " in ", "±": " pm ", "∆": " delta ", "∑": " sum ", "∏": " prod "}
_SIGNS |= {"α": " alpha ", "β": " beta ", "γ": " gamma ", "θ": " theta ", "λ": " lambda ", "ω": " omega "}
_SIGNS |= {"¬": " lnot ", "∨": " vee ", "∧": " wedge ", "⊂": " subset ", "⊃": " supset ", "⊆": " subseteq "}
_SIGNS |= {"⊇": " supseteq ", "∉": " notin ", "∀": " forall ", "∃": " exists "}
_SIGNS |= {"…": " ", "½": " 1/2 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅓": " 1/3 ", "⅔": " 2/3 "}


@cache
def fold_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return (starts, pool): code point c folds to the bytes `pool[starts[c]:starts[c + 1]]`.

    starts: int32 [FOLDED + 1]; pool: uint8.
    """
    folded = [_fold(point) for point in range(FOLDED)]
    starts = np.zeros(FOLDED + 1, np.int32)
    np.cumsum([len(one) for one in folded], out=starts[1:])
    return starts, np.frombuffer(b"".join(folded), np.uint8)


def _fold(point: int) -> bytes:
    if 0xD800 <= point < 0xE000:  # surrogates are not characters
        return b""
    letter = chr(point)
    if point < 0x80 and letter not in _SIGNS:
        return letter.lower().encode()
    if 0x3400 <= point < 0xA000 or 0xAC00 <= point < 0xD7A4:  # Han and Hangul: nothing to fold
        return letter.encode()
    if unicodedata.category(letter) == "Cn":
        return b" "
    plain = _SIGNS.get(letter) or unicodedata.normalize("NFKD", letter)
    plain = "".join(_SIGNS.get(one, one) for one in plain).lower()
    folded = "".join(_SIGNS.get(one, one) for one in plain if not unicodedata.category(one).startswith("M"))
    written = "".join(one if one.isascii() or one.isalpha() else _gap(one) for one in folded).encode()
    return written if len(written) <= GROWTH * len(letter.encode()) else b" "


def _gap(letter: str) -> str:
    """Invisible characters vanish; any other sign separates words."""
    return "" if unicodedata.category(letter) == "Cf" else " "
