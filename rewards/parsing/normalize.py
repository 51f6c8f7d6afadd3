r"""Normalize an answer's spelling: Unicode mathematics to LaTeX, markup without meaning removed.

>>> normalize("$\\displaystyle\\dfrac{1}{2}$."), normalize("ｘ≤３"), normalize("x³"), normalize("2½")
('\\frac{1}{2}', 'x\\le 3', 'x^{3}', '2\\frac{1}{2}')
"""

import re
import unicodedata
from functools import lru_cache

from rewards.extraction import last_box
from rewards.parsing.aliases import CHARACTERS, COMMANDS, DROPPED, SUBSCRIPTS, SUPERSCRIPTS
from rewards.parsing.foreign_notation import rewrite

_DROPPED_WITH_ARGUMENT = re.compile(
    r"\\(?:hspace|vspace|color|phantom|hphantom|vphantom|label|tag)\*?\s?\{[^{}]{0,40}\}"
)
_UNWRAPPED = re.compile(
    r"\\(?:underline|fbox|framebox|mathop|mathstrut|mathord|mathbin|displaylines|textcolor\{\w{0,20}\})\s?(?=\{)"
)
_COMMAND = re.compile(r"\\([A-Za-z]+\*?)")
_THOUSANDS_COMMA = re.compile(r"(?<=\d)(?:\{,\}|,(?:\\[!,;:]|\{\})|\\,|\\;|\\ |\\:|\\!|~)\s?(?=\d{3}(?!\d))")
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_INTRODUCTION = re.compile(
    r"^(?:(?:the |my )?(?:final |correct )?(?:solution|answer)s? (?:is|are)\b ?:? ?"
    r"|(?:故?答案?|解)\s?(?:是|为)?\s?[:：]\s?|答案是?\s?)",
    re.IGNORECASE,
)
_TEXT_ALONE = re.compile(r"\\text\s?\{([^{}]*)\}")
"""A whole answer in \\text{} is read without it, when it contains digits or an introduction."""
_EMPTY_GROUP = re.compile(
    r"(\\(?!\w?frac|sqrt|\w?binom|boxed|text|math|over|under|vec|bar|hat|begin|end)[A-Za-z]+)\{\}"
)
"""The braces that end a command's name, as in \\pi{}."""
_EMPTY_DELIMITER = re.compile(r"\\(?:left|right)\s?\.")
_SPACES = re.compile(r"\\[,;:! \n]|~|\s+")
_ENDING = re.compile(r"(?:\\\\|[\s.])+$")


@lru_cache(maxsize=8192)
def normalize(text: str) -> str:
    """Return the text in the one spelling that the parser reads."""
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    text = _unicode(text)
    text = _unwrap(text)
    text = _THOUSANDS_COMMA.sub("", text)
    text = text.replace("{,}", ",").replace("\\newline", "\\\\").replace("...", "\\ldots ")
    if "\\" in text or "~" in text:
        text = _EMPTY_DELIMITER.sub(" ", text.replace("\\\\", "\0"))
        text = _DROPPED_WITH_ARGUMENT.sub(" ", _EMPTY_GROUP.sub(r"\1 ", text))
        text = _UNWRAPPED.sub("", text)
        text = _SPACES.sub(" ", text)
        text = _COMMAND.sub(_rename, text).replace("\\/", "").replace("\0", "\\\\")
    else:
        text = _SPACES.sub(" ", text)
    text = rewrite(text.strip())
    alone = _TEXT_ALONE.fullmatch(text)
    if alone and (_INTRODUCTION.match(alone[1].strip()) or any(char.isdigit() for char in alone[1])):
        text = alone[1].strip()
    text = _INTRODUCTION.sub("", text)
    while text and text[-1] in ".,;:\\ " and not text.endswith(("\\}", "...", "\\ldots.")):
        shorter = _ENDING.sub("", text)
        if shorter == text:
            shorter = text[:-1].rstrip()
        if shorter.endswith("\\"):
            break
        text = shorter
    return _unwrap(text.strip())


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
        elif "\\boxed" in text:
            text = last_box(text) or text.replace("\\boxed", " ")
        elif "$" in text and re.search(r"(?<!\\)\$[^$]*[^$\s\\]\$", text):
            text = re.sub(r"(?<!\\)\$", " ", text)
        elif text.endswith((".$", ".\\)", "$.", "\\).", "\\].")):
            text = text.rstrip(".")
        if text == before:
            break
    return text.strip()
