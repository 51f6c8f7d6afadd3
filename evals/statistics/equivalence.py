"""Classes of equal answers to one question, so that votes count what responses mean, not how they spell it.

classes = answer_classes(["1/2", "0.5", "2", None], [False, False, True, False])    # [1, 1, 0, None]
"""

from collections.abc import Sequence

from rewards.grader import compare_answers
from rewards.parsing.normalize import normalize
from rewards.verdict import Reason

MAX_COMPARED = 32
"""Most classes that a new spelling is compared with; beyond that, in a question without any agreement, only
equal spellings share a class."""


def answer_classes(answers: Sequence[str | None], is_correct: Sequence[bool]) -> list[int | None]:
    """Number the classes of one question's answers: 0 right, 1 and up wrong ones by first appearance.

    None stays None. Wrong answers share a class when the verifier considers them equal.

    >>> answer_classes(["1/2", r"\\frac{2}{4}", "2", None, "3"], [False, False, True, False, False])
    [1, 1, 0, None, 2]
    """
    leaders: list[str] = []
    known: dict[str, int] = {}
    classes: list[int | None] = []
    for answer, is_right in zip(answers, is_correct, strict=True):
        if is_right or answer is None:
            classes.append(0 if is_right else None)
            continue
        spelling = normalize(answer)
        if spelling not in known:
            known[spelling] = _find(answer, leaders)
            if known[spelling] > len(leaders):
                leaders.append(answer)
        classes.append(known[spelling])
    return classes


def _find(answer: str, leaders: list[str]) -> int:
    """The class whose first answer equals `answer`, or the next new one."""
    for number, leader in enumerate(leaders[:MAX_COMPARED], start=1):
        if compare_answers(leader, answer)[0] is Reason.CORRECT:
            return number
    return len(leaders) + 1
