r"""Answer extraction as in Open-Reasoner-Zero's own code (see `rewards.orz.comparer`).

>>> find_answer(r"</think><answer>\boxed{1} then \boxed{2}</answer>")
'2'
"""

import re

_BRACE = re.compile(r"[{}]")


def find_answer(response: str) -> str:
    """Return the answer of a response, or "" when there is none.

    Matches the original's regular expression (an opening tag, anything, a box, anything, a closing tag) in
    linear time: takes the text from the first box after the first opening tag to the last brace before the
    last closing tag, and returns the content of the last box in it.
    """
    opened = response.find("<answer>")
    start = response.find("\\boxed{", opened) if opened >= 0 else -1
    closed = response.rfind("</answer>")
    end = response.rfind("}", start + 7, closed) if 0 <= start < closed else -1
    return unboxed(response[start : end + 1]) if end >= 0 else ""


def unboxed(text: str) -> str:
    r"""Return the content of the last box, or the text itself when that box is not balanced.

    >>> unboxed(r"x \boxed{y}"), unboxed(r"\boxed{\{1}")
    ('y', '\\boxed{\\{1}')
    """
    start = text.rfind("\\boxed")
    if start < 0 or not text.startswith("\\boxed{", start):
        return text
    level = 0
    for brace in _BRACE.finditer(text, start):
        level += 1 if brace[0] == "{" else -1
        if level == 0:
            return text[start + 7 : brace.start()]
    return text
