r"""Several things asked for with one answer: blanks, questions, sentences, labeled parts.

Patterns are those of Rust's regex, which polars uses: linear time, no look-around.
"""

import polars as pl

from curation.screens.patterns import Screen, count, has, has_any
from curation.screens.tasks import BLANK, VERBS, WH

PROBLEM, ANSWER = pl.col("problem"), pl.col("answer")

_QUESTION = rf"(?i)\b{WH}\b[^.?!？]{{3,400}}[?？]"
_FORMER = (
    r"(?i)above question|unknown variable|following question|this question|that question|previous question"
)
_IMPERATIVE = rf"(?i)(?:^|[.;?!？。；]\s+|\n\s*)(?:then |also |and |next |finally |hence |now )*,?\s*{VERBS} [^.?!\n]{{3,}}"
RESULT = r"(?:find|determine|calculate|compute|evaluate)"
_MEASURE = r"(?:cost|price|age|length|width|height|weight|mass|speed|rate|value)"
_SECOND = (
    r"(?i)\band then list\b",
    r"(?i)\b(?:values?|lengths?|measures?|areas?|coordinates|equations?) of \$[^$]{1,40}\$,? and (?:of )?"
    r"\$[^$]{1,40}\$\s*[.,?]?\s*$",
    rf"(?i)\b(?:{VERBS})\b [^.?!\n]{{3,160}}\band (?:its|their) [a-z]+\s*[.?]?\s*$",
    rf"(?i)\b(?:{VERBS})\b (?:all )?(?:of )?the (?:two|three|four|five|six|seven|eight|\d) (?:\w+ ){{0,3}}"
    r"(?:roots|solutions|zeros|zeroes|values|numbers|integers|vertices|angles|points|sides|edges|dimensions|factors)\b",
    rf"(?i)\b{VERBS} the (?:other|remaining) (?:two|three|four|five|\d) [a-z]+\b",
    r"(?i)\b(?:lengths?|measures?|values?|areas?) of \$?\\?[A-Za-z]{1,2}\$? and (?:of )?\$?\\?[A-Za-z]{1,2}\$?(?:[.,?]|$)",
    r"(?i)\b(?:and|also|additionally|furthermore|moreover),? (?:separately|also (?:find|determine|calculate)"
    r"|(?:what|how (?:many|much|long|far|old))\b(?:[^.?!]|\.\d){3,200}[?？])",
    rf"(?i)\b{RESULT} the {_MEASURE}s? of (?:an?|each|one) (?:[a-z'’]+ ){{1,3}}?(?:'s \w+ )?and (?:the \w+ )?(?:of )?(?:an?|each|one) [^.?!]{{2,60}}[.?]?\s*$",
    r"(?i)\bseparately for\b|(?:find|determine|calculate|compute|evaluate|solve|simplify)[^.?!]{0,40}\beach of the following\b"
    r"|\bboth (?:of )?the following\b",
    rf"(?i)\b{RESULT} (?:the )?(?:values? of )?\$?\\?[a-z]\$? and (?:of )?\$?\\?[a-z]\$?(?:[ .,]|$)",
    rf"(?i)\b{RESULT} \$[^$]{{1,80}}\$,? and \$[^$]{{1,80}}\$\s*[.?]?\s*$",
    rf"(?i)\b{RESULT} the (?:minimum|maximum|smallest|largest|least|greatest|total|number) [^.?!]{{3,100}}\band (?:also )?the (?:\w+ )?(?:"
    r"lengths|values|numbers|coordinates|positions|points|dimensions|radius|area|time|conditions?) (?:of|for|at|to|where|when|in)\b",
    rf"(?i)\b{RESULT} (?:the )?(?:minimum and (?:the )?maximum|maximum and (?:the )?minimum|smallest and (?:the )?largest) values?\b",
    rf"(?i)\b{RESULT} also\b|\b(?:are|is|be),?\s+respectively\W*$",
)
_AND_FIND = rf"(?i)\b(?:{VERBS})\b[^.?!\n]{{3,200}}\band (?:also |then )?(?:find|determine|calculate|compute) (?:the|its|all)\b"
_WHAT_ARE = (
    r"(?i)\bwhat (?:are|were) (?:(?:the|these|those) )?(?:two |three |four )?(?:numbers|integers)\?\W*$"
    r"|\bwhat (?:are|were) the (?:\w+ ){1,4}?(?:of|for) [^?.,]{3,60}\band [^?.,]{3,60}\?\W*$"
)
_RESPECTIVELY = rf"(?i)\b{RESULT}\b[^.?!]{{3,200}}\band\b[^.?!]{{1,80}}\brespectively\W*$"
_GIVEN_RESPECTIVELY = rf"(?i)\b{RESULT}\b[^.?!]*\b(?:if|given|with|whose|are|is|having|between|where|from|by|that|which)\b[^.?!]*\brespectively\W*$"
_IN_WORDS = rf"{RESULT} (?:the|a|an|its|his|her|their) [^.?!$\\\n]{{3,90}}"
_TWO_SENTENCES = rf"(?i)(?:^|[.,?]\s+|\n\s*){_IN_WORDS}[.]\s+(?:also |then )?{_IN_WORDS}[.]?\s*$"
_GOES_ON = r"(?i)\b(?:sum|product|difference|total|remainder|quotient|ratio|these|this|that|such|result|it)\b[^.?!]*[.?]?\s*$"
_CHAIN = (
    r"(?i)\band (?:then )?(?:also )?(?:find|determine|calculate|compute|express|write|give|simplify) [^.?!]*"
    r"\b(?:resulting|this|that|these|remainder|results?|answer|obtained|found|in the form|simplest|it|them|sum of (?:its|the|all))\b"
)
"""A second step with the outcome of the first."""
_STEP = VERBS.replace("|add|subtract|multiply|divide|complete|fill|choose|arrange|place|select", "")
_LABELED_TASK = (
    rf"(?s)(?:^|\n|[.;:?!。；：？]\s*|\\\\\s*)\$?[(（]?(?:1|i|I|a|A|①)[)）.、:：][^\n]{{0,400}}.*?"
    rf"(?:\n|[.;?!。；？,，]\s*|\\\\\s*)\$?[(（]?(?:2|ii|II|b|B|②)[)）.、:：]\$?\s*[^\n.?!。？]{{0,80}}?\b"
    rf"(?i:{_STEP}|what|how|prove|show|求|证|计算|若|写)\b"
    r"|(?i:\bpart (?:1|a|i|one)\b.*\bpart (?:2|b|ii|two)\b)|(?i:\bquestion (?:1|one)\b.*\bquestion (?:2|two)\b)"
)
_TASK_THEN_LABEL = rf"(?s)(?:^|\n)\s*\$?[(（]?(?:1|①)[)）.]\$?\s*(?i:{VERBS}|what|how|求|计算)\b.*\n\s*\$?[(（]?(?:2|②)[)）.]"
_FORMULAS = (
    # One formula per part, under a common task.
    r"^\s*(?:Calculate|Compute|Simplify|Evaluate|Solve|Factori[sz]e|计算|化简|解方程)"
    r"(?: (?:the|each|of|these|following|expressions?|equations?|inequalit(?:y|ies))){0,4}\s*[:：.]?\s*"
    r"\$?[(（](?:1|①)[)）].*[\n;；]\s*\$?[(（](?:2|②)[)）]"
)
_START = r"(?:^|[\n.;:?!,，。；：？]|\\\\)[\s\-*•]*(?:\\+\(|\$)?\s*"


