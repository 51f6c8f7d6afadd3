"""Numba kernels that compare rows with benchmark problems: runs of sentences, shared rare tokens, coverage.

Everything here is plain arithmetic on arrays of `curation.text.token_index`.
"""

import numpy as np

from curation.text.hashing import GOLDEN, compiled, hash_bytes, mix
from curation.text.kinds import NUMBER, WORD


@compiled
def row_keys(tokens, starts):
    """Hash each row `tokens[starts[i]:starts[i + 1]]`, uint64 [n]; 0 for a row without tokens."""
    keys = np.zeros(len(starts) - 1, np.uint64)
    for row in range(len(keys)):
        if starts[row] < starts[row + 1]:
            keys[row] = hash_bytes(tokens, starts[row], starts[row + 1])
    return keys


@compiled
def find_runs(tokens, starts, first_sentences, keys, longest):
    """Find rows that contain a run of up to `longest` sentences whose hash is in `keys` (uint64, sorted).

    starts: int64, where each sentence's tokens begin; first_sentences: int64 [n_rows + 1], the first sentence
    of each row. Returns the rows found and their positions in `keys`, int64 each.
    """
    rows, places = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for row in range(len(first_sentences) - 1):
        last = first_sentences[row + 1]
        for sentence in range(first_sentences[row], last):
            if starts[sentence] == starts[sentence + 1]:
                continue
            n_sentences, stop = 0, sentence
            while stop < last and n_sentences < longest:
                stop += 1
                if starts[stop] == starts[stop - 1]:
                    continue
                n_sentences += 1
                key = hash_bytes(tokens, starts[sentence], starts[stop])
                place = np.searchsorted(keys, key)
                if place < len(keys) and keys[place] == key:
                    rows.append(np.int64(row))
                    places.append(place)
    return np.array(rows, np.int64), np.array(places, np.int64)


@compiled
def _grams(starts, ids, hashes, kinds, weights, row, grams, gram_weights):
    """Write the hashes and weights of a row's words and pairs of neighbors; return how many."""
    n = 0
    for at in range(starts[row], starts[row + 1]):
        token = ids[at]
        if kinds[token] == WORD:
            grams[n], gram_weights[n] = hashes[token], weights[token]
            n += 1
        if at + 1 < starts[row + 1]:
            following = ids[at + 1]
            grams[n] = mix(hashes[token] * GOLDEN + hashes[following])
            gram_weights[n] = weights[token] + weights[following]
            n += 1
    return n


@compiled
def target_grams(starts, ids, hashes, kinds, weights, first):
    """Words and pairs of the rows from `first` on, each once per row.

    Returns grams, uint64; their rows, int64; their weights, float32.
    """
    most = 2 * (starts[-1] - starts[first])
    grams, rows, gram_weights = (
        np.empty(most, np.uint64),
        np.empty(most, np.int64),
        np.empty(most, np.float32),
    )
    n = 0
    for row in range(first, len(starts) - 1):
        found = grams[n:], gram_weights[n:]
        n_found = _grams(starts, ids, hashes, kinds, weights, row, found[0], found[1])
        order = np.argsort(found[0][:n_found], kind="mergesort")
        sorted_grams, sorted_weights = found[0][:n_found][order], found[1][:n_found][order]
        for k in range(n_found):
            if k == 0 or sorted_grams[k] != sorted_grams[k - 1]:
                grams[n], rows[n], gram_weights[n] = sorted_grams[k], row, sorted_weights[k]
                n += 1
    return grams[:n], rows[:n], gram_weights[:n]


