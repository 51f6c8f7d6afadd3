"""Answers that cannot be compared, and problems that hold their answer."""

import polars as pl

from curation.screens.patterns import Screen, count, has
from curation.screens.tasks import ASKS_VALUE

PROBLEM, ANSWER, WRITTEN = pl.col("problem"), pl.col("answer"), pl.col("written")

YES_NO = (
    r"(?i)^\W*(?:\\text\{)?\W*(?:yes|no|true|false|correct|incorrect|possible|impossible|converge[sd]?|convergent|diverge[sd]?|divergent|(?:in)?consistent|even|odd|right|wrong|是|否|不是|对|错|正确|错误|不能|能|可以|不可以)"
    r"(?:\W*$|[,.;:!]\s|\s+(?:because|since|it|he|she|they|there|this|the|as|for)\b)"
)
PLACEHOLDER = (
    r"(?i)^[\s\W]*$|^\W*(?:\\text\{)?\W*(?:n/?a|none(?: given)?|null|nan|unknown|undefined answer|see (?:the )?(?:solution|above|below|proof|figure|graph)"
    r"|not ?found|not (?:given|provided|available|applicable|specified|sure)|proof|proofs?|proven|proved|q\.?e\.?d\.?|to ?do|tbd|omitted"
    r"|no answer(?: (?:given|provided|found))?|no solution (?:provided|given|found)|unsolved|unanswerable|missing|error|answers? (?:will |may )?var(?:y|ies)"
    r"|varies|answer|solution|explanation|incomplete|image|graph|diagram|sketch|略|无|证明|见解析|答案)\W*$"
)
_SENTENCE_START = (
    r"(?i)^\W*(?:since|let|we|it|by|because|therefore|note|first|prove|show|assume|suppose|consider|given|thus|hence|to|if|this|in order)\b"
    r"(?:\s+\S+){3,}"
)
_HEADING = r"[:：]\W*$|(?i)^\W*(?:step \d|(?:final|last|next) step\b|(?:part|case|scenario) \(?\w\)?\s*:|conclusions?\b|explanation\b)"
"""A heading of the worked solution in place of its result."""
_SAYS = r"(?i)[}$)a-z] (?:is|are) (?:an?|the|not|always|never) [a-z]{3,}"
"""Says something of a thing: "S is an increasing sequence"."""
_WORD = r"(?:^|[\s(])[A-Za-z][a-z'’]+\b"
_COMMANDS = r"\$[^$]*\$|\\\([^)]*\\\)|\\(?:text|mathrm|operatorname|textbf)\s*\{[^{}]*\}|\\[A-Za-z]+"

_HELD = (
    r"(?s)(?:\b(?:is|are|be|for|weighs|get|obtain|to|than|total of|answer|solution)\b|[=:*]|\\Rightarrow|\\implies|∴)"
    r"[\s$*.:\\(]*\\boxed\s*\{\s*(?:\\[a-z]+\s*\{?\s*)*[-+(（]?\s*(?:\d|[A-Za-z]\s*\})"
)
_FOLD_OUT = r"(?i)<summary>\s*(?:answer|solution|hint|proof)"
_ASKED_AFTER = (
    r"(?is)\\boxed[^?？]*(?:[?？]|\b(?:what|how many|which|find|determine|calculate|compute)\b)[^?？]*$"
)
"""A box in the text that is no result: a question follows it."""
_BOXED = r"\\boxed\s*\{\s*(?:\\[a-z]+\s*\{?\s*)*[-+(（]?\s*\d"
_ASKED = r"(?i)[?？]|\b(?:what|how many|which|find|determine|calculate|compute|evaluate|solve)\b"
_ANSWER_LINE = (
    r"(?i)(?:^|[\s(\[*{.])(?:(?:the |final |correct )*(?:answers?|ans)(?: (?:is|to the problem is))?\s*[:：=]|ans\.)"
    r"\s*[*$(\[\\]{0,3}[-+\d\\$A-Za-z][^\n?]{0,60}[\])*.$]{0,3}\s*$"
    r"|[(\[](?:the )?answers?(?: is)?\s*[:：=]?\s*[-+]?\s*[\d\\$][^\n)\]]{0,40}[)\]]|答案\s*[:：]\s*\S"
)
_SHOWN = (
    r"(?i)\b(?:show|verify|prove|check|confirm|demonstrate|deduce) (?:that )?(?:it|this|the (?:answer|result|value|sum|expression|product))"
    r" (?:is|equals|simplifies to|must be) [-+\d$\\\\(]"
)
_PROOF = (
    r"\bProve (?:that|the|your|if|or|it|algebraically|by|there|each|every|for)\b|\bprove or disprove\b"
    r"|(?:^|\n|[.,;:$?]\s)\s*(?:\(\w+\)\s*)?Prove\b|\bShow that\b"
    r"|\b(?:Verify|Demonstrate|Disprove) (?:that|the identity)\b|证明|求证"
)
_ALSO_PROOF = r"\bprove (?:that|the|your|if|it|algebraically|by|there|each|every|for)\b|\b(?:and|then|to|,|;|:) show (?:that|why)\b|(?:^|\n|[.,;:]\s)\s*(?:\(\w+\)\s*)?show that\b"


