r"""What a problem asks for: a value, yes or no, a way of doing something, a program, nothing.

Patterns are those of Rust's regex, which polars uses: linear time, no look-around.
"""

import polars as pl

from curation.screens.patterns import Screen, has

VERBS = (
    r"(?:find|determine|calculate|compute|evaluate|solve|simplify|prove|express|factor(?:ize|ise)?|expand|convert"
    r"|estimate|minimi[sz]e|maximi[sz]e|differentiate|integrate|work out|deduce|obtain|identify|list|count"
    r"|write|give|state|name|rewrite|reduce|round|approximate|enter|add|subtract|multiply|divide|complete|fill|choose|arrange|place|select|predict|design|construct|create)"
)
WH = r"(?:what|how|which|who|when|where|whose|why)"
_ZH = r"求|证|计算|多少|几|什么|是否|化简|解方程|若|则|写|问"
BLANK = (
    r"(?:\\?_[ \\]?){2,}|\\underline\s*\{\s*(?:\\(?:hspace|qquad|quad|text|phantom)[^}]*\}?|\s*)\s*\}"
    r"|\$\s*\\q?quad\s*\$|\\qquad\s*[.。]|\(\s*\$\s*\)\s*\$?|(?:\\\(|\()\s*(?:\\q?quad\s*|\\ )+\s*(?:\\?\)|\.)|\(\s+\)|\(\s*_\{\}\s*\)|（\s*）"
)

PROBLEM, ANSWER = pl.col("problem"), pl.col("answer")

_IN_WORDS = (
    rf"(?i)\b{VERBS}\b|\b{WH}\b|[?？]|{BLANK}|{_ZH}|\b(?:is|are|equals?|be|to|as|of|by|=|than)\s*[:：.…]*\s*\$?\s*$"
    r"|\b(?:combine|rationali[sz]e|use|get|decompose|apply|transform|translate|show|order|rank|check|change|derive|verify"
    r"|cancel|collect|substitute|describe|compare|explain|discuss|sketch|draw|plot|graph|need|can you|represent|(?:to|must|should) be (?:determined|found|calculated|computed|evaluated)|answer in|ways (?:to|of|in which))\b|[▲□]|^(?:[^A-Za-z]|\\[A-Za-z]+)+$"
    r"|[^.!。)）\]$\s]\s*$|\bis:?\s*\n"
    r"|=\s*(?:\$|\\+[)\]])?\s*\.?\s*$|\\boxed\s*\{"
)
HAS_TASK = has(PROBLEM, rf"{_IN_WORDS}|[=+\-*/^]")
"""Asks for something, be it only by a formula."""
_NAMES = (
    r"(?i)^\W*(?:given [^.?!]{3,80}, )?(?:the )?(?:\w+ ){0,3}?(?:number|sum|product|quotient|difference|coefficient|value|area|volume|length|probability|maximum|minimum"
    r"|largest|smallest|greatest|least|ratio|distance|remainder|perimeter|average) [^?]*?[.]?\s*$|\b(?:plus|minus|divided by)\b"
)
_SAYS = r"(?i)\b(?:is|are|was|were|equals?)\s+(?:equal to |known |denoted |given |shown )?(?:[$\\(-]|\d)|\b(?:was|were) shown\b|\bcan be calculated by\b|\b(?:is|are) (?:to be|known|shown|given)\b|\.\s+\S"
"""One noun phrase is a task: "The number of integers from 1 to 2002 that contain one digit 0."."""
_STATES = (
    r"(?i)\b(?:is|are|equals?)\s+(?:equal to\s+)?\$[^$]{0,80}[^$=]\$\s*\.\s*$"
    r"|(?:^|\.\s+)(?:given that|it is (?:also )?(?:given|known)) [^.?]*\.\s*$|\b(?:is|are) denoted (?:as|by) [^.?]*\.\s*$"
)
"""Ends with what is given, or with the value itself."""

