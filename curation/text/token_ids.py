"""Numba kernels from rewritten text to token ids: equal rows, ids, document frequencies, kinds."""

import numpy as np

from curation.text.hashing import compiled, hash_bytes, is_digit, is_letter
from curation.text.kinds import BRACKET, LETTER, NUMBER, OPERATOR, WORD

_SPACE = 32
_IS_BRACKET = np.zeros(256, np.bool_)
_IS_BRACKET[list(b"()[]|")] = True


@compiled
def first_equal(data, starts):
    """Return for each row `data[starts[i]:starts[i + 1]]` the first row with the same bytes, int64 [n].

    An empty row (a picture, say) equals no other row.
    """
    n = len(starts) - 1
    n_slots = 1024
    while n_slots < 2 * n:
        n_slots *= 2
    last = np.uint64(n_slots - 1)
    rows = np.full(n_slots, -1, np.int64)
    hashes = np.empty(n_slots, np.uint64)
    first = np.arange(n)
    for row in range(n):
        begin, end = starts[row], starts[row + 1]
        if begin == end:
            continue
        key = hash_bytes(data, begin, end)
        slot = key & last
        while rows[slot] >= 0:
            other = starts[rows[slot]]
            if hashes[slot] == key and starts[rows[slot] + 1] - other == end - begin:
                at = 0
                while at < end - begin and data[other + at] == data[begin + at]:
                    at += 1
                if at == end - begin:
                    first[row] = rows[slot]
                    break
            slot = (slot + np.uint64(1)) & last
        if rows[slot] < 0:
            rows[slot], hashes[slot] = row, key
    return first


@compiled
def _kind(data, begin, end):
    c = data[begin]
    if is_digit(c):
        return NUMBER
    if _IS_BRACKET[c]:
        return BRACKET
    if c < 0x80 and not is_letter(c):
        return OPERATOR
    return LETTER if end - begin == 1 else WORD


@compiled
def number_tokens(data, begins, ends):
    """Give every distinct token (bytes up to a space) in the rows `data[begins[i]:ends[i]]` an id.

    Returns where each row's tokens start, int64 [n + 1]; the tokens' ids, int32; and for each id its hash,
    uint64, its kind, uint8, and the number of rows that contain it, int64. Ids are in order of the hashes, so
    that sums over two rows do not depend on the other rows.
    """
    n = len(begins)
    starts = np.zeros(n + 1, np.int64)
    for row in range(n):
        n_tokens = 0
        for at in range(begins[row], ends[row]):
            n_tokens += data[at] == _SPACE
        starts[row + 1] = starts[row] + n_tokens
    ids = np.empty(starts[n], np.int32)
    n_slots = 1 << 16
    slots = np.full(n_slots, -1, np.int32)
    hashes, kinds = np.empty(n_slots, np.uint64), np.empty(n_slots, np.uint8)
    frequency, last_row = np.zeros(n_slots, np.int64), np.zeros(n_slots, np.int64)
    n_known = 0
    for row in range(n):
        begin, place = begins[row], starts[row]
        for at in range(begins[row], ends[row]):
            if data[at] != _SPACE:
                continue
            key = hash_bytes(data, begin, at)
            slot = key & np.uint64(n_slots - 1)
            while slots[slot] >= 0 and hashes[slots[slot]] != key:
                slot = (slot + np.uint64(1)) & np.uint64(n_slots - 1)
            if slots[slot] < 0:
                slots[slot] = n_known
                hashes[n_known], kinds[n_known] = key, _kind(data, begin, at)
                n_known += 1
            token = slots[slot]
            if last_row[token] != row + 1:
                last_row[token] = row + 1
                frequency[token] += 1
            ids[place] = token
            place += 1
            begin = at + 1
            if 2 * n_known > n_slots:
                n_slots *= 2
                slots = np.full(n_slots, -1, np.int32)
                for known in range(n_known):
                    slot = hashes[known] & np.uint64(n_slots - 1)
                    while slots[slot] >= 0:
                        slot = (slot + np.uint64(1)) & np.uint64(n_slots - 1)
                    slots[slot] = known
                hashes, kinds = _doubled(hashes), _doubled(kinds)
                frequency, last_row = _doubled(frequency), _doubled(last_row)
    order = np.argsort(hashes[:n_known])
    rank = np.empty(n_known, np.int32)
    for place in range(n_known):
        rank[order[place]] = place
    for place in range(len(ids)):
        ids[place] = rank[ids[place]]
    return starts, ids, hashes[order], kinds[order], frequency[order]


@compiled
def _doubled(array):
    larger = np.zeros(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger
