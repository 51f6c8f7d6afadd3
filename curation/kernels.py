"""Compiled loops over token arrays: row hashes, MinHash signatures, comparison of pairs of rows.

Everything here is plain arithmetic on arrays of `curation.token_index`; it is compiled once and then cached.
"""

import numpy as np
from numba import njit

from curation.token_index import BRACKET, NUMBER, OPERATOR, WORD

_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_HIGHEST = np.uint64(0xFFFFFFFFFFFFFFFF)

_compiled = njit(cache=True, nogil=True)


@_compiled
def mix(x):
    """Spread the bits of a 64-bit word (splitmix64's finaliser)."""
    x = (x ^ (x >> _S30)) * _M1
    x = (x ^ (x >> _S27)) * _M2
    return x ^ (x >> _S31)


@_compiled
def row_hashes(starts, ids, hashes, kinds):
    """Hash the mathematics of each row.

    Returns per row: multiset hash of its numbers, sequence hash of its numbers and operators, the same with
    brackets, how many numbers, how many words. uint64 three times, int32 twice, all [n].
    """
    n = len(starts) - 1
    numbers, sequence, formula = np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    n_numbers, n_words = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for row in range(n):
        for at in range(starts[row], starts[row + 1]):
            token = ids[at]
            n_words[row] += kinds[token] == WORD
            if kinds[token] == NUMBER:
                n_numbers[row] += 1
                numbers[row] += mix(hashes[token] + _GOLDEN)
            if kinds[token] <= OPERATOR:
                sequence[row] = mix(sequence[row] * _GOLDEN + hashes[token])
            if kinds[token] <= BRACKET:
                formula[row] = mix(formula[row] * _GOLDEN + hashes[token])
    return numbers, sequence, formula, n_numbers, n_words


@_compiled
def minhash(starts, ids, hashes, n_hashes):
    """MinHash signatures over pairs of neighbouring tokens, uint64 [n_rows, n_hashes]."""
    n = len(starts) - 1
    signatures = np.full((n, n_hashes), _HIGHEST, np.uint64)
    seeds = np.empty(n_hashes, np.uint64)
    for k in range(n_hashes):
        seeds[k] = mix(np.uint64(k + 1) * _GOLDEN)
    for row in range(n):
        for at in range(starts[row], starts[row + 1]):
            following = hashes[ids[at + 1]] if at + 1 < starts[row + 1] else np.uint64(0)
            shingle = mix(hashes[ids[at]] * _GOLDEN + following)
            for k in range(n_hashes):
                value = (shingle ^ seeds[k]) * _M1
                value ^= value >> _S31
                if value < signatures[row, k]:
                    signatures[row, k] = value
    return signatures


@_compiled
def sorted_rows(starts, ids):
    """Return a copy of `ids` in which every row is sorted, for merging two rows."""
    out = ids.copy()
    for row in range(len(starts) - 1):
        out[starts[row] : starts[row + 1]].sort()
    return out


@_compiled
def compare_pairs(left, right, starts, ordered, weights, kinds, contrasts):
    """Compare rows `left[i]` and `right[i]` as weighted multisets of tokens.

    Returns per pair: similarity (shared weight / weight of the union), containment (shared / lighter row),
    n_strict (numbers and operators that only one side has), clash (each side has a word of its own whose
    contrary the other has). float32 [n], float32 [n], int32 [n], bool [n].
    """
    n = len(left)
    similarity, containment = np.zeros(n, np.float32), np.zeros(n, np.float32)
    n_strict, clash = np.zeros(n, np.int32), np.zeros(n, np.bool_)
    for pair in range(n):
        a, a_end = starts[left[pair]], starts[left[pair] + 1]
        b, b_end = starts[right[pair]], starts[right[pair] + 1]
        shared = only_a = only_b = 0.0
        bits_a = bits_b = np.uint64(0)
        strict = 0
        while a < a_end or b < b_end:
            if b >= b_end or (a < a_end and ordered[a] < ordered[b]):
                token = ordered[a]
                only_a += weights[token]
                bits_a |= contrasts[token]
                strict += kinds[token] <= OPERATOR
                a += 1
            elif a >= a_end or ordered[b] < ordered[a]:
                token = ordered[b]
                only_b += weights[token]
                bits_b |= contrasts[token]
                strict += kinds[token] <= OPERATOR
                b += 1
            else:
                shared += weights[ordered[a]]
                a += 1
                b += 1
        union = shared + only_a + only_b
        lighter = shared + min(only_a, only_b)
        similarity[pair] = shared / union if union > 0 else 0.0
        containment[pair] = shared / lighter if lighter > 0 else 0.0
        n_strict[pair] = strict
        clash[pair] = (bits_a & bits_b) != 0
    return similarity, containment, n_strict, clash