_BOX = r"\\boxed\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_WANTS_LIST = (
    r"(?i)\bseparated by\b|\ball (?:the |possible |real |complex |such |integer |positive )*(?:values?|solutions?|roots|points|angles"
    r"|numbers|integers|\$|[a-z]\$?\b)|\bpossible values\b|\bpoints? where\b|\bmultiple solutions\b"
)
_COMBINED = (
    r"(?i)\b(?:find|compute|what is|determine|calculate) the (?:sum|product|number|difference|remainder|total|largest|smallest)\b"
    r"|\bfind \$?[a-z] ?[+] ?[a-z]"
)
_LIST_MARK = r"[,;]|\band\b|\bor\b|\\pm|±"


def is_part_of_answer() -> pl.Expr:
    """Several values are asked for, the worked solution boxes them one by one, and the reference is one."""
    boxes = (
        pl.col("solution")
        .str.extract_all(_BOX)
        .list.eval(
            pl.element().str.replace_all(r"\\[dt]frac", r"\frac").str.replace_all(r"\s|\^\\circ|\\!", "")
        )
    )
    bare = ANSWER.str.replace_all(r"\([^()]*\)", "")
    wants_list = has(PROBLEM, _WANTS_LIST) & ~has(PROBLEM, _COMBINED)
    return wants_list & (boxes.list.n_unique() >= 2) & ~has(bare, _LIST_MARK)


def is_placeholder() -> pl.Expr:
    return has(ANSWER, PLACEHOLDER)


def is_prose() -> pl.Expr:
    """A sentence, or more words than a value with its unit has."""
    bare = ANSWER.str.replace_all(_COMMANDS, " ")
    words = count(bare, _WORD)
    return (
        (words >= 6)
        | has(ANSWER, _SENTENCE_START)
        | has(ANSWER, _HEADING)
        | has(ANSWER, _SAYS)
        | ((words >= 3) & has(ANSWER, r"[a-z]{2,}\.\s+[A-Z]"))
    )


def boxes_answer() -> pl.Expr:
    """A result stands in a box, and no question comes after it; or in a part that folds out."""
    states = has(WRITTEN, _HELD) & ~has(WRITTEN, _ASKED_AFTER)
    return states | (has(WRITTEN, _BOXED) & ~has(WRITTEN, _ASKED)) | has(WRITTEN, _FOLD_OUT)


def states_answer() -> pl.Expr:
    """The answer stands in a line "Answer: 4000", or after "show that it is"."""
    return has(PROBLEM, _ANSWER_LINE) | has(PROBLEM, _SHOWN)


REVEALED = (
    Screen(boxes_answer, r"boxed|(?i)summary", "written"),
    Screen(
        states_answer, r"(?i)ans(?:wer|\.)|答案|show |verify |prove |check |confirm |demonstrate |deduce "
    ),
)
"""What holds its own answer."""


def is_yes_no() -> pl.Expr:
    return has(ANSWER, YES_NO)


PROOF_HINT = r"(?i)prove|show|verify|demonstrate|证明|求证"


def asks_for_proof() -> pl.Expr:
    """A proof is asked for; "find all, and show that there are no others" has a value as well."""
    weak = has(PROBLEM, _ALSO_PROOF) & ~has(PROBLEM, ASKS_VALUE)
    return has(PROBLEM, _PROOF) | weak
