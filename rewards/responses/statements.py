r"""Explicit statements of the answer: "The answer is 5.", "**Answer:** 5", "#### 5", "Option B is
correct", "答案是 5".

>>> last_statement("I think 4. The final answer is:\n\n$$12$$"), last_statement("Answer: 12, so we are done.")
('$$12$$', '12')
>>> last_statement("The answer is $12$ but could also be $13$."), last_statement("the result was 5")
('$12$ but could also be $13$', None)
"""

import re

STATEMENT_CHARS = 20_000
"""A statement is searched for in this many characters from the end."""
MAX_CHARS = 2_500
"""Longest statement that is read."""
_FOREIGN = (
    r"(?:respuesta|resposta|risposta|réponse|antwort|ответ|答え|正解|정답|답|đáp án|cevap|उत्तर|الجواب|الإجابة"
    r"|คำตอบ|jibu)"
    r"(?:\s(?!no\b|non\b|não\b|nicht\b|не\b)\w+)??"
    r"\s?(?:(?:es|é|è|est|ist|lautet|là|ni|هو|هي)\b|は|은|คือ|है|[:：—–])"
)
"""What the languages of multilingual benchmarks call an answer, and their "is"."""
_OPENING = re.compile(
    r"(?:answer|result|solution|choice|option)s?(?:,? then,?"
    r"|\s(?:to|of|for) (?:the|this) (?:question|problem))?\s?"
    r"(?:\s(?:is|are|equals|(?:should|must|would|will) be)\b|=|:|：)\s?(?:\*\*)?:?"
    r"|answer\*\*:?|####|答案\s?(?:是|为)?\s?[：:]?|\*\*answer\*\*:?"
    r"|(?:故|应|因此|所以|本题|正确)\s?(?:答案)?\s?选(?:择|项)?\s?(?:是|为)?\s?[：:]?|(?:^|[，,。])\s?选\s?[：:]?\s?(?=[(（]?[A-J])"
    rf"|{_FOREIGN}\s?(?:\*\*)?:?"
    r"|^[^\w\n]{0,8}(?:(?:the|my|final|correct) ){0,3}answer[^\w\n(\[\\$]{0,6}\n",
    re.IGNORECASE | re.MULTILINE,
)
_LETTER = re.compile(
    r"\b(?:option|choice|answer)?\s?\(?(?<![A-Za-z])(?P<letter>[A-J])\)?"
    r"\s(?:is|must be)\s(?:therefore |thus )?"
    r"(?:the\s)?(?:correct|right|best)\b(?! (?:if|unless|only|when))"
)
_LEADING = re.compile(r"(?:[\s*:：_`]|(?<=\n)>)*+(?:(?<=\n)[-•]\s)?")
_DETERMINER = r"(?:(?:the|my|our|your|this|that|final|correct|right|option|choice|answer)\s|[\s(*\"'“])*+"
_OPINION = r"(?:think|believe|assume|guess|expect|suspect)"
_CERTAINTY = (
    rf"(?:{_OPINION}|say|claim|conclude|argue|mean|imply|guarantee|prove|agree|accept|be|know|tell"
    r"|sure|certain|confident|convinced|true|correct|clear|right|the case)"
)
_DENIED = re.compile(
    r"(?:"
    r"(?:\bnot|n['’]t|\bcannot|\bnever|\bhardly|\bnobody|\bno one)"
    rf"(?:\s(?!hard|difficult|only|just)[\w%]+){{0,2}}?\s{_CERTAINTY}"
    rf"|\b(?:might|may|could|would)(?: (?:be tempted to|well|also|then|even))?\s{_OPINION}"
    r"|(?<!\bno )(?<!\bwithout )(?<!\bwithout a )\bdoubt"
    r"|\b(?:false|untrue|wrong|incorrect|impossible|a mistake|a lie)(?: to \w+)?"
    r"|\b(?:suppose|assume|imagine|pretend|if|unless|whether|assuming|supposing)"
    r")(?:\s(?:that|if|whether))?\s"
    rf"{_DETERMINER}$"
    r"|\b(?:wrong|incorrect|false|mistaken|erroneous|invalid|tempting)\s$|\b(?:nor|neither)\s(?:option\s|choice\s)?\(?$",
    re.IGNORECASE,
)
"""Before a statement, what denies it or leaves it open: "I don't think the", "if the", "an incorrect"."""
BEFORE_CHARS = 100
"""A denial is searched for in this many characters before a statement, up to the last end of a clause."""
_CLAUSE_END = re.compile(r".*[.,;:!?\n，。；：！？]", re.DOTALL)
_ADVERB = re.compile(
    r"(?:therefore|thus|hence|then|exactly|precisely|simply|just|indeed|clearly|obviously|definitely|certainly"
    r"|for sure|of course|equal to|given by|as follows)\b[\s,:]*",
    re.IGNORECASE,
)
_SCAN = re.compile(
    r"\$\$[^$]{1,2000}\$\$|\$[^$\n]{1,2000}\$|\\\((?:[^\\]|\\[^)]){1,2000}?\\\)|\\\[(?:[^\\]|\\[^\]]){1,2000}?\\\]"
    r"|\\(?:text|mathrm|textbf)\s?\{[^{}]{0,200}\}|[ap]\.\s?m\.|\\.|[(\[{]|[)\]}]"
    r"|(?P<end>\n|。|\.(?=\s|$|\*|</))"
    r"|(?P<tail>,\s+|，|;\s+|\s+[-–—]+\s+"
    r"|\s+(?=(?:because|since|which|as (?:required|claimed|desired|needed|expected))\b))",
)
_KEPT = re.compile(
    r"(?:and|or|but|nor|to|if|when|unless|assuming|provided|only|except|for|where|with|maybe|perhaps|possibly|though"
    r"|although|depending|approximately|about|roughly|per|not sure|unsure)\b|[^A-Za-z]",
    re.IGNORECASE,
)
"""What begins a tail that says something about the answer."""
_REASON = re.compile(
    r"(?:because|since|which|as (?:required|claimed|desired|needed|expected))\b", re.IGNORECASE
)
_NEGATION = re.compile(r"\b(?:not|cannot|never|no|rather than|instead of)\b|n['’]t\b", re.IGNORECASE)
_VALUE = re.compile(r"\d|[$\\=]|\b[B-HJ-Z]\b|\(?\b[A-J]\)")


