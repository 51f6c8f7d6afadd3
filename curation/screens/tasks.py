r"""What a problem asks for: tasks, questions, blanks; several of them with one answer; yes or no; no task.

Patterns are those of Rust's regex, which polars uses: linear time, no look-around.
"""

import polars as pl

from curation.screens.patterns import count, has, has_any

VERBS = (
    r"(?:find|determine|calculate|compute|evaluate|solve|simplify|prove|express|factor(?:ize|ise)?|expand|convert"
    r"|estimate|minimi[sz]e|maximi[sz]e|differentiate|integrate|work out|deduce|obtain|identify|list|count"
    r"|write|give|state|name|rewrite|reduce|round|approximate|enter|add|subtract|multiply|divide|complete|fill|choose|arrange|place|select|predict|design|construct|create)"
)
_WH = r"(?:what|how|which|who|when|where|whose|why)"
_ZH = r"求|证|计算|多少|几|什么|是否|化简|解方程|若|则|写|问"
_BLANK = (
    r"(?:\\?_[ \\]?){2,}|\\underline\s*\{\s*(?:\\(?:hspace|qquad|quad|text|phantom)[^}]*\}?|\s*)\s*\}"
    r"|\$\s*\\q?quad\s*\$|\\qquad\s*[.。]|\(\s+\)|（\s*）"
)

PROBLEM, ANSWER = pl.col("problem"), pl.col("answer")

N_BLANKS = count(PROBLEM, _BLANK)
HAS_TASK = has(
    PROBLEM,
    rf"(?i)\b{VERBS}\b|\b{_WH}\b|[?？]|{_BLANK}|{_ZH}|\b(?:is|are|equals?|be|to|as|of|by|=|than)\s*[:：.…]*\s*\$?\s*$"
    r"|\b(?:combine|rationali[sz]e|use|get|decompose|apply|transform|translate|show|order|rank|check|change|derive|verify"
    r"|cancel|collect|substitute|describe|explain|discuss|sketch|draw|plot|graph|need|can you)\b"
    r"|[^.!。)）\]$\s]\s*$|[=+\-*/^]|\bis:?\s*\n",
)
"""Asks for something, be it only by a formula."""

_QUESTION = rf"(?i)\b{_WH}\b[^.?!？]{{3,400}}[?？]"
_FORMER = (
    r"(?i)above question|unknown variable|following question|this question|that question|previous question"
)
_IMPERATIVE = rf"(?i)(?:^|[.;?!？。；]\s+|\n\s*)(?:then |also |and |next |finally |hence |now )*,?\s*{VERBS} [^.?!\n]{{3,}}"
_SECOND = (
    r"(?i)\band then list\b",
    r"(?i)\b(?:values?|lengths?|measures?|areas?|coordinates|equations?) of \$[^$]{1,40}\$,? and (?:of )?"
    r"\$[^$]{1,40}\$\s*[.,?]?\s*$",
    rf"(?i)\b(?:{VERBS})\b [^.?!\n]{{3,160}}\band (?:its|their) [a-z]+\s*[.?]?\s*$",
    rf"(?i)\b(?:{VERBS})\b (?:all )?(?:of )?the (?:two|three|four|five|six|seven|eight|\d) (?:\w+ ){{0,3}}"
    r"(?:roots|solutions|zeros|zeroes|values|numbers|integers|vertices|angles|points)\b",
    r"(?i)\b(?:lengths?|measures?|values?|areas?) of \$?\\?[A-Za-z]{1,2}\$? and (?:of )?\$?\\?[A-Za-z]{1,2}\$?(?:[.,?]|$)",
    r"(?i)\b(?:and|also|additionally|furthermore|moreover),? (?:separately|also (?:find|determine|calculate)"
    r"|(?:what|how (?:many|much|long|far|old))\b[^.?!]{3,200}[?？])",
    rf"(?i)\b(?:{VERBS})\b[^.?!\n]{{3,200}}\band (?:also |then )?(?:find|determine|calculate|compute) (?:the|its|all)\b",
    r"(?i)\bseparately for\b|(?:find|determine|calculate|compute|evaluate|solve|simplify)[^.?!]{0,40}\beach of the following\b"
    r"|\bboth (?:of )?the following\b",
    r"(?i)\b(?:find|determine|compute|calculate) (?:the )?(?:values? of )?\$?\\?[a-z]\$? and (?:of )?\$?\\?[a-z]\$?(?:[ .,]|$)",
)
_CHAIN = (
    r"(?i)\band (?:then )?(?:also )?(?:find|determine|calculate|compute|express|write|give|simplify) [^.?!]*"
    r"\b(?:resulting|this|that|these|remainder|results?|answer|obtained|found|in the form|simplest|it|them|sum of (?:its|the|all))\b"
)
"""A second step with the outcome of the first."""
_LABELED_TASK = (
    rf"(?s)(?:^|\n|[.;:?!。；：？]\s*|\\\\\s*)\$?[(（]?(?:1|i|I|a|A|①)[)）.、:：][^\n]{{0,400}}.*?"
    rf"(?:\n|[.;?!。；？,，]\s*|\\\\\s*)\$?[(（]?(?:2|ii|II|b|B|②)[)）.、:：]\$?\s*[^\n.?!。？]{{0,80}}?\b"
    rf"(?i:{VERBS}|what|how|prove|show|求|证|计算|若|写)\b"
    r"|(?i:\bpart (?:1|a|i|one)\b.*\bpart (?:2|b|ii|two)\b)|(?i:\bquestion (?:1|one)\b.*\bquestion (?:2|two)\b)"
)
_TASK_THEN_LABEL = rf"(?s)(?:^|\n)\s*\$?[(（]?(?:1|①)[)）.]\$?\s*(?i:{VERBS}|what|how|求|计算)\b.*\n\s*\$?[(（]?(?:2|②)[)）.]"
_FORMULAS = (
    # One formula per part, under a common task.
    r"^\s*(?:Calculate|Compute|Simplify|Evaluate|Solve|Factori[sz]e|计算|化简|解方程)"
    r"(?: (?:the|each|of|these|following|expressions?|equations?|inequalit(?:y|ies))){0,4}\s*[:：.]?\s*"
    r"\$?[(（](?:1|①)[)）].*[\n;；]\s*\$?[(（](?:2|②)[)）]"
)
_SEVERAL = r"[,;，；、]|(?i)\band\b|\bor\b|\\pm|±|\bto\b|\n|:|\\\\"
"""What separates the items of an answer that holds several."""


