"""Pairs of rows worth comparing: equal numbers, and a MinHash band or a rare word in common.

Two texts with different numbers are different problems however alike they look, so the multiset of numbers is
part of every bucket key: number variants of one template never meet.
"""

import numpy as np

from curation.token_index import WORD, TokenIndex

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def candidate_pairs(
    index: TokenIndex, numbers: np.ndarray, n_numbers: np.ndarray, signatures: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return row pairs (left < right), each once, in order.

    numbers: uint64 [n], multiset hash of each row's numbers; signatures: uint64 [n, bands * 2].
    Within a bucket each row meets the next `reach` rows, so that a huge bucket stays linear.
    """
    rows = np.arange(index.n_rows)
    pairs = [np.empty(0, np.int64)]
    with np.errstate(over="ignore"):
        spread = numbers * _GOLDEN
        for band in range(signatures.shape[1] // 2):
            keys = (
                spread
                + signatures[:, 2 * band] * np.uint64(3)
                + (signatures[:, 2 * band + 1] >> np.uint64(1))
            )
            pairs.append(_neighbours(keys, rows, index.n_rows, reach))
        word_rows, word_keys = _rare_words(index, n_numbers)
        pairs.append(_neighbours(spread[word_rows] + word_keys, word_rows, index.n_rows, reach))
    unique = np.unique(np.concatenate(pairs))
    return unique // max(index.n_rows, 1), unique % max(index.n_rows, 1)


def _neighbours(keys: np.ndarray, rows: np.ndarray, n: int, reach: int) -> np.ndarray:
    """Pair each row with the next `reach` rows of the same key; a pair (a, b) is coded a * n + b."""
    order = np.lexsort((rows, keys))
    keys, rows = keys[order], rows[order]
    pairs = []
    for shift in range(1, min(reach, len(keys) - 1) + 1):
        left, right = rows[:-shift], rows[shift:]
        is_pair = (keys[shift:] == keys[:-shift]) & (left != right)
        pairs.append(np.minimum(left, right)[is_pair] * n + np.maximum(left, right)[is_pair])
    return np.concatenate(pairs) if pairs else np.empty(0, np.int64)


def _rare_words(index: TokenIndex, n_numbers: np.ndarray, n_words: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The `n_words` rarest words of each row with two numbers or more, words of one row only left out."""
    rows = np.repeat(np.arange(index.n_rows), np.diff(index.starts))
    once = np.unique(rows * np.int64(len(index.vocabulary)) + index.ids)
    rows, ids = once // max(len(index.vocabulary), 1), once % max(len(index.vocabulary), 1)
    is_shared = index.weights[ids] < np.log1p(index.n_rows) - 1e-6
    wanted = (index.kinds[ids] == WORD) & is_shared & (n_numbers[rows] >= 2)
    rows, ids = rows[wanted], ids[wanted]
    order = np.lexsort((ids, -index.weights[ids], rows))
    rows, ids = rows[order], ids[order]
    starts = np.searchsorted(rows, np.arange(index.n_rows))
    is_rarest = np.arange(len(rows)) - starts[rows] < n_words
    return rows[is_rarest], index.hashes[ids[is_rarest]]
