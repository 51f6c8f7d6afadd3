r"""The value that a sentence states: "The volume is 120" names a value, "There are 12 ways" gives one.

>>> sentence_value("The volume of $ABCD$ is 120"), sentence_value("There are exactly 12 ways")
(('volume of abcd', '120'), ('', '12 ways'))
>>> sentence_value("It may be 5") is None, sentence_value("The reward is 1") is None
(True, True)
"""

import re

from rewards.parsing.words import canonical_words, plain_text

MAX_CHARS = 400
_COPULA = re.compile(
    r"(?:\s|(?<=\}))(?:is|are|equals|has|have|had|needs?|takes?|costs?|requires?|contains?"
    r"|(?:must|should|will|would) be)"
    r"(?:\s+(?:equal to|exactly|precisely|therefore|thus))?(?=[\s:{])|是|为|等于"
)
_COUNTED = re.compile(
    r"(?:there (?:is|are|were|will be|exists?)"
    r"|(?:it|he|she|they|we|this) [a-z]+) (?:(?:exactly|only|a total of|in total) )?"
    r"(?P<value>(?:\d[\d,.]*|\$[^$]+\$|\\frac)\S*(?: [a-z]+){0,3})\W*",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"(?:[^\W\d_]|[\s'’(),-]|\$[A-Za-z'(),\s]{1,20}\$){2,160}")
"""Words and names; a subject with a formula in it is a statement itself."""
_DETERMINER = re.compile(r" (?:such|different|distinct|possible|other|more|total)\b")
_NO_SUBJECT = re.compile(
    r"\b(?:graders?|rewards?|score|credit|marks?|gold|reference|expected|if|unless|not|or|maybe|perhaps|possibly"
    r"|probably|wrong|incorrect|false|either|neither|never|no|either|hardly)\b|n['’]t\b|[不非没或若]|可能|也许|大概|大约|如果",
    re.IGNORECASE,
)
_HEDGE = re.compile(r"\b(?:not|never|between|about|least|most|or|either|neither|up to)\b", re.IGNORECASE)


def is_subject(text: str) -> bool:
    """Tell words that can name a value from a hedge and from talk about the grader."""
    is_plain = re.fullmatch(r"[A-Za-z][A-Za-z' -]{1,60}", text) is not None
    return is_plain and not (_NO_SUBJECT.search(text) or _HEDGE.search(text))


def sentence_value(text: str) -> tuple[str, str] | None:
    """Return the subject and the value of a sentence; None for text that is none, or hedges."""
    if len(text) > MAX_CHARS or not re.search(r"[A-Za-z]{2} |是|为|等于", text):
        return None
    plain = plain_text(text)
    counted = _COUNTED.fullmatch(plain)
    if counted and not _HEDGE.search(counted["value"]):
        return "", _DETERMINER.sub("", counted["value"]).rstrip(".")
    copulas = list(_COPULA.finditer(plain))
    if not copulas:
        return None
    subject, value = plain[: copulas[-1].start()], plain[copulas[-1].end() :].strip(" :").rstrip(".")
    if not _SUBJECT.fullmatch(subject) or _NO_SUBJECT.search(subject) or not value:
        return None
    return canonical_words(re.sub(r"\$", "", subject)), value
