"""The matching key of a problem: one notation for Unicode and LaTeX variants, then tokens in order.

Two texts with equal tokens are the same problem; numbers, operators and brackets are tokens of their own.
The key serves comparison only, the text for training is left alone.
"""

import polars as pl

# "one" is left out: it is a pronoun as often as a number.
_NUMBER_WORDS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", (f"^{digit}" for digit in range(10)), strict=True))
_SYMBOLS = _SUPERSCRIPTS | dict.fromkeys("−–—‐‑‒﹣", "-") | dict.fromkeys("×⋅·∙✕*∗", " * ")
_SYMBOLS |= {"÷": " / ", "∕": "/", "⁄": "/", "≤": " <= ", "⩽": " <= ", "≥": " >= ", "⩾": " >= ", "≠": " != "}
_SYMBOLS |= {"π": " pi ", "∞": " infty ", "°": " deg ", "√": " sqrt ", "∠": " angle ", "△": " triangle "}
_SYMBOLS |= {
    "∪": " cup ",
    "∩": " cap ",
    "∈": " in ",
    "±": " pm ",
    "α": " alpha ",
    "β": " beta ",
    "θ": " theta ",
}
_SYMBOLS |= {"’": "'", "‘": "'", "“": '"', "”": '"', "…": " ", "\u200b": "", "\ufeff": "", "\u00ad": ""}

# Order matters: a pattern sees what the ones above it left. Rust regular expressions: no look-around.
_LATEX = (
    (r"\\\\(?:\[[^\]]*\])?", " "),
    (r"\\[()\[\]]", " "),
    (r"\\[dtc]frac\b", r"\frac"),
    (r"\\(?:left|right|bigg?[lrm]?|displaystyle|textstyle|limits|nolimits)\b", ""),
    (
        r"\\(?:text|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|mathbb|mathcal|operatorname)\b\*?",
        "",
    ),
    (r"\\(?:mbox|hbox|emph|underline|uline|boldsymbol|rm|bf|it|quad|qquad|hspace|vspace|phantom)\b", " "),
    (r"\\(?:begin|end)\s*\{[a-z]+\*?\}(?:\{[lcr| ]*\})?", " "),
    (r"\\[,;:!]", ""),
    (r"\\(?:times|cdot|ast)\b", " * "),
    (r"\\div\b", " / "),
    (r"\\(?:leqslant|leq|le)\b", " <= "),
    (r"\\(?:geqslant|geq|ge)\b", " >= "),
    (r"\\(?:neq|ne)\b", " != "),
    (r"\\lt\b", "<"),
    (r"\\gt\b", ">"),
    (r"\^\s*\{?\s*\\circ\s*\}?|\\degree\b|\bdegrees?\b", " deg "),
    (r"\\(?:ldots|cdots|dots[bcimo]?|vdots|ddots)\b", " "),
    (r"\\(?:lbrace|rbrace|lbrack|rbrack|langle|rangle|lvert|rvert|vert|mid)\b", " "),
    (r"\\%|\bper ?cent\b", " % "),
    (r"\\frac\s*(\d)\s*(\d)", r"\frac{$1}{$2}"),
    (r"\\frac\s*\{\s*(\d)\s*\}\s*(\d)", r"\frac{$1}{$2}"),
    (r"\\frac\s*(\d)\s*\{", r"\frac{$1}{"),
    (r"\\frac\s*\{\s*\\?(\w+)\s*\}\s*\{\s*\\?(\w+)\s*\}", r" $1/$2 "),
    (r"(\d)\s?\{,\}\s?(\d)", "$1$2"),
    (r"(\d),(\d{3})(,\d{3})?(,\d{3})?\b", "$1$2$3$4"),
    (r"(\d),(\d{3})\b", "$1$2"),
    (r"(\d)\.0+\b", "$1"),
    (r"([\d)])!", "$1 factorial "),
    (r"(^|[^\\a-z])([a-z]{2,})-", "$1$2 "),
    (r"-([a-z]{2,})", " $1"),
    (r"\b(?:determine|compute|calculate|evaluate)\b", "find"),
)

_TOKEN = r"\d+(?:\.\d+)?|[a-z]+|\p{Han}|<=|>=|!=|\p{L}|[-+*/=<>^%()\[\]|]"


def matching_text(text: pl.Expr) -> pl.Expr:
    """Rewrite a text in the one notation that tokens are cut from."""
    text = (
        text.str.replace_many(list(_SYMBOLS), list(_SYMBOLS.values()))
        .str.normalize("NFKC")
        .str.to_lowercase()
    )
    for pattern, replacement in _LATEX:
        text = text.str.replace_all(pattern, replacement)
    for value, word in enumerate(_NUMBER_WORDS, 2):
        text = text.str.replace_all(rf"\b{word}\b", str(value))
    return text


def tokenise(text: pl.Expr) -> pl.Expr:
    r"""Cut a text into matching tokens, a list column.

    >>> frame = pl.DataFrame({"text": [r"Find $\dfrac{1}{2} \times 1{,}000$.", "Compute 1/2 · 1000"]})
    >>> frame.select(tokenise(pl.col("text")).list.join(" "))["text"].to_list()
    ['find 1 / 2 * 1000', 'find 1 / 2 * 1000']
    """
    return matching_text(text).str.extract_all(_TOKEN)


def squeeze(text: pl.Expr) -> pl.Expr:
    """Reduce a text to its lower-case letters and digits: a quick, rough key."""
    return text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "")
