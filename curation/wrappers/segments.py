"""Numba kernels that find a text's first and last segment and hash what is left without them.

Hashes cover only letters and digits, in folded form, so that spacing and notation do not matter. The hashes
of all prefixes are kept, so that the hash of any part follows from two of them.
"""

import numpy as np

from curation.text.folding import FOLDED
from curation.text.hashing import GOLDEN, compiled, is_digit, is_letter, mix

_LONGEST_BRACKET, _LONGEST_PREFIX, _LONGEST_SUFFIX = 40, 120, 160
_STOPS = (0x3002, 0xFF01, 0xFF1F)  # 。！？
_CLOSERS = (0x3002, 0xFF1A, 0xFF09, ord("."), ord("!"), ord("?"), ord(":"), ord('"'), ord(")"))


@compiled
def _decode(data, at):
    """Code point at a byte, and its width in bytes."""
    c = data[at]
    if c < 0x80:
        return np.int64(c), 1
    width = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
    point = np.int64(c & (0x7F >> width))
    for k in range(1, width):
        point = point << 6 | np.int64(data[at + k] & 0x3F)
    return point, width


@compiled
def _before(data, at):
    """Where the character before byte `at` begins."""
    at -= 1
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@compiled
def _is_space(c):
    return c == 32 or c == 10 or c == 9 or c == 13


@compiled
def _skip_spaces(data, at, end):
    while at < end and _is_space(data[at]):
        at += 1
    return at


@compiled
def _trim(data, begin, end):
    while end > begin and _is_space(data[end - 1]):
        end -= 1
    return end


@compiled
def _closed_bracket(data, at, end):
    """Where the text continues after a short bracketed remark at `at`, -1 when there is none."""
    opening, width = _decode(data, at)
    if opening == 91:
        one, other = 93, 93
    elif opening == 40 or opening == 0xFF08:
        one, other = 41, 0xFF09
    else:
        return -1
    at += width
    for n_inside in range(_LONGEST_BRACKET + 1):
        if at >= end or data[at] == 10:
            return -1
        point, width = _decode(data, at)
        at += width
        if point == one or point == other:  # noqa: SIM109 - compiled
            return at if n_inside else -1
    return -1


@compiled
def _first_segment(data, begin, end):
    """Where the text continues after its first segment (a bracketed remark, sentence or line), -1 if none."""
    at = _skip_spaces(data, begin, end)
    if at == end:
        return -1
    stop = _closed_bracket(data, at, end)
    if stop >= 0:
        return _skip_spaces(data, stop, end)
    for n_chars in range(_LONGEST_PREFIX + 1):
        if at >= end:
            return -1
        point, width = _decode(data, at)
        at += width
        if n_chars == 0:
            continue
        is_stop = point == 10 or point == _STOPS[0] or point == _STOPS[1] or point == _STOPS[2]
        if point == 46 or point == 33 or point == 63 or point == 58:
            is_stop = at < end and _is_space(data[at])
        if is_stop or point == 0xFF1A:
            return _skip_spaces(data, at, end)
    return -1


@compiled
def _last_segment(data, begin, end):
    """Where the last segment (the text after the last sentence or line end) begins, -1 if there is none."""
    end = _trim(data, begin, end)
    for _ in range(2):
        if end > begin:
            point, _ = _decode(data, _before(data, end))
            if point in _CLOSERS:
                end = _before(data, end)
    at, softest = end, -1
    for n_chars in range(_LONGEST_SUFFIX + 1):
        if at <= begin:
            break
        place = _before(data, at)
        point, _ = _decode(data, place)
        if point == 10 or point == 46 or point == 33 or point == 63 or point in _STOPS:
            return at if n_chars else -1
        if (point == 58 or point == 36) and n_chars:
            softest = at
        at = place
    return softest


@compiled
def _power(n):
    """GOLDEN to the n-th, modulo 2^64."""
    result, factor = np.uint64(1), GOLDEN
    while n:
        if n & 1:
            result *= factor
        factor *= factor
        n >>= 1
    return result


@compiled
def _part(sums, begin, end):
    """Hash of the squeezed bytes from `begin` to `end`."""
    return mix(sums[end] - sums[begin] * _power(end - begin) + np.uint64(end - begin))


@compiled
def _masked(squeezed, begin, end):
    """Hash of squeezed bytes with each run of digits as one sign; 0 when shorter than a word."""
    h, n_letters, n_wide, in_number = np.uint64(0), 0, 0, False
    for at in range(begin, end):
        c = squeezed[at]
        if is_digit(c):
            if in_number:
                continue
            c = np.uint8(35)
        in_number = c == 35
        n_letters += is_letter(c)
        n_wide += c >= 0xC0
        h = (h + np.uint64(c) + np.uint64(1)) * GOLDEN
    is_question = end - begin == 1 and squeezed[begin] == 113  # "Q:"
    return mix(h) if n_letters >= 4 or n_wide >= 2 or is_question else np.uint64(0)


