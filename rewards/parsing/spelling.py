r"""Comparison of text that nobody can read as a value: by its words, or by its tree of tokens.

Two spellings are alike when they are the same mathematics to TeX: spaces do not matter, nor braces around one
token, but every other brace does.

>>> same_spelling(r"\sum_{k=1}^n k", r"\sum_{k=1}^{n}k"), same_spelling(r"\frac{15}{4}", r"\frac{1}{5}4")
(True, False)
>>> same_spelling(r"\text{An ellipse}.", "ellipse"), same_spelling("2^{n}3", "2^{n3}")
(True, False)
"""

import re

from rewards.parsing.splitting import split_words
from rewards.parsing.tokens import Token, tokenize
from rewards.parsing.words import canonical_words, plain_text
from rewards.verdict import UnparsableAnswer

_MATHEMATICS = re.compile(r"\\[A-Za-z]|[\^_|=<>+*]|[{}].*\d|\d.*[{}]", re.DOTALL)
_WITH_ARGUMENTS = frozenset(("frac", "binom", "sqrt"))
_OPENED, _CLOSED = ("sign", "{"), ("sign", "}")


def same_spelling(left: str, right: str) -> bool:
    """Tell whether two normalized texts are the same words, or the same tree of tokens."""
    return spelling(left) == spelling(right)


def spelling(text: str) -> str:
    """Return a text that is the same for all spellings alike."""
    if not _MATHEMATICS.search(plain_text(text)):
        return canonical_words(text)
    try:
        return repr(_tree(split_words(tokenize(text))))
    except UnparsableAnswer:
        return "".join(text.split())


def _tree(tokens: list[Token]) -> tuple:
    """Tokens as nested tuples; a group of one is its content. Unbraced arguments are one digit, as in TeX."""
    stack: list[list] = [[]]
    after = ("", "")
    for token in tokens:
        value = (token.kind, token.value)
        if value == _OPENED:
            stack.append([])
        elif value == _CLOSED and len(stack) > 1:
            group = stack.pop()
            stack[-1].append(group[0] if len(group) == 1 else tuple(group))
        elif token.kind == "number" and token.value.isdigit() and after[1] in _WITH_ARGUMENTS:
            stack[-1].extend(("number", digit) for digit in token.value)
        elif token.kind == "word":
            stack[-1].append(("word", canonical_words(token.value)))
        else:
            stack[-1].append(value)
        after = value
    if len(stack) > 1:
        raise UnparsableAnswer("braces that are never closed")
    return tuple(stack[0])
