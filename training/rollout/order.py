"""The order in which requests are given to an engine that cannot hold them all at once."""

from collections.abc import Sequence


def longest_first(n: int, expected_tokens: Sequence[float] | None = None) -> list[int]:
    """Indices of `n` requests, the longest expected first; equal ones, and unknown ones, as they stand.

    >>> longest_first(4, [5, 9, 5, 30])
    [3, 1, 0, 2]
    """
    if expected_tokens is None:
        return list(range(n))
    return sorted(range(n), key=lambda index: -expected_tokens[index])
