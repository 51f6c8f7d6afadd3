r"""Series with dots in one form for comparison: `a_0+a_1+a_2+\ldots+a_9` is `a_0 + a_1 + ... a_9`.

>>> comparable(pl.Series([r"$a_0 + a_1 + a_2 + \ldots + a_9$"])).to_list()
['$a_0 + a_1 + \\ldots a_9$']
"""

import re

import polars as pl

_DOTS = r"(?:\\[lcv]?dots[bcim]?\b|\.\.\.|…)"
_SIGN = r"(?:\\cdot\b|\\times\b|[+*·×])"
_AFTER = re.compile(rf"({_DOTS})\s*{_SIGN}\s*")
_TERM = r"[A-Za-z]_\{?\d+\}?"
_TERMS = re.compile(rf"((?:{_TERM}\s*(?:{_SIGN}|,)\s*){{3,}})(?={_DOTS})")
_ONE = re.compile(rf"([A-Za-z])_\{{?(\d+)\}}?\s*(?:{_SIGN}|,)\s*")


def comparable(texts: pl.Series) -> pl.Series:
    """Take the sign after dots off, and of terms counted up before them all but two; also empty powers and
    indices, and the backslash before an index."""
    # "Without remainder" negates nothing.
    texts = texts.str.replace_all(r"(?i) without (?:a |any )?remainder", " evenly")
    texts = texts.str.replace_all(r"\^\{\s*\}|_\{\s*\}", "").str.replace_all(r"\\_(\w)", "_$1")
    rows = texts.str.contains(r"dots|\.\.\.|…").fill_null(False).arg_true()
    if not len(rows):
        return texts
    changed = [_AFTER.sub(r"\1 ", _TERMS.sub(_first_two, text)) for text in texts.gather(rows)]
    return texts.scatter(rows, pl.Series(changed, dtype=pl.String))


def _first_two(match: re.Match) -> str:
    terms = list(_ONE.finditer(match[1]))
    numbers = [int(term[2]) for term in terms]
    counts_up = all(second - first == 1 for first, second in zip(numbers, numbers[1:], strict=False))
    is_one_letter = len({term[1] for term in terms}) == 1
    return match[1][: terms[1].end()] if counts_up and is_one_letter else match[0]