_LAST_YES_NO = (
    r"(?i)(?:^|[.;:?!？,]\s+|\n\s*|\bthen,?\s+)(?:is|are|was|were|does|do|did|can|could|will|would|has|have|must|should)"
    r"(?:n't)? [^.?!？\n]{3,300}[?？]\W*$"
    r"|\bis it (?:possible|true|always|necessar\w+|correct)\b[^.?!]{0,300}[?？]?\W*$"
    r"|\b(?:does|do) there (?:exist|always)\b[^.?!]{0,300}[?？]\W*$"
    r"|\b(?:determine|decide|check|tell|state|find out|verify|say) (?:whether|if)\b"
    r"|\btrue or false\b|\byes or no\b|是否[^。？?]{0,60}[？?]?\s*$|吗[？?]\s*$|判断"
)
ASKS_VALUE = (
    rf"(?i)\b{WH}\b[^.?!]*[?？]|(?s)\b(?:what|how)\b.{{0,400}}[?？]|\bfind (?:all|the|how|\$?[a-z]\$?)\b"
    rf"|\bhow many\b|\bdetermine (?:all|the)\b|\bcalculate\b|\bcompute\b|{BLANK}"
)


YES_NO_HINT = (
    r"(?i)whether|true or false|yes or no|是否|吗|判断|\bis it |(?:determine|decide|check|tell|state|find out|verify|say) if|there (?:exist|always)"
    r"|(?:^|[.;:?!？,]\s+|\n\s*|then,?\s+)(?:is|are|was|were|does|do|did|can|could|will|would|has|have|must|should)(?:n't)? "
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
    rf"|\bfind (?:all|the|how)\b|\bcalculate\b|\bcompute\b|{BLANK}"
)
_ASKS_BEST = r"(?i)\b(?:least|fewest|minimum|minimal|smallest|maximum|most|greatest|largest|shortest) "
_CONSTRUCTION = (
    r"(?is)(?:^|[.!?;]\s+|\n\s*)(?:construct|draw|inscribe|erect|reconstruct) (?:an? |the |such |two |three |on |in |with |through "
    r"|using |from )[^.?!]*[.!]?\W*$|\busing (?:only |just )?(?:an? |the )?(?:compass(?:es)?|ruler|straight-?edge)\b"
)
_ASKS_OF_CONSTRUCTION = (
    r"(?i)\b(?:then|ratio|equals|equal to|determine|solve|evaluate|find|prove|express)\b|\bis\W*$|[?=]\W*$"
)
_CODE = (
    r"(?i)\b(?:write|implement|generate) (?:a|an|the|your)? ?(?:\w+ ){0,3}"
    r"(?:program|python (?:function|code|script)|(?:code|script|class) (?:that|to|for|which|in)|subroutine)\b|\bdef \w+\(|\bimport \w+\b.*\bdef\b"
    r"|\bstdin\b|\bstandard input\b|\binput format\b|\bsample input\b|\btest cases?\b.*\b(?:output|print)\b"
)
_CODE_ANSWER = r"(?i)^\s*\{.*[\"']?(?:inputs|outputs|assert_case|fn_name)[\"']?\s*:|\bdef \w+\(|\bassert \w+"


def asks_for_program() -> pl.Expr:
    asks_value = has(PROBLEM, r"(?i)\bwhat (?:is|are|will|does)\b|\bhow many\b|\bfind the\b")
    return has(PROBLEM, _CODE) & ~asks_value


def is_code_answer() -> pl.Expr:
    return has(ANSWER, _CODE_ANSWER)


CODE = (
    Screen(is_code_answer),
    Screen(asks_for_program, r"(?i)program|python|code|script|class|subroutine|def |import |input|test case"),
)
"""Tasks of programming."""


def asks_for_method() -> pl.Expr:
    """A way of doing something or a drawing is asked for, and no number of it."""
    how = has(PROBLEM, _ASKS_HOW) & ~has(PROBLEM, _ASKS_BEST)
    drawn = has(PROBLEM, _CONSTRUCTION) & ~has(PROBLEM, _ASKS_OF_CONSTRUCTION)
    return (how | drawn) & ~has(PROBLEM, _ASKS_NUMBER)


