r"""Open-Reasoner-Zero's answer comparer, reimplemented to compare with its published numbers.

Do not train or evaluate with it: it is wrong in ways that `rewards.grader` is not. It accepts `1` for `1,2`
and `1011_3` for `1011_2` (reading stops where the grammar does), `23` for `2,3` (commas are deleted),
`5\text{ m}` for `5\text{ cm}` (units are deleted), `25` for `25\%`, neighboring integers past 2^53 (values
are compared as doubles), and `silent` for `listen` (words are products of letters). It rejects `0.25` for
`25\%`, `3.5` for `3\frac12`, `\{2,1\}` for `\{1,2\}`, `2\le x<5` for `[2,5)`, `(x+1)^2` for `x^2+2x+1` and
`\frac13` for `0.\overline{3}`.

After orz/ppo/tools/math_utils.py and playground/orz_7b_ppo.py of the authors' repository: extraction, the
normalizer of the MATH data set (hendrycks/math), then equality of the parsed LaTeX, then the same on strings
normalized as in Minerva (arXiv 2206.14858, appendix D.1).

Differences from the original: nothing matches an empty reference (there, two empty strings are equal);
answers past 2,000 characters are not compared; sums, integrals, products, limits and derivatives are not
read; the one-second limit on a comparison is CPU time, not wall time. `bench/orz_compat.py` measures how
often the two agree.

>>> is_equal("1", "1,2"), is_equal("2", "3")
(True, False)
"""

import math
import re
from fractions import Fraction

from rewards.algebra.worker_pool import shared_pool
from rewards.answer.types import Expression
from rewards.arithmetic.exact import NotRational, Undefined, rational_value
from rewards.orz.latex import read_latex
from rewards.verdict import UnparsableAnswer

MAX_PLAIN_CHARS = 128
"""Longer texts are rejected when they repeat themselves."""
MAX_REPEATED_SHARE = 0.2

_UNIT_WORDS = (
    "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", "\\ldots", "sue",
    "points", "feet", "minutes", "digits", "cents", "degrees", "cm", "gm", "pounds", "meters", "meals",
    "edges", "students", "childrentickets", "multiples", "\\text{s}", "\\text{.}", "\\text{\ns}",
    "\\text{}^2", "\\text{}^3", "\\text{\n}", "\\text{}", "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;",
    ",\\!", "{,}", '"', "\\dots",
)  # fmt: skip
_REPLACED = (
    ("an ", ""), ("a ", ""), (".$", "$"), ("\\$", ""), ("\\ ", ""), (" ", ""), ("mbox", "text"),
    (",\\text{and}", ","), ("\\text{and}", ","), ("\\text{m}", "\\text{}"),
)  # fmt: skip
_MINERVA = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(.*?)(\$)(.*?)(\$)(.*)", r"$\3$"),
        (r"\\text\{(.*?)\}", r"\1"),
        (r"\\textbf\{(.*?)\}", r"\1"),
        (r"\\overline\{(.*?)\}", r"\1"),
        (r"\\boxed\{(.*)\}", r"\1"),
        (r"frac([^{])(.)", r"frac{\1}{\2}"),
        (r"sqrt([^{])", r"sqrt{\1}"),
    )
)
_DELETED = ("\n", "\\!", "\\left", "\\right", "^{\\circ}", "^\\circ", "\\$", "$", ",")


def is_equal(gold: str, answer: str) -> bool:
    """Tell whether the original accepts `answer`; both are box contents. TimeoutError past the time limit."""
    return _same_text(gold, answer) or _same_latex(gold, answer)


def _same_text(gold: str, answer: str) -> bool:
    """The MATH data set's comparer: after normalization, as numbers, otherwise as strings."""
    try:
        ours, theirs = _stripped(gold), _stripped(answer)
    except (ValueError, IndexError):
        return gold == answer
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs


