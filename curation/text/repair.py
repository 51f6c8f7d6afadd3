r"""Repairs of what translation and typesetting left in texts: lost backslashes, double escapes, remarks.

>>> repaired(pl.Series([r"If $3 imes n=6 imes 2$, find n.", r"Half is $rac{1}{2}$."])).to_list()
['If $3 \\times n=6 \\times 2$, find n.', 'Half is $\\frac{1}{2}$.']
"""

import re

import polars as pl

# JSON and Python read \t, \f, \b, \r, \n, \a and \v as one character; what follows it in a LaTeX command is left.
_COMMANDS = {
    "t": (
        "times",
        "theta",
        "triangle",
        "text",
        "textbf",
        "textit",
        "tfrac",
        "therefore",
        "tanh",
        "tau",
        "tilde",
        "top",
    ),
    "f": ("frac", "forall", "flat"),
    "b": ("binom", "begin", "boxed", "beta", "bigcup", "bigcap", "bullet", "backslash", "bmod", "boldsymbol"),
    "r": ("right", "rightarrow", "rangle", "rfloor", "rceil", "rho", "rbrace"),
    "n": ("neq", "nabla", "notin", "nmid", "nexists"),
    "a": ("alpha", "angle", "approx", "arcsin", "arccos", "arctan", "ast"),
    "v": ("vec", "varphi", "varepsilon", "vartheta", "vdots", "vee"),
}
# Tails that are words, names or commands of their own are left alone: ext, ar, an, op, eta, ilde, igma.
_AMBIGUOUS = {
    "op",
    "au",
    "lat",
    "eta",
    "ullet",
    "ho",
    "eq",
    "ee",
    "st",
    "mod",
    "ext",
    "anh",
    "ackslash",
    "bla",
    "ngle",
}
_TAILS = {name[1:]: name for names in _COMMANDS.values() for name in names if name[1:] not in _AMBIGUOUS}
_BEFORE_BRACE = {"ext": "text", "bla": "nabla", "ar": "bar", "an": "tan", "ilde": "tilde"}
_TAIL = re.compile(rf"(?<![A-Za-z\\])\s?({'|'.join(sorted(_TAILS, key=len, reverse=True))})(?![A-Za-z])")
_BRACED = re.compile(r"(?<![A-Za-z\\])(ext|ilde)(?=\{)")
_TEST = rf"(?:^|[^A-Za-z\\])(?:{'|'.join(sorted(_TAILS, key=len, reverse=True))}|ext\{{)(?:$|[^A-Za-z])"
_CONTROL = {"\t": "t", "\f": "f", "\b": "b", "\r": "r", "\a": "a", "\v": "v"}
_CONTROL_TAIL = re.compile(r"([\t\f\x08\r\x07\x0b])([a-z]+)")

_REMARK = (
    r"(?i)\s*\(?(?:please )?translate the (?:above|following|given) [^\n]{0,200}"
    r"(?:english|unchanged|directly|result|format)[^\n]{0,120}$"
    r"|(?i)\n\s*[#*(\[]*(?:the )?(?:un|non-?)?translated (?:part|portion|text|content|section)s?(?: is)?\s*[:：)\]][\s\S]*$"
    r"|(?i)\n\s*(?:note|translation|translator'?s note)\s*[:：][^\n]*translat[\s\S]*$"
    r"|(?i)\n\s*```\s*\n\s*```\s*$|(?i)^\s*(?:here is the translation|the translation is|translation)[^\n:：]{0,60}[:：]\s*"
)
_ENTITY = {
    "&nbsp;": " ",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&ldquo;": "“",
    "&rdquo;": "”",
    "&times;": "×",
}
_HAN_LINE = r"(?m)^[^\n]*\p{Han}{4,}[^\n]*$\n?"


def repaired(texts: pl.Series) -> pl.Series:
    """Repair a column of texts, touching only those that show a mark of damage."""
    texts = _where(texts, _TEST, _restore_backslashes)
    texts = _where(texts, r"&(?:nbsp|lt|gt|quot|#39|ldquo|rdquo|times);", _unescape)
    texts = _where(
        texts, r"\\(?:noindent|end\{(?:problem|question|exercise)\})", lambda text: _RESIDUE.sub("", text)
    )
    texts = _where(texts, r"(?i)translat|```", lambda text: re.sub(_REMARK_PATTERN, "", text).strip() or text)
    return _where(
        texts, r"\\\\(?:frac|sqrt|text|cdot|times|left|pi|sin|cos|angle|triangle|leq|geq)\b", _halve_escapes
    )


def restore_controls(texts: pl.Series) -> pl.Series:
    r"""Turn control characters before the rest of a command back into it: tab + "imes" was \times."""
    known = {name for names in _COMMANDS.values() for name in names}

    def restore(match: re.Match) -> str:
        name = _CONTROL[match[1]] + match[2]
        return f"\\{name}" if name in known else match[0]

    return _where(texts, r"[\t\f\x08\r\x07\x0b][a-z]", lambda text: _CONTROL_TAIL.sub(restore, text))


def _restore_backslashes(text: str) -> str:
    """Only inside formulas, or beside a digit or brace."""

    def restore(match: re.Match) -> str:
        before, after = text[: match.start()], text[match.end() :]
        in_formula = (before.count("$") % 2 == 1) or before.rfind("\\(") > before.rfind("\\)")
        beside = after[:1] == "{" or after.lstrip()[:1].isdigit() or before.rstrip()[-1:].isdigit()
        if not (in_formula or (beside and len(match[1]) > 3)):
            return match[0]
        space = match[0][: len(match[0]) - len(match[1])]
        return f"{space}\\{_TAILS[match[1]]}"

    return _BRACED.sub(lambda match: f"\\{_BEFORE_BRACE[match[1]]}", _TAIL.sub(restore, text))


def _halve_escapes(text: str) -> str:
    r"""`\\frac` becomes `\frac` where every command has two backslashes."""
    doubled = len(re.findall(r"\\\\[A-Za-z(){}\[\]%$]", text))
    single = len(re.findall(r"(?<!\\)\\[A-Za-z]", text))
    return re.sub(r"\\\\(?=[A-Za-z(){}\[\]%$_])", r"\\", text) if doubled and not single else text


def _unescape(text: str) -> str:
    for entity, letter in _ENTITY.items():
        text = text.replace(entity, letter)
    return text


_RESIDUE = re.compile(r"(?:\s*(?:\\noindent|\\end\{(?:problem|question|exercise)\}|\\\\))+\s*$")
_REMARK_PATTERN = re.compile(_REMARK.replace("(?i)", ""), re.IGNORECASE)


def _where(texts: pl.Series, test: str, repair) -> pl.Series:
    rows = texts.str.contains(test).fill_null(False).arg_true()
    if not len(rows):
        return texts
    return texts.scatter(rows, pl.Series([repair(text) for text in texts.gather(rows)], dtype=pl.String))
