"""Multiple choice in any dress: lettered options in every notation, and questions that only options can answer."""

import re

import polars as pl

from curation.screens.patterns import Screen, has

PROBLEM, ANSWER, WRITTEN = pl.col("problem"), pl.col("answer"), pl.col("written")

_MARK = r"(?:^|[\s(（\[{\\$~*;,])"
_AFTER = r"\s?[)）\].．、:：]"
_BOLD = r"\\(?:textbf|text|mathrm|bf|textrm|mathbf)\s*\{?\s*\(?"
OPTIONS = (
    rf"(?s)(?i:{_BOLD}a[).].{{0,600}}?{_BOLD}b[).].{{0,600}}?{_BOLD}c[).])"
    rf"|{_MARK}A{_AFTER}.{{0,600}}?{_MARK}B{_AFTER}.{{0,600}}?{_MARK}C{_AFTER}"
    # A letter at the beginning of each of three lines, with or without a sign.
    r"|\n\s*\(?A\)?[ \t.):]\s*[^\s=].*\n+\s*\(?B\)?[ \t.):]\s*[^\s=].*\n+\s*\(?C\)?[ \t.):]"
)
_LOW = r"(?:[(（\[]|(?:^|[\n,;.?:])\s*)"
_PLAIN = r"[^\n?？]{1,90}?"
_LINE = r"[^\n]{0,90}(?:\n[^\n]{0,60})?\n+\s*"
LOWER_OPTIONS = (
    rf"(?s){_LOW}a{_AFTER}{_PLAIN}{_LOW}b{_AFTER}{_PLAIN}{_LOW}c{_AFTER}{_PLAIN}{_LOW}d{_AFTER}"
    rf"|\n\s*\(?a{_AFTER}{_LINE}\(?b{_AFTER}{_LINE}\(?c{_AFTER}"
    # Three in the line of a question, or two as the last lines.
    r"|[?？]\s*\(a\)[^?？]{1,90}\(b\)[^?？]{1,90}\(c\)[^?？]{1,90}$|\n\s*\([Aa]\)[^\n]{1,90}\n\s*\([Bb]\)[^\n]{1,90}$"
)
_LOWER_TASKS = r"(?im)^\s*\(?[a-d]\s?[).]\s*(?:find|what|how|determine|calculate|compute|show|prove|solve|write|if|for)\b"
_LETTER = r"^\W*(?:\\text(?:bf)?\{)?\W*[A-Ea-e]\W*$"
_LOST_LETTER = r"^\W*(?:\\text(?:bf)?\{)?\W*[A-Ea-d]\W*$"
"""Without "e", which is a number."""
_ASKS_TO_CHOOSE = (
    r"(?i)\bwhich (?:one )?(?:of the|of these|among the) (?:following|options|choices|statements|expressions|given)\b"
    r"|\b(?:choose|select|circle|mark|pick) (?:the|all|one|an?) (?:correct|right|best|option|answer|letter|statements?)"
    r"|\bcorrect (?:option|choice|alternative)\b|\b(?:option|choice)s? (?:is|are) (?:correct|true)\b|\b(?:none|all) of the above\b"
    r"|\banswer choices?\b|\bmultiple[- ]choice question:|\boptions?:\s*\n|下列|以下.{0,20}(?:正确|错误)的是|选项"
)
_ONE_OF_TWO = (
    r"(?i)\bwhich\b[^.?!:,]{1,60}[:,] (?:[^?!:.]|\.\d){1,80}\bor\b(?:[^?!.]|\.\d){1,80}\?\W*$"
    r"|\bwhich (?:\w+ ){0,3}(?:greater|larger|smaller|bigger|more|fewer|longer|shorter|heavier|cheaper|older|faster|closer)[:,]? (?:[^?!:.]|\.\d){1,80}\bor\b(?:[^?!.]|\.\d){1,80}\?\W*$"
)
"""Two things, one of which is the answer: half of all guesses are right."""
_STATEMENTS = r"(?:statements?|propositions?|conclusions?|assertions?|inferences?|judg\w+)"
_TRUE = r"(?:correct|true|false|incorrect|valid|wrong)"
_PICKS_STATEMENTS = (
    rf"(?i)\b(?:the )?{_TRUE} (?:{_STATEMENTS}(?:\(s\))?|ones?)(?: numbers?)?(?: here| among them| above)?,? (?:is|are|(?:is|are)/(?:is|are)|is ?\(are\)|include)\b"
    rf"|\bamong (?:the|these) (?:following |above )?(?:\w+ )?{_STATEMENTS}[^.?!]{{0,60}}\b{_TRUE}\b"
    rf"|\bnumbers? of (?:all )?(?:the |those )?{_TRUE} {_STATEMENTS}|\b{_TRUE} {_STATEMENTS} numbers? (?:is|are)\b|\bwhich (?:one )?of (?:the|these)[^.?!]{{0,40}}{_STATEMENTS} [^.?!]{{0,20}}{_TRUE}\b"
)
_COUNTS = r"(?i)\bhow many\b|\b(?:the|maximum|minimum|total|largest|smallest|greatest) number of\b"
"""Statements are counted, not picked."""
_PICKED = r"^\W*(?:[(（①-⑨\[]|\d(?:\D+\d)*\W*$|[A-Ha-h]\W*$|[IVivx]+\b)"
_CONDITIONS = (
    r"(?i)\b(?:conditions?|properties|rules?|requirements?|restrictions?)\s*[:,]\s*\n\s*\(?a"
    r"|\b(?:satisf\w+|such that)\b[^.?!\n]{0,60}[:,]\s*\n\s*\(?a"
)
_LETTERS_NAMED = r"\bA\b.{1,200}\bB\b.{1,200}\bC\b"
_OF_LETTERS = r"(?i)\b(?:hexadecimal|base|letters?|variables?|digits?|grades?|vitamin|points?|vert(?:ex|ices)|label(?:s|l?ed)?|note|column|element|constant)\b"
"""What a letter may be the answer to."""
_NAMED = r"(?<![A-Za-z'’\\]){0}(?![A-Za-z'’])"
_ARTICLE = r"(?i:\$[^$]*(?<![a-z\\])a(?![a-z])[^$]*\$|\\\([^)]*\ba\b|\da\b|\ba\s*[=+*/^<>-]|[=+*/^<>-]\s*a\b)"
"""The letter of an answer as a name in the text; "a" is an article outside of formulas."""