@compiled
def propose(starts, ids, hashes, kinds, weights, n_rows, grams, posting_starts, postings, totals, share):
    """Pair the first `n_rows` rows with the targets whose rare grams they share.

    grams: uint64, sorted, each once; its targets are `postings[posting_starts[i]:posting_starts[i + 1]]`,
    numbered from 0; totals: float32, weight of each target's rare grams. A pair shares at least two grams and
    `share` of the target's weight. Returns rows and targets, int64 each, in order of rows.
    """
    n_slots = 1024
    while n_slots < 4 * len(grams):
        n_slots *= 2
    last = np.uint64(n_slots - 1)
    slots = np.full(n_slots, -1, np.int64)
    for place in range(len(grams)):
        slot = grams[place] & last
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & last
        slots[slot] = place
    longest = 0
    for row in range(n_rows):
        longest = max(longest, starts[row + 1] - starts[row])
    row_grams, row_weights = np.empty(2 * longest, np.uint64), np.empty(2 * longest, np.float32)
    seen, counts = np.full(len(grams), -1, np.int64), np.zeros(len(totals), np.int32)
    shared, touched = np.zeros(len(totals), np.float32), np.empty(len(totals), np.int64)
    rows, targets = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)]
    for row in range(n_rows):
        n_touched = 0
        for k in range(_grams(starts, ids, hashes, kinds, weights, row, row_grams, row_weights)):
            slot = row_grams[k] & last
            while slots[slot] >= 0 and grams[slots[slot]] != row_grams[k]:
                slot = (slot + np.uint64(1)) & last
            place = slots[slot]
            if place < 0 or seen[place] == row:
                continue
            seen[place] = row
            for posting in range(posting_starts[place], posting_starts[place + 1]):
                target = postings[posting]
                if counts[target] == 0:
                    touched[n_touched] = target
                    n_touched += 1
                counts[target] += 1
                shared[target] += row_weights[k]
        some = touched[:n_touched]
        some.sort()
        for target in some:
            if counts[target] >= 2 and shared[target] >= share * totals[target]:
                rows.append(np.int64(row))
                targets.append(target)
            counts[target], shared[target] = 0, np.float32(0)
    return np.array(rows, np.int64), np.array(targets, np.int64)


@compiled
def cover_pairs(rows, targets, starts, ordered, weights, kinds):
    """Measure how much of row `targets[i]` is in row `rows[i]`.

    Returns per pair: covered share of the target's weight, the same for its words alone, numbers of the
    target that the row lacks, numbers of the row that the target lacks. float32, float32, int32, int32, [n].
    """
    n = len(rows)
    coverage, word_coverage = np.zeros(n, np.float32), np.zeros(n, np.float32)
    n_lacking, n_extra = np.zeros(n, np.int32), np.zeros(n, np.int32)
    counted_row, n_numbers = np.int64(-1), 0
    for pair in range(n):
        if rows[pair] != counted_row:
            counted_row, n_numbers = rows[pair], 0
            for a in range(starts[counted_row], starts[counted_row + 1]):
                n_numbers += kinds[ordered[a]] == NUMBER
        a, a_end = starts[rows[pair]], starts[rows[pair] + 1]
        shared = whole = shared_words = words = 0.0
        n_extra[pair] = n_numbers
        for b in range(starts[targets[pair]], starts[targets[pair] + 1]):
            token = ordered[b]
            a = _skip_below(ordered, a, a_end, token)
            is_shared = a < a_end and ordered[a] == token
            whole += weights[token]
            shared += weights[token] * is_shared
            if kinds[token] == WORD:
                words += weights[token]
                shared_words += weights[token] * is_shared
            elif kinds[token] == NUMBER:
                n_lacking[pair] += not is_shared
                n_extra[pair] -= is_shared
            a += is_shared
        coverage[pair] = shared / whole if whole > 0 else 0.0
        word_coverage[pair] = shared_words / words if words > 0 else 1.0
    return coverage, word_coverage, n_lacking, n_extra


@compiled
def _skip_below(ordered, begin, end, token):
    """First position from `begin` on that is not below `token`: steps that double, then halve, so that a
    whole book costs no more than its benchmark problems."""
    step = 1
    while begin + step < end and ordered[begin + step] < token:
        begin += step
        step *= 2
    return begin + np.searchsorted(ordered[begin : min(end, begin + step + 1)], token)


@compiled
def shared_phrases(rows, targets, starts, ids):
    """Return per pair the share of the target's adjacent token pairs that the row also has, float32 [n].

    A row's neighbors are sorted once for all its pairs, which must be consecutive.
    """
    n = len(rows)
    shares = np.zeros(n, np.float32)
    neighbors, sorted_row = np.empty(0, np.int64), np.int64(-1)
    for pair in range(n):
        if rows[pair] != sorted_row:
            sorted_row = rows[pair]
            neighbors = _neighbors(ids, starts[sorted_row], starts[sorted_row + 1])
            neighbors.sort()
        wanted = _neighbors(ids, starts[targets[pair]], starts[targets[pair] + 1])
        n_shared = 0
        for one in wanted:
            place = np.searchsorted(neighbors, one)
            n_shared += place < len(neighbors) and neighbors[place] == one
        shares[pair] = n_shared / len(wanted) if len(wanted) else 1.0
    return shares


@compiled
def _neighbors(ids, begin, end):
    """Encode each token and its successor as one number, int64 [end - begin - 1]."""
    pairs = np.empty(max(0, end - begin - 1), np.int64)
    for at in range(len(pairs)):
        pairs[at] = np.int64(ids[begin + at]) << 32 | np.int64(ids[begin + at + 1])
    return pairs
