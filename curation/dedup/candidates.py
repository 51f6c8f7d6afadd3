"""Candidate pairs of rows: equal numbers and operators, and a MinHash band or a rare word in common.

Two texts with different numbers are different problems however similar they look, so the multiset of numbers
and operators is part of every bucket key: number variants of one template are never compared.
"""

import numpy as np

from curation.text.hashing import compiled, mix
from curation.text.kinds import WORD
from curation.text.token_index import TokenIndex


def candidate_pairs(
    index: TokenIndex,
    rows: np.ndarray,
    mathematics: np.ndarray,
    n_numbers: np.ndarray,
    signatures: np.ndarray,
    reach: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of `rows` (left < right), each once, in order.

    mathematics: uint64 [len(rows)], multiset hash of the rows' numbers and operators; n_numbers: int32
    [n_rows]; signatures: uint64 [len(rows), bands * 2]. Within a bucket, each row is paired with the next
    `reach` rows, so that a huge bucket takes linear time.
    """
    pairs = [
        _neighbors(_band_keys(mathematics, signatures, 2 * band), rows, reach)
        for band in range(signatures.shape[1] // 2)
    ]
    heaviest = np.float32(index.heaviest - 1e-6)
    places, words = _rare_words(
        index.starts, index.ids, index.hashes, index.kinds, index.weights, rows, n_numbers, heaviest
    )
    pairs.append(_neighbors(_word_keys(mathematics, places, words), rows[places], reach))
    unique = np.unique(np.concatenate(pairs))
    return unique >> 32, unique & 0xFFFFFFFF


def _neighbors(keys: np.ndarray, rows: np.ndarray, reach: int) -> np.ndarray:
    """Pair each row with the next `reach` rows of the same key; a pair (a, b) is coded a << 32 | b, int64."""
    order = np.argsort(keys, kind="stable")
    return _pair_up(keys[order], rows[order], reach)


@compiled
def _pair_up(keys, rows, reach):
    n_pairs = 0
    for is_count in (True, False):
        if not is_count:
            pairs = np.empty(n_pairs, np.int64)
            n_pairs = 0
        for at in range(len(keys)):
            for other in range(at + 1, min(len(keys), at + 1 + reach)):
                if keys[other] != keys[at]:
                    break
                if rows[other] != rows[at]:
                    if not is_count:
                        low, high = min(rows[at], rows[other]), max(rows[at], rows[other])
                        pairs[n_pairs] = low << 32 | high
                    n_pairs += 1
    return pairs


@compiled
def _band_keys(mathematics, signatures, column):
    keys = np.empty(len(mathematics), np.uint64)
    for row in range(len(mathematics)):
        keys[row] = mix(mathematics[row] + mix(signatures[row, column] + mix(signatures[row, column + 1])))
    return keys


@compiled
def _word_keys(mathematics, places, hashes):
    keys = np.empty(len(places), np.uint64)
    for at in range(len(places)):
        keys[at] = mix(mathematics[places[at]] + hashes[at])
    return keys


@compiled
def _rare_words(starts, ids, hashes, kinds, weights, wanted, n_numbers, heaviest):
    """The five rarest words of each wanted row with at least two numbers, except words found in one row only.

    Returns the rows' positions in `wanted`, int64, and the words' hashes, uint64.
    """
    n_words = 5
    places, words = np.empty(n_words * len(wanted), np.int64), np.empty(n_words * len(wanted), np.uint64)
    best = np.empty(n_words, np.int64)
    n = 0
    for wanted_place in range(len(wanted)):
        row = wanted[wanted_place]
        if n_numbers[row] < 2:
            continue
        n_best = 0
        for at in range(starts[row], starts[row + 1]):
            token = np.int64(ids[at])
            if kinds[token] != WORD or weights[token] >= heaviest:
                continue
            place = n_best
            is_known = False
            for k in range(n_best):
                is_known = is_known or best[k] == token
            if is_known:
                continue
            while place > 0 and _is_rarer(token, best[place - 1], weights, hashes):
                place -= 1
            if place >= n_words:
                continue
            n_best = min(n_best + 1, n_words)
            for k in range(n_best - 1, place, -1):
                best[k] = best[k - 1]
            best[place] = token
        for k in range(n_best):
            places[n], words[n] = wanted_place, hashes[best[k]]
            n += 1
    return places[:n], words[:n]


@compiled
def _is_rarer(one, other, weights, hashes):
    if weights[one] != weights[other]:
        return weights[one] > weights[other]
    return hashes[one] < hashes[other]