def lists_options() -> pl.Expr:
    """Options in capital letters, as written: a list of them may have been taken off the problem as a wrapper."""
    return has(WRITTEN, OPTIONS)


def lists_lower_options() -> pl.Expr:
    return has(WRITTEN, LOWER_OPTIONS) & ~has(WRITTEN, _LOWER_TASKS) & ~has(WRITTEN, _CONDITIONS)


def asks_to_choose() -> pl.Expr:
    return has(PROBLEM, _ASKS_TO_CHOOSE)


def asks_for_one_of_two() -> pl.Expr:
    return has(PROBLEM, _ONE_OF_TWO)


def picks_statements() -> pl.Expr:
    return has(PROBLEM, _PICKS_STATEMENTS) & has(ANSWER, _PICKED) & ~has(PROBLEM, _COUNTS)


def names_letters() -> pl.Expr:
    """The answer is the letter of something that the text names."""
    return has(ANSWER, _LETTER) & has(PROBLEM, r"(?i)\bwhich\b") & has(PROBLEM, _LETTERS_NAMED)


def lost_options() -> pl.Expr:
    """The answer is a letter that the text does not name, nor asks for: that of an option left out."""
    unnamed = pl.struct(PROBLEM, ANSWER).map_batches(_unnamed_letters, return_dtype=pl.Boolean)
    return unnamed & ~has(PROBLEM, _OF_LETTERS)


def _unnamed_letters(rows: pl.Series) -> pl.Series:
    found = []
    for problem, answer in zip(*(rows.struct.field(name) for name in ("problem", "answer")), strict=True):
        letter = re.findall(r"[A-Ea-e]", answer)[-1:]
        form = _ARTICLE if letter in (["a"], ["A"]) else _NAMED.format(*letter)
        found.append(re.search(form, problem) is None)
    return pl.Series(found, dtype=pl.Boolean)


OPTIONS_OFFERED = (
    Screen(lists_options, r"[Cc]\s?[)）\].．、:：} \t]", "written"),
    Screen(lists_lower_options, r"c\s?[)）\].．、:：}]|\n\s*\([Bb]\)", "written"),
    Screen(
        asks_to_choose,
        r"(?i)which |choose|select|circle|mark |pick |option|choice|alternative|of the above|下列|以下|选项",
    ),
    Screen(asks_for_one_of_two, r"(?is)\bwhich .*\bor\b.*\?"),
    Screen(picks_statements, r"(?i)true|false|correct|valid|wrong"),
    Screen(names_letters, r"(?i)which"),
    Screen(lost_options, _LOST_LETTER, "answer"),
)
"""What offers options, or can be answered only with them."""
