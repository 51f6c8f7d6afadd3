"""Hash functions for compiled loops, and the numba options of every compiled loop in curation."""

import numpy as np
from numba import njit

compiled = njit(cache=True, nogil=True)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio, odd; multiplying by it moves neighboring numbers far apart."""
M1, M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Multipliers of splitmix64."""
_PRIME, _BASIS = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@compiled
def mix(x):
    """Spread the bits of a 64-bit word (splitmix64's finalizer)."""
    x = (x ^ (x >> _S30)) * M1
    x = (x ^ (x >> _S27)) * M2
    return x ^ (x >> _S31)


@compiled
def hash_bytes(data, begin, end):
    """Hash `data[begin:end]`: FNV-1a, then `mix`."""
    h = _BASIS
    for at in range(begin, end):
        h = (h ^ np.uint64(data[at])) * _PRIME
    return mix(h)


@compiled
def is_digit(c):
    return 48 <= c <= 57


@compiled
def is_letter(c):
    return 97 <= c <= 122
