"""Numba kernels that hash and sort the token rows of a corpus."""

import numpy as np

from curation.text.hashing import GOLDEN, compiled, mix
from curation.text.kinds import BRACKET, NUMBER, OPERATOR, WORD


@compiled
def row_hashes(starts, ids, hashes, kinds):
    """Hash the mathematics of each row.

    Returns per row: multiset hash and sequence hash of its numbers and operators, sequence hash with brackets
    included, number of numbers, number of words. uint64 three times, int32 twice, all [n].
    """
    n = len(starts) - 1
    multiset, sequence, formula = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    n_numbers, n_words = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for row in range(n):
        for at in range(starts[row], starts[row + 1]):
            token = ids[at]
            n_words[row] += kinds[token] == WORD
            if kinds[token] == NUMBER:
                n_numbers[row] += 1
            if kinds[token] <= OPERATOR:
                multiset[row] += mix(hashes[token] + GOLDEN)
                sequence[row] = mix(sequence[row] * GOLDEN + hashes[token])
            if kinds[token] <= BRACKET:
                formula[row] = mix(formula[row] * GOLDEN + hashes[token])
    return multiset, sequence, formula, n_numbers, n_words


@compiled
def word_hashes(starts, ids, hashes, kinds):
    """Sequence hash of each row's words and letters, uint64 [n], and its number of words, int32 [n]."""
    n = len(starts) - 1
    sequence, n_words = np.zeros(n, np.uint64), np.zeros(n, np.int32)
    for row in range(n):
        for at in range(starts[row], starts[row + 1]):
            if kinds[ids[at]] > BRACKET:
                sequence[row] = mix(sequence[row] * GOLDEN + hashes[ids[at]])
                n_words[row] += kinds[ids[at]] == WORD
    return sequence, n_words


@compiled
def sorted_rows(starts, ids, rows):
    """Return a copy of `ids` in which each of `rows` is sorted, so that two rows can be merged."""
    out = ids.copy()
    for row in rows:
        out[starts[row] : starts[row + 1]].sort()
    return out