def _label(signs: str) -> str:
    """A part's sign after the end of a sentence, "(2)", or at the beginning of a line, "2." and "ii)"."""
    return rf"(?:{_START}[(（]\s?(?:{signs})\s?[)）]|(?:^|\n)[\s\-*•]*\$?(?:{signs})[)）.、])"


_FIRST, _NEXT = _label("1|i|I|a|A|①|Ⅰ"), _label("2|ii|II|b|B|②|Ⅱ")
_TASK = rf"(?:(?i:\b(?:{RESULT}|solve|prove|what|how (?:many|much|long|far)|write)\b)|求|证|计算)"
_UNION = (
    # Both parts hold a task of their own.
    rf"(?s){_FIRST}.*?{_TASK}.*?{_NEXT}.*?{_TASK}",
    # A blank in one of them.
    rf"(?s){_FIRST}.*?(?:{BLANK}).*?{_NEXT}.*?(?:{_TASK}|{BLANK})",
    rf"(?s){_FIRST}.*?{_TASK}.*?{_NEXT}.*?(?:{BLANK})",
    # The task stands before the parts: "find: (1) the value of a; (2) the value of b".
    rf"(?s)(?i:\b(?:{RESULT}|solve|simplify|factor(?:i[sz]e)?)(?: the following| separately| each of the following| respectively)?)"
    rf"\s*[:：,.]?{_FIRST}.*{_NEXT}",
    # One question for several situations.
    rf"(?s)(?i:\b(?:in|under|for|with|meeting|given) (?:each of )?the (?:following|listed) (?:different )?(?:conditions|cases|situations|requirements|scenarios|circumstances))"
    rf"\s*(?:below)?[?？]{_FIRST}.*{_NEXT}",
)
_LISTED_VALUES = (
    rf"(?s){_FIRST}\$?\s*(?i:the) (?:number|probability|values?|maximum|minimum|equation|area|length|size|range|coordinates|distance|sum) .*"
    rf"{_NEXT}\$?\s*(?i:the) (?:number|probability|values?|maximum|minimum|equation|area|length|size|range|coordinates|distance|sum) "
)
"""Parts that only name what is wanted; with a task elsewhere they are conditions."""
_SEVERAL = r"[,;，；、]|(?i)\band\b|\bor\b|\\pm|±|\bto\b|\n|:|\\\\"
"""What separates the items of an answer that holds several."""