def _stripped(text: str) -> str:
    """Normalize as the MATH data set does; ValueError and IndexError where the original fails."""
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    for piece in _DELETED:
        text = text.replace(piece, "")
    value, *units = text.split("\\text{ ")
    if len(units) > 1:
        raise ValueError("more than one unit")
    text = value.replace("\\%", "").replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    sides = text.split("=")
    if len(sides) == 2 and len(sides[0]) <= 2:
        text = sides[1]
    text = _braced_arguments(_braced_arguments(text, "\\sqrt", 1).replace(" ", ""), "\\frac", 2)
    if text == "0.5":
        return "\\frac{1}{2}"
    quotient = re.fullmatch(r"(-?(?:0|[1-9]\d*))/(-?(?:0|[1-9]\d*))", text)
    return f"\\frac{{{quotient[1]}}}{{{quotient[2]}}}" if quotient else text


def _braced_arguments(text: str, command: str, n_arguments: int) -> str:
    r"""Put braces around the one-letter arguments of a command: \frac12 is \frac{1}{2}."""
    first, *rest = text.split(command)
    out = first
    for piece in rest:
        if piece[0] == "{":
            out += command + piece
        elif n_arguments == 1:
            out += f"{command}{{{piece[0]}}}{piece[1:]}"
        elif len(piece) < 2:
            return text
        else:
            second = piece[1:] if piece[1] == "{" else f"{{{piece[1]}}}{piece[2:]}"
            out += f"{command}{{{piece[0]}}}{second}"
    return out


def _same_latex(gold: str, answer: str) -> bool:
    """Compare parsed LaTeX, first as written, then as normalized by Minerva's rules."""
    if any(len(text) > MAX_PLAIN_CHARS and _repeats_itself(text) for text in (gold, answer)):
        return False
    if (same := _same_parsed(gold, answer)) is not None and same:
        return True
    ours, theirs = _minerva(gold), _minerva(answer)
    same = _same_parsed(ours, theirs)
    return ours == theirs if same is None else same


def _same_parsed(gold: str, answer: str) -> bool | None:
    """Equality of two texts as expressions or as double-precision values; None when one cannot be read."""
    try:
        left, right = read_latex(gold), read_latex(answer)
    except UnparsableAnswer:
        return None
    values = _as_double(left), _as_double(right)
    if None not in values:
        return values[0] == values[1]
    if left == right and values == (None, None):
        return True
    reply = shared_pool().ask(left, right, "as_doubles")
    if reply == "timeout":
        raise TimeoutError("comparing took more than a second")
    return {"same": True, "different": False}.get(reply)


def _as_double(value: Expression) -> tuple[float, int] | None:
    """Mantissa and exponent of a rational value, rounded to 53 bits; None for any other value."""
    try:
        exact = rational_value(value)
    except (NotRational, Undefined):
        return None
    shift = exact.numerator.bit_length() - exact.denominator.bit_length()
    scaled = exact / Fraction(2) ** shift
    mantissa, exponent = math.frexp(scaled.numerator / scaled.denominator)
    return mantissa, exponent + shift


def _minerva(text: str) -> str:
    for before, after in _REPLACED:
        text = text.replace(before, after)
    for word in _UNIT_WORDS:
        text = text.replace(word, "")
    for pattern, replacement in _MINERVA:
        text = pattern.sub(replacement, text)
    text = text.replace("$", "")
    return text.replace(",", "") if text.replace(",", "").isdigit() else text


def _repeats_itself(text: str) -> bool:
    """Compare the mean longest common prefix of neighboring suffixes with the largest possible."""
    suffixes = sorted(range(len(text)), key=lambda start: text[start:])
    rank = {start: place for place, start in enumerate(suffixes)}
    total = shared = 0
    for start in range(len(text)):
        if rank[start] == len(text) - 1:
            shared = 0
            continue
        other = suffixes[rank[start] + 1]
        end = len(text) - max(start, other)
        while shared < end and text[start + shared] == text[other + shared]:
            shared += 1
        total += shared
        shared = max(shared - 1, 0)
    return 2 * total / (len(text) * (len(text) + 1)) > MAX_REPEATED_SHARE
