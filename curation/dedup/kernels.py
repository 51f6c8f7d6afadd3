"""Numba kernels over token arrays: shared rows, MinHash signatures, comparison of pairs of rows.

Everything here is plain arithmetic on arrays of `curation.text.token_index`.
"""

import numpy as np

from curation.text.hashing import GOLDEN, M1, compiled, mix
from curation.text.kinds import OPERATOR

_S31 = np.uint64(31)
_HIGHEST = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def shared_rows(keys):
    """Return the rows whose key another row also has, int64, in order."""
    order = np.argsort(keys)
    is_shared = np.zeros(len(keys), np.bool_)
    for at in range(1, len(keys)):
        if keys[order[at]] == keys[order[at - 1]]:
            is_shared[order[at]] = is_shared[order[at - 1]] = True
    return np.flatnonzero(is_shared)


@compiled
def minhash(starts, ids, hashes, rows, n_hashes):
    """MinHash signatures of `rows` over pairs of neighboring tokens, uint64 [len(rows), n_hashes]."""
    signatures = np.full((len(rows), n_hashes), _HIGHEST, np.uint64)
    seeds = np.empty(n_hashes, np.uint64)
    for k in range(n_hashes):
        seeds[k] = mix(np.uint64(k + 1) * GOLDEN)
    for place in range(len(rows)):
        row = rows[place]
        for at in range(starts[row], starts[row + 1]):
            following = hashes[ids[at + 1]] if at + 1 < starts[row + 1] else np.uint64(0)
            shingle = mix(hashes[ids[at]] * GOLDEN + following)
            for k in range(n_hashes):
                value = (shingle ^ seeds[k]) * M1
                value ^= value >> _S31
                if value < signatures[place, k]:
                    signatures[place, k] = value
    return signatures


@compiled
def compare_pairs(left, right, starts, ordered, weights, kinds, contrasts, negation):
    """Compare rows `left[i]` and `right[i]` as weighted multisets of tokens.

    Returns per pair: similarity (shared weight / weight of the union), containment (shared / lighter row),
    n_strict (numbers and operators that only one side has), clash (each side has a word of which the other
    side has a contrary instead), n_negations (words with the bit `negation` that only one side has). float32
    [n], float32 [n], int32 [n], bool [n], int32 [n].
    """
    n = len(left)
    similarity, containment = np.zeros(n, np.float32), np.zeros(n, np.float32)
    n_strict, clash = np.zeros(n, np.int32), np.zeros(n, np.bool_)
    n_negations = np.zeros(n, np.int32)
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
                n_negations[pair] += (contrasts[token] & negation) != 0
                strict += kinds[token] <= OPERATOR
                a += 1
            elif a >= a_end or ordered[b] < ordered[a]:
                token = ordered[b]
                only_b += weights[token]
                bits_b |= contrasts[token]
                n_negations[pair] += (contrasts[token] & negation) != 0
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
        clash[pair] = (bits_a & bits_b & ~negation) != 0
    return similarity, containment, n_strict, clash, n_negations


@compiled
def swapped_contraries(left, right, starts, ids, contrasts):
    """Return per pair whether a word that has contraries has other neighbors on the right, bool [n].

    "5 boys and 3 girls ... the girls" and "5 girls and 3 boys ... the girls" have the same words.
    """
    swapped = np.zeros(len(left), np.bool_)
    for pair in range(len(left)):
        first, last = starts[right[pair]], starts[right[pair] + 1]
        for at in range(starts[left[pair]], starts[left[pair] + 1]):
            if contrasts[ids[at]] == 0:
                continue
            before = ids[at - 1] if at > starts[left[pair]] else -1
            after = ids[at + 1] if at + 1 < starts[left[pair] + 1] else -1
            n_more, is_kept = 0, False
            for other in range(starts[left[pair]], starts[left[pair] + 1]):
                n_more += ids[other] == ids[at]
            for other in range(first, last):
                if ids[other] == ids[at]:
                    n_more -= 1
                    is_kept |= before >= 0 and other > first and ids[other - 1] == before
                    is_kept |= after >= 0 and other + 1 < last and ids[other + 1] == after
            if n_more == 0 and not is_kept:
                swapped[pair] = True
                break
    return swapped


@compiled
def kept_contexts(left, right, starts, ids, kinds):
    """Return per pair the share of numbers and operators that keep a neighbor on one side, float32 [n]."""
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
