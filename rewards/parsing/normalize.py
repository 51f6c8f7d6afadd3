r"""Normalize an answer's spelling: Unicode mathematics to LaTeX, markup without meaning removed.

>>> normalize("$\\displaystyle\\dfrac{1}{2}$."), normalize("ｘ≤３"), normalize("x³"), normalize("2½")
('\\frac{1}{2}', 'x\\le 3', 'x^{3}', '2\\frac{1}{2}')
"""

import re
import unicodedata
from functools import lru_cache

from rewards.answer.units import words
from rewards.parsing.aliases import CHARACTERS, COMMANDS, DROPPED, SUBSCRIPTS, SUPERSCRIPTS
from rewards.parsing.foreign_notation import rewrite
from rewards.parsing.tokens import FUNCTIONS
from rewards.responses.boxes import unboxed

_DROPPED_WITH_ARGUMENT = re.compile(
    r"\\(?:hspace|vspace|color|phantom|hphantom|vphantom|label|tag)\*?\s?\{[^{}]{0,40}\}"
)
_UNWRAPPED = re.compile(
    r"\\(?:underline|fbox|framebox|mathop|mathstrut|mathord|mathbin|displaylines|textcolor\{\w{0,20}\})\s?(?=\{)"
)
_COMMAND = re.compile(r"\\([A-Za-z]+\*?)")
_THOUSANDS_POINT = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.])")
"""1.234.567, as written in most of Europe; 1.234 alone is a decimal."""
_THOUSANDS_COMMA = re.compile(
    r"(?<=\d)(?<!\b0)(?:\{,\}|(?:\\!)?,(?:\\[!,;:]|\{\})|\\,|\\;|\\ |\\:|~"
    r"|'(?=\d{3}(?:'|$|\D)))\s?(?=\d{3}(?!\d))"
)
_DECIMAL_COMMA = re.compile(r"(?<=\d)\{,\}(?=\d)")
_LINE_BREAK = re.compile(r"\\(?:newline|cr)(?![A-Za-z])")
_NEGATED = re.compile(r"\\not\s?(=|\\in(?![A-Za-z]))")
_WIDE_SPACE = re.compile(r"(?:\s|\\q?quad(?![A-Za-z]))++")
_QUADS_AROUND = re.compile(r"^(?:\s*\\quad(?![A-Za-z]))+\s*|(?:\s*\\quad(?![A-Za-z]))+\s*$")
_EDGES = re.compile(r"^(?:\\displaystyle(?![A-Za-z])|\\[,;:! ]|\s)+|(?:(?<!\\)\\[,;:! ]|\s)+$")
_INLINE = re.compile(r"(?<!\\)\\\(.{0,2000}?(?<!\\)\\\)", re.DOTALL)
_RELATION = re.compile(r"[=<>≤≥≈∈]|\\(?:leq?|geq?|lt|gt|ne|in|approx|equiv)(?![A-Za-z])")
_DOUBLED = re.compile(r"\\\\(?:([A-Za-z]{2,})|(?=[{}%$!]))")
"""Two backslashes before a command, as left by a text that was escaped twice."""
_PRIMES = re.compile(r"\^\s?\{?\s?((?:\\prime\s?)+)\}?")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_INTRODUCTION = re.compile(
    r"^(?:(?:the |my )?(?:final |correct )?(?:solution|answer)s?(?: (?:is|are)\b ?:? ?| ?: ?)"
    r"|(?:故?答案?|解)\s?(?:是|为)?\s?[:：]\s?|答案是?\s?)",
    re.IGNORECASE,
)
_INTRODUCTION_APART = re.compile(rf"\\text\s?\{{\s*(?:{_INTRODUCTION.pattern[1:]})\s*\}}\s*", re.IGNORECASE)
_TEXT_ALONE = re.compile(r"\\text\s?\{([^{}]*)\}")
"""A whole answer in \\text{} is read without it, when it contains digits or an introduction."""
_EMPTY_GROUP = re.compile(
    r"(\\(?!\w?frac|sqrt|\w?binom|boxed|text|math|over|under|vec|bar|hat|begin|end)[A-Za-z]+)\{\}"
)
"""The braces that end a command's name, as in \\pi{}."""
_EMPTY_DELIMITER = re.compile(r"\\(?:left|right)\s?\.")
_SPACES = re.compile(r"\\[,;:! \n]|~|\s+")
_ENDING = re.compile(r"(?:\\\\|[\s.])+$")


_NAME = re.compile(r"\\([A-Za-z]+)")
_RENAMED = frozenset(name.rstrip("*") for name in COMMANDS) | DROPPED
_TAKE_ARGUMENTS = words(
    "hspace vspace color phantom hphantom vphantom label tag"
    " underline fbox framebox mathop mathstrut mathord mathbin displaylines textcolor"
)
_KNOWN = FUNCTIONS | words(
    "frac dfrac tfrac cfrac sqrt pi text boxed cdot times infty pm left right mathrm mathbf mathbb theta"
    " alpha beta gamma"
    " lambda binom cup cap circ angle overline sum prod displaystyle div approx"
)
"""Commands before which two backslashes are one too many; others may be a word after a line break."""


