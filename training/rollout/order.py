"""Order of the requests to an engine that cannot sample all of them together."""

from collections.abc import Sequence


def longest_first(n: int, expected_tokens: Sequence[float] | None = None) -> list[int]:
    """Indices of `n` requests, longest expected first; ties keep their order, as do all if none is expected.

    >>> longest_first(4, [5, 9, 5, 30])
    [3, 1, 0, 2]
    """
    if expected_tokens is None:
        return list(range(n))
    return sorted(range(n), key=lambda index: -expected_tokens[index])
