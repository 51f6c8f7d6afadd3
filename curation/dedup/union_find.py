"""Union-find over row numbers: pairs in, one root per row out."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def find_roots(n: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return for each of `n` rows the smallest row it is connected to, int64 [n]."""
    parent = np.arange(n)
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    for row in range(n):  # a parent is never larger than its child, so one ascending pass suffices
        parent[row] = parent[parent[row]]
    return parent