def _is_single() -> pl.Expr:
    return ~has(ANSWER, _SEVERAL)


def has_two_blanks() -> pl.Expr:
    return (count(PROBLEM, BLANK) >= 2) & _is_single()


def asks_two_questions() -> pl.Expr:
    """Two questions, or one and a task after it; a question that is quoted or referred to is none."""
    quoted = count(PROBLEM, r"[?？][\"”'’]").cast(pl.Int64)
    n_questions = count(PROBLEM, _QUESTION).cast(pl.Int64) - quoted
    then = r"(?i)[?？]\s*(?:\([^()]*\)\s*)?(?:also|then|and|find|determine|calculate|compute)\b"
    two = (n_questions >= 2) & ~has(PROBLEM, _FORMER)
    goes_on = (n_questions >= 1) & (count(PROBLEM, _IMPERATIVE) >= 1) & has(PROBLEM, then)
    return (two | goes_on) & _is_single()


def asks_two_things() -> pl.Expr:
    """Two things in one sentence, or in two."""
    several = (
        (has_any(PROBLEM, _SECOND) & ~has(PROBLEM, _CHAIN))
        | (has(PROBLEM, _TWO_SENTENCES) & ~has(PROBLEM, _GOES_ON))
        | (has(PROBLEM, _RESPECTIVELY) & ~has(PROBLEM, _GIVEN_RESPECTIVELY))
    )
    return several & _is_single()


def finds_another() -> pl.Expr:
    return has(PROBLEM, _AND_FIND) & ~has(PROBLEM, _CHAIN) & _is_single()


def asks_what_two_are() -> pl.Expr:
    return has(PROBLEM, _WHAT_ARE) & ~has(PROBLEM, _CHAIN) & _is_single()


def has_labeled_parts() -> pl.Expr:
    listed = has(PROBLEM, _LISTED_VALUES) & ~has(PROBLEM, rf"{_TASK}|[?？]")
    return has_any(PROBLEM, (_LABELED_TASK, _TASK_THEN_LABEL, *_UNION, _FORMULAS)) | listed


SEVERAL = (
    Screen(has_two_blanks, r"_|quad|underline|\(\s|（"),
    Screen(asks_two_questions, r"[?？]\s*[^\s\"”’)]"),
    Screen(
        asks_two_things,
        r"(?i)and (?:list|its|their|of|also|separately|then|find|determine|calculate|compute|what|how|the|an?|each|one) |\band, |\band (?:of )?\$?\\?[a-z]\$?(?:[ .,?]|$)"
        r"|(?:minimum|maximum|smallest) and |\$,? and |(?:are|were) the [^?]* and |also|respectively|separately|of the following|the (?:two|three|four|five|six|seven|eight|\d|other|remaining) "
        r"|(?:are|were) (?:the|these|those|two|three|four|numbers|integers)|moreover|furthermore|additionally"
        rf"|[.]\s+(?:also |then )?{RESULT} ",
    ),
    Screen(
        finds_another, r"(?i)\band (?:also |then )?(?:find|determine|calculate|compute) (?:the|its|all)\b"
    ),
    Screen(asks_what_two_are, r"(?i)\bwhat (?:are|were) "),
    Screen(has_labeled_parts, r"(?:2|ii|II|b|B|②|Ⅱ)\s?[)）.、:：]|(?i)part |question "),
)
"""What asks for several things."""
