"""Splitting of a list of tokens at separators and connectives, outside of brackets."""

import re
from collections.abc import Callable

from rewards.parsing.tokens import Token, tokenize

OPENING, CLOSING = ("(", "[", "{", "\\{", "<("), (")", "]", "}", "\\}", ")>")
_NESTING = dict.fromkeys(OPENING, 1) | dict.fromkeys(CLOSING, -1)
_NESTING_KINDS = frozenset(("sign", "begin", "end"))
RELATIONS = frozenset(
    ("=", "<", ">", "le", "ge", "ne", "equiv", "in", "approx", "parallel", "perp", "sim", "cong")
)
_CONNECTIVES = {"and": "and", "和": "and", "且": "and", "or": "or", "或": "or", "或者": "or"}
_CONNECTIVE = re.compile(r"\s*(?:\b(and|or)\b|(和|或者|或|且))\s*")


def split_words(tokens: list[Token]) -> list[Token]:
    """Split text such as `p and q` into its parts."""
    result: list[Token] = []
    for token in tokens:
        if token.kind != "word" or not _CONNECTIVE.search(token.value):
            result.append(token)
            continue
        for piece in _CONNECTIVE.split(token.value):
            piece = piece.strip(" ,;:") if piece else ""
            if any(char.isdigit() for char in piece):
                result.extend(tokenize(piece))
            elif piece.strip("."):
                result.append(Token("word", piece, token.is_spaced))
    return result


def separator_kind(token: Token) -> str | None:
    if token.kind == "sign":
        return "," if token.value in (",", ";", "\\\\") else None
    return _CONNECTIVES.get(token.value.lower()) if token.kind == "word" else None


def split_tokens(
    tokens: list[Token], is_separator: Callable[[Token], bool], found: list[str] | None = None
) -> list[list[Token]]:
    """Split at separators outside of brackets and environments."""
    parts: list[list[Token]] = [[]]
    level = 0
    for token in tokens:
        if token.kind in _NESTING_KINDS:
            level += nesting_change(token)
        if level == 0 and is_separator(token):
            if found is not None:
                found.append(separator_kind(token) or token.value)
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def nesting_change(token: Token) -> int:
    kind = token.kind
    if kind == "sign":
        return _NESTING.get(token.value, 0)
    return 1 if kind == "begin" else -1 if kind == "end" else 0


def closing_position(tokens: list[Token]) -> int:
    level = 0
    for position, token in enumerate(tokens):
        level += nesting_change(token)
        if level == 0:
            return position
    return -1
