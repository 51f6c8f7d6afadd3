r"""Statements side by side, and remarks about an answer: "for all x", "(k in Z)", "where c is a constant"."""

import re

from rewards.answer.units import words
from rewards.parsing.splitting import (
    RELATIONS,
    closing_position,
    nesting_change,
    separator_kind,
    split_tokens,
)
from rewards.parsing.tokens import Token

_REMARK = re.compile(r"(?:for (?:all|any|every|each|some)|where|with)\b", re.IGNORECASE)
_KINDS = words(
    """
    for all any every each some where with is are be being a an the and of in arbitrary constant constants
    integer
    integers real reals number numbers positive negative nonnegative nonzero non zero natural rational complex
    value values fixed given parameter parameters polynomial function real-valued odd even prime
    """
)
"""Words that say what kind of thing a letter is."""
_SIGNS = {"negative": "-", "minus": "-", "positive": "+", "plus": "+"}
_EMPTY = frozenset(("exactly", "precisely", "simply", "just"))
_LOGICAL = {"vee": "or", "wedge": "and"}
_COMMA = Token("sign", ",")


def separate(tokens: list[Token]) -> list[Token]:
    r"""Put commas between statements that stand side by side: y = 1 \quad y = 2, and x = 2k (k in Z)."""
    tokens = _connected(tokens)
    if not any(token.value == "quad" for token in tokens):
        return _remark_apart(tokens)
    result: list[Token] = []
    level = 0
    for position, token in enumerate(tokens):
        level += nesting_change(token)
        if token.value != "quad" or token.kind != "command":
            result.append(token)
        elif level == 0 and _is_between(result, tokens[position + 1 :]):
            result.append(_COMMA)
    return _remark_apart(result)


def _connected(tokens: list[Token]) -> list[Token]:
    """Read the logical signs between statements as words: x = 1 \\vee x = 2."""
    if not any(token.value in _LOGICAL for token in tokens):
        return tokens
    parts = split_tokens(tokens, lambda token: token.value in _LOGICAL)
    if not all(_has_relation(part) for part in parts):
        return tokens
    signs = (Token("word", _LOGICAL[token.value]) for token in tokens if token.value in _LOGICAL)
    result = list(parts[0])
    for sign, part in zip(signs, parts[1:], strict=False):
        result += [sign, *part]
    return result


def _is_between(before: list[Token], after: list[Token]) -> bool:
    """Tell whether a wide space parts two statements: each is a relation, or a bracketed remark follows."""
    after = [token for token in after if token.value != "quad"]
    if not before or not after or separator_kind(before[-1]) or separator_kind(after[0]):
        return False
    if before[-1].value in RELATIONS or after[0].value in RELATIONS or after[0].kind == "word":
        return False
    return _has_relation(before) and _has_relation(after)


def _has_relation(tokens: list[Token]) -> bool:
    return any(token.value in RELATIONS for token in tokens)


def _remark_apart(tokens: list[Token]) -> list[Token]:
    """Put a comma in front of a membership, or after an equation a condition, in parentheses at the end."""
    if len(tokens) < 6 or tokens[-1].value != ")" or RELATIONS.isdisjoint([token.value for token in tokens]):
        return tokens
    for start in range(len(tokens) - 5, 0, -1):
        if tokens[start].value == "(" and closing_position(tokens[start:]) == len(tokens) - start - 1:
            inside = tokens[start + 1 : -1]
            is_membership = inside[1].value == "in" and inside[2].value.startswith("mathbb")
            is_condition = _has_relation(inside) and "=" in [token.value for token in tokens[:start]]
            return [*tokens[:start], _COMMA, *inside] if is_membership or is_condition else tokens
    return tokens


def signs_in_words(tokens: list[Token]) -> list[Token]:
    """Read "negative 3" as -3, and "exactly 3" as 3."""
    first = tokens[0] if len(tokens) > 1 else None
    if first is not None and first.kind == "word" and first.value.lower() in _EMPTY:
        return tokens[1:]
    if first is None or first.kind != "word" or first.value.lower() not in _SIGNS or tokens[1].kind == "word":
        return tokens
    return [Token("sign", _SIGNS[first.value.lower()]), *tokens[1:]]


def without_remark(tokens: list[Token]) -> list[Token]:
    """Drop `for all x` or `where c is a constant` at the end; anything that says more stays, and is no
    answer."""
    for position, token in enumerate(tokens[1:], 1):
        rest = tokens[position:]
        if token.kind == "word" and _REMARK.match(" ".join(part.value for part in rest[:3])):
            head = tokens[:position]
            while head[-1].value in (",", ";") and len(head) > 1:
                head = head[:-1]
            return (
                head if _says_nothing(rest, {part.value for part in head if part.kind == "name"}) else tokens
            )
    return tokens


def _says_nothing(remark: list[Token], names: set[str]) -> bool:
    """Tell whether a remark only says what kind of thing a letter of the answer is: k in Z, c a constant."""
    letters = 0
    for token in remark:
        if token.kind == "name" and token.value in names:
            letters += 1
        elif token.kind == "word":
            if not all(word in _KINDS for word in re.split(r"[\s,.-]+", token.value.casefold()) if word):
                return False
        elif token.value not in (
            ",",
            "in",
            ".",
            "+",
            "^",
            "_",
            "{",
            "}",
            "(",
            ")",
        ) and not token.value.startswith("mathbb"):
            return False
    return letters > 0