def last_statement(text: str) -> str | None:
    """Return what the last explicit statement says, without what was only said about it; None without one."""
    tail = text[-STATEMENT_CHARS:]
    openings = [(match.start(), match.end(), "") for match in _OPENING.finditer(tail)]
    openings += [(match.start(), match.end(), match["letter"]) for match in _LETTER.finditer(tail)]
    for start, end, letter in sorted(openings, reverse=True):
        before = _CLAUSE_END.sub("", tail[max(0, start - BEFORE_CHARS) : start])
        if _DENIED.search(before.rstrip() + " "):
            continue
        start = _LEADING.match(tail, end).end()  # type: ignore[union-attr]
        stated = letter or _stated(tail[start : start + MAX_CHARS])
        if stated:
            return stated
    return None


def _stated(text: str) -> str:
    while adverb := _ADVERB.match(text):
        text = text[adverb.end() :].lstrip(" *:")
    return without_tail(text).strip(" *_`,;\t")


def without_tail(text: str) -> str:
    """Return the first sentence, without a tail that gives reasons, rules others out, or ends the
    solution."""
    depth = 0
    tails: list[tuple[int, int]] = []
    end = len(text)
    for match in _SCAN.finditer(text):
        token = match[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth = max(0, depth - 1)
        elif match["end"] is not None:
            end = match.start()
            break
        elif match["tail"] is not None and not depth:
            tails.append(match.span())
    for start, after in tails:
        if start and _is_remark(text[after:end]):
            return text[:start]
    return text[:end]


def _is_remark(tail: str) -> bool:
    """Tell whether a tail leaves the answer as it is: a reason, a contrast, or prose without any value."""
    if _REASON.match(tail):
        return True
    if _KEPT.match(tail) and not re.match(r"(?:but )?(?:not|n't) (?!sure)", tail, re.IGNORECASE):
        return False
    return bool(_NEGATION.search(tail)) or not _VALUE.search(tail)