@_compiled
def kept_contexts(left, right, starts, ids, kinds):
    """Return per pair the share of numbers and operators that keep a neighbour on a side, float32 [n]."""
    n = len(left)
    shares = np.zeros(n, np.float32)
    for pair in range(n):
        n_numbers = n_kept = 0
        for at in range(starts[left[pair]], starts[left[pair] + 1]):
            if kinds[ids[at]] > OPERATOR:
                continue
            n_numbers += 1
            before = ids[at - 1] if at > starts[left[pair]] else -1
            after = ids[at + 1] if at + 1 < starts[left[pair] + 1] else -1
            for other in range(starts[right[pair]], starts[right[pair] + 1]):
                if ids[other] != ids[at]:
                    continue
                if before >= 0 and other > starts[right[pair]] and ids[other - 1] == before:
                    n_kept += 1
                    break
                if after >= 0 and other + 1 < starts[right[pair] + 1] and ids[other + 1] == after:
                    n_kept += 1
                    break
        shares[pair] = n_kept / n_numbers if n_numbers else 1.0
    return shares


@_compiled
def cover_pairs(rows, targets, starts, ordered, weights, kinds):
    """Measure how much of row `targets[i]` stands in row `rows[i]`.

    Returns per pair: covered share of the target's weight, that of its words alone, numbers of the target
    that the row lacks, numbers of the row that the target lacks. float32, float32, int32, int32, all [n].
    """
    n = len(rows)
    coverage, word_coverage = np.zeros(n, np.float32), np.zeros(n, np.float32)
    n_lacking, n_extra = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for pair in range(n):
        a, a_end = starts[rows[pair]], starts[rows[pair] + 1]
        b, b_end = starts[targets[pair]], starts[targets[pair] + 1]
        shared = whole = shared_words = words = 0.0
        while b < b_end:
            if a < a_end and ordered[a] < ordered[b]:
                n_extra[pair] += kinds[ordered[a]] == NUMBER
                a += 1
                continue
            token = ordered[b]
            is_shared = a < a_end and ordered[a] == token
            whole += weights[token]
            shared += weights[token] * is_shared
            if kinds[token] == WORD:
                words += weights[token]
                shared_words += weights[token] * is_shared
            elif kinds[token] == NUMBER:
                n_lacking[pair] += not is_shared
            a += is_shared
            b += 1
        while a < a_end:
            n_extra[pair] += kinds[ordered[a]] == NUMBER
            a += 1
        coverage[pair] = shared / whole if whole > 0 else 0.0
        word_coverage[pair] = shared_words / words if words > 0 else 1.0
    return coverage, word_coverage, n_lacking, n_extra


@_compiled
def shared_phrases(rows, targets, starts, ids):
    """Return per pair the share of the target's neighbouring tokens that stand so in the row, float32 [n]."""
    n = len(rows)
    shares = np.zeros(n, np.float32)
    for pair in range(n):
        a_start, a_end = starts[rows[pair]], starts[rows[pair] + 1]
        b_start, b_end = starts[targets[pair]], starts[targets[pair] + 1]
        n_shared = 0
        for b in range(b_start, b_end - 1):
            for a in range(a_start, a_end - 1):
                if ids[a] == ids[b] and ids[a + 1] == ids[b + 1]:
                    n_shared += 1
                    break
        shares[pair] = n_shared / (b_end - 1 - b_start) if b_end - 1 > b_start else 1.0
    return shares
