"""Column addition with slips: work that misremembers some sums, and the recheck that may find them.

For bases that can check their work but seldom do. The solution of a worked addition (curation.generators,
family `addition`) is read into its columns; hasty work repeats them with wrong sums, always the same ones,
and a recheck adds the columns again in the other order.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WAIT = "wait,"
"""Begins a recheck; one of the paper's words of reflection (section 3.3)."""

Columns = Sequence[tuple[int, int]]


def read_columns(solution: str) -> list[tuple[int, int]]:
    """The two digits of each column of a worked addition, ones first; ValueError for other solutions.

    >>> read_columns("7+8=15;2+5+1=8")
    [(7, 8), (2, 5)]
    """
    columns = []
    for step in solution.split(";"):
        digits = step.partition("=")[0].split("+")
        if len(digits) not in (2, 3) or not all(digit.isdecimal() and len(digit) == 1 for digit in digits):
            raise ValueError(
                f"hasty and rechecked work is for column sums (7+8=15;2+5+1=8), not {solution!r}"
            )
        columns.append((int(digits[0]), int(digits[1])))
    return columns


def add_columns(columns: Columns, errors: Sequence[int]) -> tuple[str, str]:
    """Work the columns out, carries included, with `errors` added to their sums; returns work and answer.

    >>> add_columns([(7, 8), (2, 5)], [0, 0])
    ('7+8=15;2+5+1=8', '85')
    >>> add_columns([(7, 8), (2, 5)], [-6, 0])
    ('7+8=9;2+5=7', '79')
    """
    steps, digits, carry, total = [], "", 0, 0
    for (x, y), error in zip(columns, errors, strict=True):
        total = x + y + carry + error
        steps.append(f"{x}+{y}{'+1' if carry else ''}={total}")
        carry = total // 10
        digits = str(total % 10) + digits
    return ";".join(steps), str(int(f"{total // 10 or ''}{digits}"))


@dataclass(frozen=True, slots=True)
class Slips:
    """Which column sums are wrong in hasty work."""

    share: float
    """Share of the digit pairs that are misremembered, and of the sums that slip in a random recheck."""
    recheck: Literal["sound", "random"]
    """sound: a recheck makes no error; random: its sums slip at random, with the same share."""
    seed: str

    def work(self, columns: Columns) -> tuple[str, str]:
        """Hasty work, and the answer that it comes to."""
        return add_columns(columns, [self._error(random.Random(f"{self.seed}:{x}+{y}")) for x, y in columns])

    def rework(self, columns: Columns, rng: random.Random) -> tuple[str, str]:
        """A recheck, and the answer that it comes to."""
        swapped = [(y, x) for x, y in columns]
        is_random = self.recheck == "random"
        return add_columns(swapped, [self._error(rng) if is_random else 0 for _ in columns])

    def _error(self, rng: random.Random) -> int:
        """What is added to a sum: 0, or one of 1 to 3, so that a sum is never negative."""
        return rng.randint(1, 3) if rng.random() < self.share else 0
