"""The chosen letter of a multiple-choice answer, read by the verifier's own grammar."""

from evals.benchmarks.registry import LETTERS
from rewards.grader import Reason, compare_answers
from rewards.parsing.normalize import normalize
from rewards.parsing.words import parse_choice


def choice_letter(answer: str, choices: tuple[str, ...]) -> str | None:
    r"""Return the letter that an extracted answer means, or None when it names no option.

    The letter counts in any dress, with or without its option's text; beside another's it does not.

    >>> options = ("3", "a prime", "\\frac{1}{2}")
    >>> [choice_letter(text, options) for text in ("B", "(b)", "B. a prime", "option B", "a prime", "[B]")]
    ['B', 'B', 'B', 'B', 'B', 'B']
    >>> choice_letter("0.5", options), choice_letter("Z", options), choice_letter("17", options)
    ('C', None, None)
    >>> choice_letter(r"\textit{B}: some prime", options), choice_letter("B. 3", options)
    ('B', None)
    """
    text = normalize(answer)
    found = _options_named(text, choices)
    if len(found) == 1 and len(text) > 1:
        return found[0]
    chosen = parse_choice(text) or parse_choice(text.upper())
    if chosen is not None and LETTERS.find(chosen[0]) < len(choices):
        letter, option = chosen
        named = _options_named(option, choices) if option else []
        return letter if not named or letter in named else None
    return found[0] if len(found) == 1 else None


def _options_named(text: str, choices: tuple[str, ...]) -> list[str]:
    """Letters of the options that say the same as a text."""
    return [
        LETTERS[place]
        for place, choice in enumerate(choices)
        if choice.strip() and compare_answers(choice, text)[0] is Reason.CORRECT
    ]
