r"""The tokenizer of normalized answers: numbers, names, words, commands and signs.

>>> [token.value for token in tokenize(r"2x_1+\text{ or }1,234.5")]
['2', 'x', '_', '1', '+', 'or', '1234.5']
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from rewards.answer.units import BARE_UNITS, ROMAN_UNITS, SLASHED_UNIT, words
from rewards.verdict import AnswerTooLarge, UnparsableAnswer

MAX_NESTING = 150
"""Deepest nesting of brackets that is parsed."""
MAX_DIGITS = 4000
"""Longest number that is read, in characters."""

FUNCTIONS = words(
    """
    sin cos tan cot sec csc arcsin arccos arctan asin acos atan acot arcsec arccsc asec acsc sinh cosh tanh
    coth
    sech csch arsinh arcosh artanh arcoth arcsinh arccosh arctanh arccoth asinh acosh atanh acoth argsinh
    argcosh
    argtanh arsech arcsch ln log lg exp gcd lcm max min arg det deg Re Im sgn cis dim
    """
)
_PLAIN_COMMANDS = FUNCTIONS | words("sqrt cbrt pi theta alpha beta gamma lambda phi omega")
_PLAIN_COMMANDS |= {"binom", "floor", "ceil", "abs"}
_SPELLED = {"infinity": "infty", "inf": "infty", "oo": "infty", "Pi": "pi", "union": "cup", "U": "cup"}
_SHORT_WORDS = frozenset(
    ("no", "on", "of", "or", "is", "it", "if", "to", "at", "by", "in", "so", "up", "as", "we")
)
_SHORT_WORDS |= {"am", "pm", "No", "Or", "If", "AM", "PM"}

_ORDINAL = re.compile(r"(?:1\dth|(?<!1)(?:1st|2nd|3rd)|[04-9]th)$")
_ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))
_NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)"
_MASTER = re.compile(
    rf"""(?P<space>\s+)
    |(?P<repeat>(?P<whole>\d*)\.(?P<fixed>\d*)(?:\\(?:overline|bar)\s?\{{(?P<bar>\d+)\}}|\((?P<paren>\d+)\)(?![A-Za-z\d])
        |\\dot\s?\{{?(?P<first>\d)\}}?(?:(?P<middle>\d*)\\dot\s?\{{?(?P<last>\d)\}}?)?))
    |(?P<grouped>(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}})(?:\.\d+)?(?![\d,]|\.\d))
    |(?P<spaced>\d{{1,3}}(?:\ \d{{3}})+(?:\.\d+)?(?!\d|\ \d))
    |(?P<scientific>{_NUMBER}[eE][+-]?\d{{1,6}}(?![A-Za-z\d]))
    |(?P<number>{_NUMBER}\.?(?!\d))
    |\\(?:begin|end)\s?\{{(?P<environment>[a-z]+)\*?\}}
    |\\(?P<command>[A-Za-z]+)
    |(?P<letters>[A-Za-z]+)
    |(?P<foreign>(?:(?![A-Za-z])[^\W\d_])+)
    |(?P<sign>\\\\|\\[{{}}%$&\#_]|\.\.\.|<=|>=|!=|==|\*\*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMANDS_OF_SIGNS = {"<=": "le", ">=": "ge", "!=": "ne", "...": "ldots"}
_SIGNS = {"\\%": "%", "\\$": "$", "**": "^", "==": "=", "\\&": "&", "\\#": "#", "\\_": "_"}
_OPENING, _CLOSING = ("(", "[", "\\{", "{"), (")", "]", "\\}", "}")
_BRACKETS = frozenset(_OPENING + _CLOSING)
_UNBRACED = re.compile(r"\\[A-Za-z]+|.")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_NUMBERS = frozenset(("grouped", "spaced", "scientific", "number"))
_TEXT_COMMANDS = (
    "text",
    "mathrm",
    "operatorname",
    "mathbf",
    "mathbb",
    "mathcal",
    "mathfrak",
    "vec",
    "mathscr",
)
_COMPLEX = re.compile(r"\d.*(?<![A-Za-z])i(?![A-Za-z])|(?<![A-Za-z])i(?![A-Za-z]).*\d", re.DOTALL)
_WORDY = frozenset(("min", "deg", "sec", "max", "det", "arg", "dim", "Re", "Im"))
"""Functions that are a unit or a word when set upright."""
_ACCENTS = ("overline", "bar", "hat", "tilde", "widehat", "dot")


@dataclass(slots=True)
class Token:
    """One token of a normalized answer; nothing changes it (not frozen, because that doubles its cost)."""

    kind: Literal["number", "name", "word", "command", "sign", "begin", "end"]
    value: str
    is_spaced: bool = False
    """There was a space before it."""
    number: Fraction | None = None
    is_grouped: bool = False
    """A number written with commas between thousands."""


def tokenize(text: str, *, splits_thousands: bool = False) -> list[Token]:
    """Return the tokens; AnswerTooLarge for nesting that is too deep, UnparsableAnswer for unclosed text."""
    tokens: list[Token] = []
    depth = {"bracket": 0, "all": 0}
    for token in _scan(text, depth, splits_thousands):
        tokens.append(token)
    return tokens


def _scan(text: str, depth: dict[str, int], splits_thousands: bool) -> Iterator[Token]:
    position, is_spaced, previous = 0, False, ""
    while position < len(text):
        match = _MASTER.match(text, position)
        if match is None:
            raise UnparsableAnswer(f"cannot read {text[position : position + 20]!r}")
        kind, value = match.lastgroup, match[0]
        end = match.end()
        if kind == "space":
            position, is_spaced = end, True
            continue
        if kind == "grouped" and (depth["bracket"] or splits_thousands):
            kind, value = "number", value.split(",")[0]
            end = position + len(value)
        if kind == "spaced" and (depth["bracket"] or previous == "^"):
            kind, value = "number", value.split(" ")[0]
            end = position + len(value)
        if kind == "sign":
            yield _sign(value, is_spaced, depth)
        elif kind in _NUMBERS:
            yield _number(value, kind, is_spaced)
        elif kind == "repeat":
            yield Token("number", value, is_spaced, _repeating(match))
        elif kind == "environment":
            yield Token("begin" if value.startswith("\\begin") else "end", match["environment"], is_spaced)
        elif kind == "command":
            name = match["command"]
            produced, end = _command(name, text, end, is_spaced, depth, splits_thousands)
            if previous == "number" and name == "mathrm":
                produced = [_roman_unit(token) for token in produced]
            yield from produced
        elif kind == "letters":
            is_ordinal = (
                value in _ORDINAL_ENDINGS
                and not is_spaced
                and _ORDINAL.search(text[max(0, end - 8) : end]) is not None
            )
            yield from _letters(value, is_spaced or not position, previous, text[end : end + 8], is_ordinal)
        else:
            yield Token("word", value, is_spaced)
        previous = "number" if kind in _NUMBERS else value
        position, is_spaced = end, False


def _number(value: str, kind: str, is_spaced: bool) -> Token:
    if len(value) > MAX_DIGITS:
        raise AnswerTooLarge(f"a number of {len(value)} characters")
    if value.isdecimal():
        return Token("number", value, is_spaced, Fraction(int(value)))
    plain = value.replace(",", "").replace(" ", "").rstrip(".")
    if kind == "scientific":
        exponent = int(re.split("[eE]", plain)[1])
        if abs(exponent) > MAX_DIGITS:
            raise AnswerTooLarge(f"the exponent {exponent}")
    return Token("number", plain, is_spaced, Fraction(plain), kind == "grouped")


def _repeating(match: re.Match[str]) -> Fraction:
    repeated = (
        match["bar"] or match["paren"] or match["first"] + (match["middle"] or "") + (match["last"] or "")
    )
    fixed = match["fixed"] or ""
    if len(repeated) + len(fixed) > MAX_DIGITS:
        raise AnswerTooLarge("a repeating decimal that is too long")
    scale = 10 ** len(fixed)
    start = Fraction(int((match["whole"] or "0") + fixed or "0"), scale)
    return start + Fraction(int(repeated), scale * (10 ** len(repeated) - 1))


def _command(
    name: str, text: str, end: int, is_spaced: bool, depth: dict[str, int], splits_thousands: bool
) -> tuple[list[Token], int]:
    if name in _TEXT_COMMANDS or name in _ACCENTS:
        content, after = _argument(text, end)
        if name in _ACCENTS:
            if name in ("overline", "bar") and _COMPLEX.search(content):
                inner = _inline(content, depth, False, splits_thousands)
                return [
                    Token("command", "conj", is_spaced),
                    Token("sign", "{"),
                    *inner,
                    Token("sign", "}"),
                ], after
            if not re.fullmatch(r"[A-Za-z]", content.strip()):
                inner = _inline(content, depth, is_spaced, splits_thousands)
                return [Token("sign", "{", is_spaced), *inner, Token("sign", "}")], after
            return [Token("name", f"{name} {content.strip()}", is_spaced)], after
        return _styled(name, content, is_spaced, depth, splits_thousands), after
    if name in ("langle", "rangle"):
        depth["bracket"] += 1 if name == "langle" else -1
        return [Token("sign", "<(" if name == "langle" else ")>", is_spaced)], end
    return [Token("command", name, is_spaced)], end


def _styled(name: str, content: str, is_spaced: bool, depth: dict[str, int], splits: bool) -> list[Token]:
    bare = content.strip()
    if name == "mathbb":
        return [Token("command", f"mathbb {bare}", is_spaced)]
    if name in ("mathbf", "vec") and bare in ("i", "j", "k"):
        return [Token("name", f"hat {bare}", is_spaced)]
    if name == "vec" and re.fullmatch(r"[A-Z]{2}", bare):
        return [Token("name", f"vec {bare}", is_spaced)]  # from A to B, not a product
    if re.fullmatch(r"[A-Za-z]", bare) and name != "text":
        return [Token("name", bare, is_spaced)]
    if bare in FUNCTIONS and (name == "operatorname" or (name in ("mathrm", "text") and bare not in _WORDY)):
        return [Token("command", bare, is_spaced)]
    if (
        name == "vec"
        or not re.search(r"[^\W\d_]", re.sub(r"\\[A-Za-z]+", "", bare))
        or re.match(r"\(?\s*mod\b", bare)
    ):
        return _inline(content, depth, is_spaced, splits)
    if re.search(r"\\[A-Za-z]|\$", bare):
        bare = " ".join(token.value for token in _inline(bare.replace("$", " "), depth, False, splits))
    return [Token("word", bare, is_spaced)]


def _roman_unit(token: Token) -> Token:
    r"""An upright letter right after a number is a unit: 4\mathrm{N}."""
    is_unit = token.kind == "name" and token.value in ROMAN_UNITS
    return replace(token, kind="word") if is_unit else token


def _inline(content: str, depth: dict[str, int], is_spaced: bool, splits: bool) -> list[Token]:
    depth["all"] += 1
    if depth["all"] > MAX_NESTING:
        raise AnswerTooLarge(f"nested deeper than {MAX_NESTING}")
    tokens = list(_scan(content, depth, splits))
    depth["all"] -= 1
    if tokens and is_spaced:
        tokens[0] = replace(tokens[0], is_spaced=True)
    return tokens


def _argument(text: str, start: int) -> tuple[str, int]:
    """Read the braced argument of a command, or the one letter or command after it."""
    while start < len(text) and text[start] == " ":
        start += 1
    if start >= len(text) or text[start] != "{":
        match = _UNBRACED.match(text, start)
        if match is None:
            raise UnparsableAnswer("a command without an argument")
        return match[0], match.end()
    level = 0
    for brace in _BRACE.finditer(text, start):
        level += {"{": 1, "}": -1}.get(brace[0], 0)
        if level == 0 and brace[0] == "}":
            return text[start + 1 : brace.start()], brace.end()
    raise UnparsableAnswer("an argument that is never closed")


def _letters(run: str, is_spaced: bool, previous: str, following: str, is_ordinal: bool) -> Iterator[Token]:
    is_minutes = run == "min" and previous == "number" and following.lstrip()[:1] not in ("(", "{", "\\", "_")
    if run in _PLAIN_COMMANDS and not is_minutes or run in _SPELLED and (run != "U" or is_spaced):
        yield Token("command", _SPELLED.get(run, run), is_spaced)
        return
    if is_ordinal:
        return
    if is_unit_after(run, previous, is_spaced) or (run in ("sq", "cu") and following[:1] in (".", " ")):
        yield Token("word", run, is_spaced)
        return
    if previous == "number" and is_spaced and SLASHED_UNIT.match(run + following):
        yield Token("word", run, is_spaced)
        return
    if run in ("or", "and") and (previous in (")", "}", "]") or following[:1] in ("(", "[")):
        yield Token("word", run, is_spaced)
        return
    # "at" is a word in "at 5" and a product in "at^2".
    if is_word(run) and (len(run) > 2 or (is_spaced and not following[:1].strip())):
        yield Token("word", run, is_spaced)
        return
    for prefix in ("sqrt", "sin", "cos", "tan", "log", "ln", "pi"):
        if run.startswith(prefix) and 1 <= len(run) - len(prefix) <= 2:
            yield Token("command", prefix, is_spaced)
            run, is_spaced = run[len(prefix) :], False
            break
    for letter in run:
        yield Token("name", letter, is_spaced)
        is_spaced = False


def is_unit_after(run: str, previous: str, is_spaced: bool) -> bool:
    """Tell a unit after a number, as in 5cm, or after a fraction, root or power and a space."""
    return run in BARE_UNITS and (previous == "number" or (previous in ("}", ")") and is_spaced))


def is_word(run: str) -> bool:
    """Tell a word from a product of variables: `listen` from `xyz`.

    >>> [is_word(run) for run in ("Monday", "abc", "xyz", "qvB", "no", "yes")]
    [True, False, False, False, True, True]
    """
    if len(run) < 3:
        return run in _SHORT_WORDS
    if len(set(run)) == len(run) and any(
        set(run) <= set(group) for group in ("abc", "xyz", "pqr", "mnk", "uvw")
    ):
        return False
    if run.startswith(("sin", "cos", "tan", "log", "sqrt")) and len(run) <= 5:
        return False
    if not set(run.lower()) & set("aeiouy"):
        return False
    is_ascending = all(first < second for first, second in zip(run, run[1:], strict=False))
    return not (is_ascending and not set(run.lower()) & set("eiou")) and not run.isupper()


def _sign(value: str, is_spaced: bool, depth: dict[str, int]) -> Token:
    if value not in _BRACKETS:
        if value in _COMMANDS_OF_SIGNS:
            return Token("command", _COMMANDS_OF_SIGNS[value], is_spaced)
        return Token("sign", _SIGNS.get(value, value), is_spaced)
    if value in _OPENING:
        depth["all"] += 1
        depth["bracket"] += value != "{"
        if depth["all"] > MAX_NESTING:
            raise AnswerTooLarge(f"nested deeper than {MAX_NESTING}")
    else:
        depth["all"] = max(0, depth["all"] - 1)
        depth["bracket"] = max(0, depth["bracket"] - (value != "}"))
    return Token("sign", value, is_spaced)
