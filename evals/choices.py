"""The chosen letter of a multiple-choice answer, however it is written."""

import re

from evals.benchmarks.registry import LETTERS

_WRAPPER = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_LEADING_LETTER = re.compile(
    r"(?i)(?:(?:the\s+)?(?:answer|option|choice)(?:\s+is)?\s*:?\s*)?\(?([A-Za-z])\)?(?:[.):,\s]|$)"
)


def choice_letter(answer: str, choices: tuple[str, ...]) -> str | None:
    r"""Return the letter that an extracted answer means, or None when it names no option.

    >>> options = ("3", "a prime", "\\frac{1}{2}")
    >>> [choice_letter(text, options) for text in ("B", "(b)", "B. a prime", "option B", "a prime")]
    ['B', 'B', 'B', 'B', 'B']
    >>> choice_letter(r"$\frac{1}{2}$", options), choice_letter("Z", options), choice_letter("17", options)
    ('C', None, None)
    """
    text = _WRAPPER.sub(r"\1", answer).strip().strip("$").strip()
    folded = [_fold(choice) for choice in choices]
    if folded.count(_fold(text)) == 1 and len(text) > 1:
        return LETTERS[folded.index(_fold(text))]
    match = _LEADING_LETTER.match(text)
    if match and (index := LETTERS.find(match[1].upper())) < len(choices):
        rest = text[match.end() :].strip(" .):,")
        if not rest or _fold(rest) == folded[index]:
            return LETTERS[index]
    return LETTERS[folded.index(_fold(text))] if folded.count(_fold(text)) == 1 else None


def _fold(text: str) -> str:
    return re.sub(r"[\s$.]|\\left|\\right|\\,|\\!", "", _WRAPPER.sub(r"\1", text)).lower()
