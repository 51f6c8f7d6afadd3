r"""Parsers for answers in words: text, multiple-choice letters, numerals and times of day.

>>> canonical_words(r"\text{An Ellipse}."), parse_choice(r"\text{(C) }12"), parse_numeral(r"12_{\text{five}}")
('ellipse', ('C', '12'), Numeral(digits='12', base=5))
"""

import re

from rewards.answer.types import Clock, Numeral

_STYLED = re.compile(r"\\(?:text|mathrm|mathbf|operatorname|mathsf)\s?\{([^{}]*)\}")
_SPACES = re.compile(r"\s+")
_WORDLIKE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2}|[^\x00-\x7f]")
_CHOICE_LETTER = re.compile(r"[A-J]")
_CHOICE_INTRODUCTION = re.compile(r"^(?:option|choice|answer|选项|选)\s*(?=[(\[]?[A-J]\b)", re.IGNORECASE)
_NO_OPTION_TEXT = re.compile(
    r"[(\[]?[A-J][)\]]|(?:or|and|not|but|unless|if|except|maybe)\b|[,/;&]|.*[(\[][A-J][)\]]", re.IGNORECASE
)
_LABEL_INSIDE = re.compile(r"[,;]\s*[A-Z]\w{0,8}\s?:")
"""A second label: A: 4, B: 14 names two values and chooses nothing."""
_CHOICES = re.compile(r"[(\[]?[A-F][)\]]?(?:\s*(?:,|;|、|and|\s)?\s*[(\[]?[A-F][)\]]?){1,5}")
_CHOICE_ALONE = re.compile(r"[(\[]?\s*([A-J])\s*[)\].:]*")
_CHOICE_WITH_TEXT = re.compile(
    r"(?:[(\[]\s*([A-J])\s*[)\]][.:]?\s*|([A-J])(?:\)\s*|[.:]\s+|\.(?=[^\s\d])))(\S.*)", re.DOTALL
)
_NUMERAL = re.compile(
    r"\(?(-?[0-9A-Z]{1,200}(?:\.[0-9A-Z]{1,200})?|[0-9a-f]{1,200}(?=_\{?16))\)?_\{?\(?(\w+)\)?\}?"
)
_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16, "hex": 16, "bin": 2, "oct": 8,
}  # fmt: skip
_CLOCK = re.compile(r"(\d{1,2})(?:\s?:\s?(\d\d)(?:\s?:\s?(\d\d))?)?\s*(?:([ap])\.?\s?m\.?)?", re.IGNORECASE)
_CLOCK_SIGN = re.compile(r"[:mM]")
_ARTICLE = re.compile(r"\b(?:a|an|the|A|An|The|AN|THE)\s+(?=\w)")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
"""Words lose their capitals; a single letter is a name, and W is not w."""
_DAY = re.compile(r"(?:(?<=[a-z] \d)|(?<=[a-z] \d\d))(?:st|nd|rd|th)\b")
"""June 5th is June 5."""
_SYNONYMS = {"dne": "does not exist", "d.n.e": "does not exist"}
_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_SMALL = {word: n for n, word in enumerate(_UNITS)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_CHINESE = {word: n for n, word in enumerate("零一二三四五六七八九十")} | {"两": 2}

NO_SOLUTION = frozenset(
    ("no solution", "no solutions", "no real solution", "no real solutions", "empty set", "无解", "空集")
)
INFINITY_WORDS = frozenset(("infinity", "positive infinity", "无穷大", "正无穷"))
ALL_REALS = frozenset(
    ("all real numbers", "all reals", "all real number", "all real values", "全体实数", "所有实数")
)


def has_words(text: str) -> bool:
    r"""Tell whether a text has letters side by side that are no command, or writing other than ASCII.

    >>> has_words("no solution"), has_words(r"\text{one}"), has_words(r"2\sqrt{x}+\frac{1}{y}")
    (True, True, False)
    """
    return _WORDLIKE.search(text) is not None


def plain_text(text: str) -> str:
    r"""Remove markup: \text and similar commands, braces, leftover backslashes."""
    if "\\" in text:
        for _ in range(4):
            text, n_changes = _STYLED.subn(r"\1", text)
            if not n_changes:
                break
        text = text.replace("\\ ", " ")
    return _SPACES.sub(" ", text.replace("**", "")).strip()


def canonical_words(text: str) -> str:
    """Return text without markup, articles, quotes, final punctuation, and capitals in words."""
    text = re.sub(r"[{}$\"“”]|\\(?![A-Za-z])", "", plain_text(text))
    text = re.sub(r"(?<=[A-Za-z])\.(?=\s|$)", "", text)
    text = _ARTICLE.sub("", _SPACES.sub(" ", text))
    text = _DAY.sub("", text)
    text = _LETTERS.sub(lambda match: match[0].casefold(), text)
    text = text.strip(" .,;:!")
    text = text.removesuffix(" solutions") if text.startswith("infinitely many") else text
    return _SYNONYMS.get(text, text)


def number_in_words(text: str) -> int | None:
    """Read a whole number in English words, or a Chinese digit.

    >>> number_in_words("twenty-one"), number_in_words("one hundred and five"), number_in_words("two thirds")
    (21, 105, None)
    """
    if text in _CHINESE:
        return _CHINESE[text]
    sign = -1 if text.startswith(("minus ", "negative ")) else 1
    words = text.removeprefix("minus ").removeprefix("negative ").replace("-", " -").split()
    total, part = 0, 0
    previous = ""
    for position, written in enumerate(words):
        word = written.removeprefix("-")
        if word == "and":
            if previous not in ("hundred", *_SCALES) or position == len(words) - 1:
                return None
        elif word in _SMALL:
            is_after_tens = previous in _TENS and 0 < _SMALL[word] < 10 and written[0] == "-"
            if previous and previous not in ("hundred", "and", *_SCALES) and not is_after_tens:
                return None
            part += _SMALL[word]
        elif word == "hundred" and 0 < part < 10:
            part *= 100
        elif word in _SCALES and part:
            total, part = total + part * _SCALES[word], 0
        else:
            return None
        previous = word
    return sign * (total + part) if words else None


def parse_choice(text: str) -> tuple[str, str] | None:
    """Return the letter of a multiple-choice answer and the option's text after it."""
    if not _CHOICE_LETTER.search(text):
        return None
    plain = _CHOICE_INTRODUCTION.sub("", plain_text(text))
    if match := _CHOICE_ALONE.fullmatch(plain):
        return match[1], ""
    if match := _CHOICE_WITH_TEXT.fullmatch(plain):
        rest = match[3].strip()
        if _NO_OPTION_TEXT.match(rest) or _LABEL_INSIDE.search(rest):
            return None
        return match[1] or match[2], rest
    return None


def parse_choices(text: str) -> str:
    """Return the letters of an answer that ticks several options, "" for anything else.

    >>> parse_choices("B, C"), parse_choices("(B)(C)"), parse_choices("BC"), parse_choices("CAB")
    ('BC', 'BC', 'BC', '')
    """
    match = _CHOICES.fullmatch(plain_text(text)) if _CHOICE_LETTER.search(text) else None
    letters = re.findall("[A-F]", match[0]) if match else []
    return "".join(letters) if letters == sorted(set(letters)) else ""


def parse_numeral(text: str) -> Numeral | None:
    """Read digits with their base as a subscript."""
    if "_" not in text:
        return None
    match = _NUMERAL.fullmatch(
        plain_text(text.replace("{\\text", "\\text").replace("}}", "}")).replace(" ", "")
    )
    if match is None or not (any(c.isdigit() for c in match[1]) or (match[2] == "16" and len(match[1]) > 1)):
        return None
    base = _BASES.get(match[2].lower()) or (
        int(match[2]) if match[2].isdecimal() and len(match[2]) < 3 else 0
    )
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in match[1] if digit.isalnum()):
        return None
    written = match[1].upper()
    sign, digits = ("-", written[1:]) if written.startswith("-") else ("", written)
    return Numeral(sign + (digits.lstrip("0") or "0"), base)


def parse_clock(text: str) -> Clock | None:
    """Read a time of day: hours and two-digit minutes, or a number with a.m. or p.m."""
    if not _CLOCK_SIGN.search(text):
        return None
    match = _CLOCK.fullmatch(plain_text(text))
    if match is None or not (match[2] or match[4]) or (match[3] and not match[4]):
        return None
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    half = (match[4] or "").lower()
    if hour > 24 or minute > 59 or second > 59:
        return None
    return Clock(hour, minute, "am" if half == "a" else "pm" if half == "p" else None, second)


def same_clock(left: Clock, right: Clock) -> bool:
    """Compare times; when only one side says am or pm, it applies to both."""
    if bool(left.half) == bool(right.half):
        return left == right
    same_minute = (left.minute, left.second) == (right.minute, right.second)
    return same_minute and bool(_hours(left) & _hours(right))


def _hours(clock: Clock) -> set[int]:
    """Hours of the day (0 to 23) that the time can mean."""
    if clock.half:
        return {clock.hour % 12 + 12 * (clock.half == "pm")}
    return {clock.hour % 24} if clock.hour > 12 else {clock.hour % 12, clock.hour % 12 + 12}