SEVERAL_HINT = (
    r"then list|and its |and their |\$,? and (?:of )?\$|the (?:two|three|four|five|six|seven|eight|[2-9]) |(?:length|measure|value|area)s? of |[?？][^?？]*[?？]|__|\\_|q?quad|underline|\(\s+\)|（|(?:2|ii|II|b|B|②)[)）.、:：]|(?i)\$ and (?:of )?\$"
    r"|\band,? (?:also|find|determine|calculate|compute|what|how|separately|then|of)|also|separately"
    r"|of the following|part|question|(?:Calculate|Compute|Simplify|Evaluate|Solve|Factor|计算|化简|解方程)[^\n]{0,60}(?:1|①)"
    r"|[?？]\s*(?:then|and|find|determine|calculate|compute)|furthermore|moreover|additionally"
).replace(r"\b", r"(?-u:\b)")


def asks_several() -> pl.Expr:
    """Several blanks, questions or labeled parts, and one answer."""
    is_single = ~has(ANSWER, _SEVERAL)
    quoted = count(PROBLEM, r"[?？][\"”'’]").cast(pl.Int64)
    n_questions = count(PROBLEM, _QUESTION).cast(pl.Int64) - quoted
    n_tasks = count(PROBLEM, _IMPERATIVE)
    refers = has(PROBLEM, _FORMER)
    several = (
        (N_BLANKS >= 2)
        | ((n_questions >= 2) & ~refers)
        | (
            (n_questions >= 1)
            & (n_tasks >= 1)
            & has(
                PROBLEM, r"(?i)[?？]\s*(?:\([^()]*\)\s*)?(?:also|then|and|find|determine|calculate|compute)\b"
            )
        )
        | (has_any(PROBLEM, _SECOND) & ~has(PROBLEM, _CHAIN))
    )
    labeled = has(PROBLEM, _LABELED_TASK) | has(PROBLEM, _TASK_THEN_LABEL)
    return (several & is_single) | labeled | has(PROBLEM, _FORMULAS)


_LAST_YES_NO = (
    r"(?i)(?:^|[.;:?!？,]\s+|\n\s*|\bthen,?\s+)(?:is|are|was|were|does|do|did|can|could|will|would|has|have|must|should)"
    r"(?:n't)? [^.?!？\n]{3,300}[?？]\W*$"
    r"|\bis it (?:possible|true|always|necessar\w+|correct)\b[^.?!]{0,300}[?？]?\W*$"
    r"|\b(?:does|do) there (?:exist|always)\b[^.?!]{0,300}[?？]\W*$"
    r"|\b(?:determine|decide|check|tell|state|find out|verify|say) (?:whether|if)\b"
    r"|\btrue or false\b|\byes or no\b|是否[^。？?]{0,60}[？?]?\s*$|吗[？?]\s*$|判断"
)
ASKS_VALUE = (
    rf"(?i)\b{_WH}\b[^.?!]*[?？]|(?s)\b(?:what|how)\b.{{0,400}}[?？]|\bfind (?:all|the|how|\$?[a-z]\$?)\b"
    rf"|\bhow many\b|\bdetermine (?:all|the)\b|\bcalculate\b|\bcompute\b|{_BLANK}"
)


def asks_yes_or_no() -> pl.Expr:
    """The last question can be answered by yes or no, and nothing else is asked for."""
    return has(PROBLEM, _LAST_YES_NO) & ~has(PROBLEM, ASKS_VALUE)


_OPEN = (
    r"(?i)(?:^|[.?!]\s+|\n\s*)(?:\(\w\)\s*)?(?:please )?(?:sketch|explain|describe|justify|discuss|interpret|graph|plot"
    r"|illustrate|compare and contrast|draw (?:a|an|the) (?:graph|diagram|picture|figure|sketch))\b"
    r"|\b(?:explain|justify) (?:why|how|your)\b|\bgive (?:an|one|two|three|some) examples?\b|\bin your own words\b"
    r"|\bwrite (?:a|an) (?:(?:word|story) problem|proof|essay|story|paragraph)\b|\bconstruct an example\b"
)
_DOING = (
    r"(?:weigh|measure|cut|divide|split|dissect|draw|construct|arrange|place|connect|pour|fill|discover|determine|find"
    r"|distribute|colou?r|seat|move|cross|tie|build|make|restore|inscribe|fold|transport|tell|identify|check|obtain|win)"
)
_ASKS_HOW = (
    rf"(?i)\bhow (?:can|could|should|would|do|does|must|might|may) (?:\w+ ){{1,4}}?(?:be )?(?:\w+ )?{_DOING}(?:ed|d|n)?\b"
    rf"[^.?!]*[?]|\bhow (?:to|is it possible to) {_DOING}\b"
)
"""A way of doing something: no number says it, although references often repeat one of the problem."""
_ASKS_NUMBER = (
    r"(?i)\bhow (?:many|much|long|far|old|often|tall|high|wide|fast|big|large|deep|heavy)\b|\bwhat\b|(?:^|[.?!;,]\s+)(?:in |at |on )?which\b"
    rf"|\bfind (?:all|the|how)\b|\bcalculate\b|\bcompute\b|{_BLANK}"
)
_ASKS_BEST = r"(?i)\b(?:least|fewest|minimum|minimal|smallest|maximum|most|greatest|largest|shortest) "
_CONSTRUCTION = (
    r"(?is)(?:^|[.!?;]\s+|\n\s*)(?:construct|draw|inscribe|erect|reconstruct) (?:an? |the |such |two |three |on |in |with |through "
    r"|using |from )[^.?!]*[.!]?\W*$|\busing (?:only |just )?(?:an? |the )?(?:compass(?:es)?|ruler|straight-?edge)\b"
)
_ASKS_OF_CONSTRUCTION = (
    r"(?i)\b(?:then|ratio|equals?|determine|solve|evaluate|find|prove|express)\b|\bis\W*$|[?=]\W*$"
)
_CODE = (
    r"(?i)\b(?:write|implement|generate) (?:a|an|the|your)? ?(?:\w+ ){0,3}"
    r"(?:program|python (?:function|code|script)|code|script|class|subroutine)\b|\bdef \w+\(|\bimport \w+\b.*\bdef\b"
    r"|\bstdin\b|\bstandard input\b|\binput format\b|\bsample input\b|\btest cases?\b.*\b(?:output|print)\b"
)
_CODE_ANSWER = r"(?i)^\s*\{.*[\"']?(?:inputs|outputs|assert_case|fn_name)[\"']?\s*:|\bdef \w+\(|\bassert \w+"


def is_code_task() -> pl.Expr:
    asks_value = has(PROBLEM, r"(?i)\bwhat (?:is|are|will|does)\b|\bhow many\b|\bfind the\b")
    return (has(PROBLEM, _CODE) & ~asks_value) | has(ANSWER, _CODE_ANSWER)


def asks_for_method() -> pl.Expr:
    """A way of doing something or a drawing is asked for, and no number of it."""
    how = has(PROBLEM, _ASKS_HOW) & ~has(PROBLEM, _ASKS_BEST)
    drawn = has(PROBLEM, _CONSTRUCTION) & ~has(PROBLEM, _ASKS_OF_CONSTRUCTION)
    return (how | drawn) & ~has(PROBLEM, _ASKS_NUMBER)


def is_open_ended() -> pl.Expr:
    asks_more = r"(?i)\b(?:find|determine|calculate|compute|write down|enter|solve|evaluate)\b"
    is_open = has(PROBLEM, _OPEN) & ~has(PROBLEM, ASKS_VALUE) & ~has(PROBLEM, asks_more)
    return is_open | asks_for_method()


_CHATTER = (
    r"(?i)^\W*(?:i'?m (?:sorry|afraid)|i am (?:sorry|afraid)|sorry,|i apologi[sz]e|i (?:can'?t|cannot) |as an ai\b|sure[,!]|certainly[,!]"
    r"|of course[,!]|thank(?:s| you)\b|(?:it|there) (?:seems|appears|looks) (?:like |to be |that )"
    r"|your (?:question|suggestion|request|message|problem)\b|please provide\b|the (?:text|problem|question) (?:you|provided|is incomplete|is missing|was)"
    r"|here(?:'s| is) (?:the|a|your|my) (?:translat|answer|solution|revised|corrected|problem)|i (?:understand|believe|think) )"
    r"|\b(?:let me know if|i hope this helps|feel free to ask|could you please (?:provide|clarify))\b"
    r"|\bproblem statement (?:is )?(?:missing|not provided|incomplete)\b|^\W*(?:deleted|removed|duplicate|test)\W*$"
)


def is_no_problem() -> pl.Expr:
    """Chatter of a model, or a text that asks for nothing."""
    return has(PROBLEM, _CHATTER) | ~HAS_TASK