@lru_cache(maxsize=8192)
def normalize(text: str) -> str:
    """Return the text in the one spelling that the parser reads."""
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    text = _unicode(text)
    text = _unwrap(text)
    text = _halved(text)
    if " " in text or "\\q" in text or not text.isprintable():
        text = _WIDE_SPACE.sub(_widen if _RELATION.search(text) else " ", text)
    text = _THOUSANDS_COMMA.sub("", text).replace("\\!", "")
    if text.count(".") > 1:
        text = _THOUSANDS_POINT.sub(lambda match: match[0].replace(".", ""), text)
    if "{,}" in text:
        text = _DECIMAL_COMMA.sub(".", text).replace("{,}", ",")
    text = text.replace("...", "\\ldots ")
    text = _commands(text) if "\\" in text else _SPACES.sub(" ", text)
    text = rewrite(text.strip())
    alone = _TEXT_ALONE.fullmatch(text)
    if alone and (_INTRODUCTION.match(alone[1].strip()) or any(char.isdigit() for char in alone[1])):
        text = alone[1].strip()
    if introduction := _INTRODUCTION.match(text) or _INTRODUCTION_APART.match(text):
        text = text[introduction.end() :]
    while text and text[-1] in ".,;:\\ " and not text.endswith(("\\}", "...", "\\ldots.")):
        shorter = _ENDING.sub("", text)
        if shorter == text:
            shorter = text[:-1].rstrip()
        if shorter.endswith("\\"):
            break
        text = shorter
    text = text.strip()
    return _unwrap(_QUADS_AROUND.sub("", text) if "\\quad" in text else text)


def _commands(text: str) -> str:
    """Rename commands, and drop those that say nothing; each pass only where its commands are."""
    text = _LINE_BREAK.sub(r"\\\\", text).replace("\\\\", "\0")
    text = _NEGATED.sub(lambda match: "\\notin " if match[1] == "\\in" else "\\ne ", text)
    names = set(_NAME.findall(text))
    if not names.isdisjoint(("left", "right")):
        text = _EMPTY_DELIMITER.sub(" ", text)
    if "{}" in text:
        text = _EMPTY_GROUP.sub(r"\1 ", text)
    if not names.isdisjoint(_TAKE_ARGUMENTS):
        text = _UNWRAPPED.sub("", _DROPPED_WITH_ARGUMENT.sub(" ", text))
    text = _SPACES.sub(" ", text)
    if not names.isdisjoint(_RENAMED):
        text = _COMMAND.sub(_rename, text)
    text = text.replace("\\/", "").replace("\0", "\\\\")
    return _PRIMES.sub(lambda match: "'" * match[1].count("p"), text) if "prime" in names else text


def _widen(space: re.Match[str]) -> str:
    """Keep a line break or a wide space, which may stand between two statements."""
    return "\\quad " if "\n" in space[0] or "\\" in space[0] else " "


def _halved(text: str) -> str:
    """Undo doubled backslashes, outside of environments, whose line breaks they are."""
    if "\\\\" not in text or "\\begin" in text:
        return text
    return _DOUBLED.sub(lambda match: match[0][1:] if match[1] in _KNOWN or not match[1] else match[0], text)


def _unicode(text: str) -> str:
    if text.isascii():
        return "".join(c for c in text if c >= " " or c in "\n\t") if not text.isprintable() else text
    out: list[str] = []
    run = ""
    for char in [*text, ""]:
        kind = "^" if char in SUPERSCRIPTS else "_" if char in SUBSCRIPTS else ""
        if char and kind:
            run = run or kind + "{"
            if run[0] != kind:
                out.append(run + "}")
                run = kind + "{"
            run += (SUPERSCRIPTS if kind == "^" else SUBSCRIPTS)[char]
            continue
        if run:
            out.append(run + "}")
            run = ""
        if char in CHARACTERS:
            out.append(CHARACTERS[char])
        elif char and (unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs") or char in "\n\t"):
            for plain in unicodedata.normalize("NFKC", char):
                out.append(CHARACTERS.get(plain, plain))
    return "".join(out).strip()


def _rename(match: re.Match[str]) -> str:
    name = match[1]
    new = COMMANDS.get(name)
    if new is None:
        return " " if name in DROPPED else match[0]
    if new == "^@":
        return "^\\circ "
    if new in ("le@", "ge@"):
        return "<" if new == "le@" else ">"
    return "\\" + new if new.isalpha() else new


def _unwrap(text: str) -> str:
    r"""Remove what encloses the whole answer: dollar signs, \( \), \[ \], a box, bold markers."""
    for _ in range(8):
        before = text
        text = text.strip()
        if "\\" in text and (text[0] == "\\" or text[-1] in ",;:!"):
            text = _EDGES.sub("", text)
        if text.startswith("$") and text.endswith("$") and len(text) > 1 and not text.endswith("\\$"):
            inner = text.strip("$")
            if "$" in inner.replace("\\$", ""):
                inner = re.sub(r"(?<!\\)\$", " ", inner)
            text = inner
        elif text.startswith(("\\(", "\\[")) and text.endswith(("\\)", "\\]")):
            text = text[2:-2]
        elif (text.startswith("**") and text.endswith("**") and len(text) > 4) or (
            text[:1] in '"`' and text[-1:] == text[:1] and len(text) > 2
        ):
            text = text.strip('*"`')
        elif "\\boxed" in text or "\\fbox" in text:
            text = unboxed(text)
        elif "$" in text and re.search(r"(?<!\\)\$[^$]*[^$\s\\]\$", text):
            text = re.sub(r"(?<!\\)\$", " ", text)
        elif "\\(" in text and _INLINE.search(text):
            text = re.sub(r"(?<!\\)\\[()]", " ", text)
        elif text.endswith((".$", ".\\)", "$.", "\\).", "\\].")):
            text = text.rstrip(".")
        if text == before:
            break
    return text.strip()