_ASKS_WHY = r"(?i)\bwhy\b[^.?!]*\?\W*$|\b(?:find out|tell|say|see|work out|show|reason) (?:\w+ )?why\b[^.?!]*[.!]?\W*$"
_ASKS_EXAMPLE = (
    r"(?i)\b(?:provide|write|find|name|create|come up with|construct) (?:an|one|at least one|some|any) (?:such )?examples?\b"
    r"|\bcreate (?:at least )?one (?:version|variant)\b|(?:^|[.?!]\s+)(?:please )?(?:attempt|try) to (?:obtain|represent|express|write|arrange|place|divide|cut)\b"
)
_SCORED = (
    r"(?i)\ban estimate (?:of )?(?:\$|\\\()?[A-Z]\b[^.]{0,20} (?:earns?|will (?:earn|receive)|receives?|gets?)\b|\byour score (?:on this problem |for this problem )?will be\b"
    r"|\byou will (?:receive|earn|get) [^.$]{0,20}\$[^$]*(?:\\max|\\min|\\lfloor|\\ln|\||\\mid)[^.]{0,200} points\b|\bcorrect answer is \$?[A-Z]\$?, (?:then )?you\b|\bis worth only \d+ points\b"
)
"""A guess is asked for, and its distance from the answer is scored."""
_EXAMPLE_OF = r"(?i)\b(?:sum|product|smallest|largest|least|greatest|how many|number of)\b"


def is_open_ended() -> pl.Expr:
    """To be explained or drawn, with no value asked for."""
    asks_more = r"(?i)\b(?:find|determine|calculate|compute|write down|enter|solve|evaluate)\b"
    return has(PROBLEM, _OPEN) & ~has(PROBLEM, ASKS_VALUE) & ~has(PROBLEM, asks_more)


def asks_for_reason() -> pl.Expr:
    asked = r"(?i)\b(?:what|how)\b[^.?!]*\?|(?:^|[.?!]\s+)(?:find (?:the|all|how|\$|\\)|determine|calculate|compute|solve|evaluate)\b"
    return has(PROBLEM, _ASKS_WHY) & ~has(PROBLEM, asked)


def asks_for_example() -> pl.Expr:
    return has(PROBLEM, _ASKS_EXAMPLE) & ~has(PROBLEM, _EXAMPLE_OF)


def is_scored_by_distance() -> pl.Expr:
    return has(PROBLEM, _SCORED)


OPEN = (
    Screen(
        is_open_ended,
        r"(?i)sketch|explain|describe|justify|discuss|interpret|graph|plot|illustrate|compare|draw|example|own words|write an? |construct",
    ),
    Screen(asks_for_method, r"(?i)how |construct|draw|inscribe|erect|ruler|straight-?edge|compass"),
    Screen(asks_for_reason, r"(?i)why"),
    Screen(is_scored_by_distance, r"(?i)estimate|your score|points"),
    Screen(asks_for_example, r"(?i)example|version|variant|attempt|try to"),
)
"""Tasks without one answer."""


_CHATTER = (
    r"(?i)^\W*(?:i'?m (?:sorry|afraid)|i am (?:sorry|afraid)|sorry,|i apologi[sz]e|i (?:can'?t|cannot) |as an ai\b|sure[,!]|certainly[,!]"
    r"|of course[,!]|thank(?:s| you)\b|(?:it|there) (?:seems|appears|looks) (?:like |to be |that )"
    r"|your (?:question|suggestion|request|message|problem)\b|please provide\b|the (?:text|problem|question) (?:you|provided|is incomplete|is missing|was)"
    r"|here(?:'s| is) (?:the|a|your|my) (?:translat|answer|solution|revised|corrected|problem)|i (?:understand|believe|think) (?:that|you|your|there|this|it|the (?:question|problem|text|answer))\b)"
    r"|\b(?:let me know if|i hope this helps|feel free to ask|could you please (?:provide|clarify))\b"
    r"|\b(?:statements?|sayings|conditions|clues|data|rules) (?:are|were|is)(?: as follows)?\s*:\s*$|\bthe following(?: \w+)?\s*[:.]\s*$"
    r"|\bproblem statement (?:is )?(?:missing|not provided|incomplete)\b|^\W*(?:deleted|removed|duplicate|test)\W*$"
)


def is_no_problem() -> pl.Expr:
    """Chatter of a model, or a text that asks for nothing."""
    is_named = has(PROBLEM, _NAMES) & ~has(PROBLEM, _SAYS)
    return (
        has(PROBLEM, _CHATTER)
        | (~HAS_TASK & ~is_named)
        | (has(PROBLEM, _STATES) & ~has(PROBLEM, rf"{_IN_WORDS}|\\ \$"))
    )