@compiled
def split_segments(data, begins, ends, fold_starts, fold_pool):
    """Look at both ends of each row `data[begins[i]:ends[i]]`.

    Returns whole, uint64 [n]: hash of the row; segments, rests, uint64 [2, n] (first and last segment):
    masked hash of the segment, hash of what is left without it; written, uint64 [n]: hash of the last
    segment; lengths, int64 [3, n]: squeezed bytes of both rests and of the last segment; places, int64
    [2, n]: where the row begins without its first segment, and where it ends without its last.
    """
    n = len(begins)
    whole = np.zeros(n, np.uint64)
    segments, rests = np.zeros((2, n), np.uint64), np.zeros((2, n), np.uint64)
    written, lengths = np.zeros(n, np.uint64), np.zeros((3, n), np.int64)
    places = np.zeros((2, n), np.int64)
    sums, squeezed = np.zeros(1024, np.uint64), np.zeros(1024, np.uint8)
    origin = np.zeros(1024, np.int64)
    for row in range(n):
        begin, end = begins[row], ends[row]
        most = 4 * (end - begin) + 2
        if most > len(sums):
            sums, squeezed = np.zeros(2 * most, np.uint64), np.zeros(2 * most, np.uint8)
            origin = np.zeros(2 * most, np.int64)
        first, last = _first_segment(data, begin, end), _last_segment(data, begin, end)
        m, at, first_m, last_m = 0, begin, -1, -1
        while at < end:
            if first_m < 0 and first >= 0 and at >= first:
                first_m = m
            if last_m < 0 and last >= 0 and at >= last:
                last_m = m
            point, width = _decode(data, at)
            if point < 0x80:
                c = np.uint8(point + 32 if 65 <= point <= 90 else point)
                if is_letter(c) or is_digit(c):
                    squeezed[m], origin[m] = c, at
                    sums[m + 1] = (sums[m] + np.uint64(c)) * GOLDEN
                    m += 1
            elif point < FOLDED:
                for k in range(fold_starts[point], fold_starts[point + 1]):
                    c = fold_pool[k]
                    if is_letter(c) or is_digit(c) or c >= 0x80:
                        squeezed[m], origin[m] = c, at
                        sums[m + 1] = (sums[m] + np.uint64(c)) * GOLDEN
                        m += 1
            at += width
        whole[row] = _part(sums, 0, m)
        if 0 < first_m < m:
            segments[0, row], rests[0, row] = _masked(squeezed, 0, first_m), _part(sums, first_m, m)
            lengths[0, row], places[0, row] = m - first_m, first
        if 0 < last_m < m:
            segments[1, row], rests[1, row] = _masked(squeezed, last_m, m), _part(sums, 0, last_m)
            written[row], lengths[1, row], lengths[2, row] = _part(sums, last_m, m), last_m, m - last_m
            places[1, row] = _trim(data, begin, origin[last_m])
    return whole, segments, rests, written, lengths, places


@compiled
def find_endings(data, begins, ends, fold_starts, fold_pool, lengths, hashes):
    """Return where each row ends without the longest known ending that it has, int64 [n]; -1: none.

    lengths: int64, ascending: squeezed bytes of the endings; hashes: uint64, sorted: their hashes.
    """
    places = np.full(len(begins), -1, np.int64)
    longest = lengths[-1] if len(lengths) else 0
    for row in range(len(begins)):
        h, factor, m, at, next_length = np.uint64(0), GOLDEN, 0, ends[row], 0
        while at > begins[row] and m < longest:
            at = _before(data, at)
            point, _ = _decode(data, at)
            m_before = m
            if point < 0x80:
                c = np.uint8(point + 32 if 65 <= point <= 90 else point)
                if is_letter(c) or is_digit(c):
                    h += np.uint64(c) * factor
                    factor *= GOLDEN
                    m += 1
            elif point < FOLDED:
                for k in range(fold_starts[point + 1] - 1, fold_starts[point] - 1, -1):
                    c = fold_pool[k]
                    if is_letter(c) or is_digit(c) or c >= 0x80:
                        h += np.uint64(c) * factor
                        factor *= GOLDEN
                        m += 1
            while next_length < len(lengths) and lengths[next_length] < m:
                next_length += 1
            # Signs before an ending are not part of it: only a letter or digit can complete one.
            if m > m_before and next_length < len(lengths) and lengths[next_length] == m:
                key = mix(h + np.uint64(m))
                place = np.searchsorted(hashes, key)
                if place < len(hashes) and hashes[place] == key:
                    places[row] = _trim(data, begins[row], at)
    return places
