r"""Rewriting of texts as tokens in one compiled pass: Unicode and LaTeX variants become one notation.

Texts with equal tokens are the same problem; numbers, operators and brackets are separate tokens. The pass
works on UTF-8: `fold` writes a row in plain lower case, `_rewrite_row` reads that from left to right and
writes each token followed by a space. `curation.text.tokens` offers the same for columns of text.

In the loops, `b` is the folded row of `n` bytes, read at `at`; `out` is written at `m`.
"""

from functools import cache

import numpy as np

from curation.text.folding import FOLDED, GROWTH, fold_tables
from curation.text.hashing import compiled, hash_bytes, is_digit, is_letter
from curation.text.lexicon import ENVIRONMENT, FRACTION, LAYOUT, LAYOUT_WITH_ARGUMENT, Lexicon, lexicon

_DEGREE, _CIRC = np.frombuffer(b"deg", np.uint8), np.frombuffer(b"\\circ", np.uint8)
_LOG = np.frombuffer(b"log", np.uint8)
_PER_CENT, _PERCENT_SIGN = np.frombuffer(b"per cent", np.uint8), np.frombuffer(b"%", np.uint8)
_LONGEST_GROUP = 40
_MOST_GROWTH = 4
"""Most bytes written per byte read: "max" becomes "largest ", "x" becomes "x "."""
(_NEWLINE, _SPACE, _BANG, _PERCENT, _CLOSING, _COMMA, _MINUS, _POINT, _SLASH, _LESS, _EQUALS, _GREATER) = (
    b"\n !%),-./<=>"
)
(_BRACKET, _BACKSLASH, _BRACKET_END, _POWER, _UNDERSCORE, _BRACE, _BAR, _BRACE_END) = b"[\\]^_{|}"
_IS_SIGN = np.zeros(256, np.bool_)
_IS_SIGN[list(b"-+*/=<>^%()[]|")] = True


@compiled
def fold(data, begin, end, starts, pool, out):
    """Write the folded form of `data[begin:end]` to `out`; return its length."""
    n, at = 0, begin
    while at < end:
        c = data[at]
        if c < 0x80:
            out[n] = c + 32 if 65 <= c <= 90 else c
            n += 1
            at += 1
            continue
        width = 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        point = np.int64(c & (0x7F >> width))
        for k in range(1, width):
            point = point << 6 | np.int64(data[at + k] & 0x3F)
        if point < FOLDED:
            for k in range(starts[point], starts[point + 1]):
                out[n] = pool[k]
                n += 1
        else:
            for k in range(width):
                out[n] = data[at + k]
                n += 1
        at += width
    return n


@compiled
def _find(known, key):
    """Slot of a hash in a lexicon, -1 when it is absent."""
    last = np.uint64(len(known.keys) - 1)
    slot = key & last
    while known.keys[slot] != key:
        if known.keys[slot] == 0:
            return -1
        slot = (slot + np.uint64(1)) & last
    return np.int64(slot)


@compiled
def _skip_spaces(b, at, n):
    while at < n and (b[at] == _SPACE or b[at] == _NEWLINE):
        at += 1
    return at


@compiled
def _skip_group(b, at, n, opening, closing):
    """Where the text continues after a short group such as `{1cm}` or `[4pt]`; `at` when there is none."""
    if at < n and b[at] == opening:
        for stop in range(at + 1, min(n, at + _LONGEST_GROUP)):
            if b[stop] == closing:
                return stop + 1
    return at


@compiled
def _follows(b, at, n, text):
    if at + len(text) > n:
        return False
    for k in range(len(text)):  # noqa: SIM110 - compiled
        if b[at + k] != text[k]:
            return False
    return True


@compiled
def _thousands(b, at, n):
    r"""Where the next three digits begin when a separator (`,` `{,}` `\,` `,\!`) is at `at`, else -1."""
    if b[at] == _COMMA:
        at += 1
        if at + 1 < n and b[at] == _BACKSLASH and (b[at + 1] == _BANG or b[at + 1] == _COMMA):
            at += 2
    elif b[at] == _BACKSLASH and at + 1 < n and (b[at + 1] == _COMMA or b[at + 1] == _BANG):
        at += 2
    else:
        at += b[at] == _SPACE
        if not (at + 2 < n and b[at] == _BRACE and b[at + 1] == _COMMA and b[at + 2] == _BRACE_END):
            return -1
        at += 3
        at += at < n and b[at] == _SPACE
    if at + 3 > n or not (is_digit(b[at]) and is_digit(b[at + 1]) and is_digit(b[at + 2])):
        return -1
    is_more = at + 3 < n and (is_digit(b[at + 3]) or is_letter(b[at + 3]) or b[at + 3] == _UNDERSCORE)
    return -1 if is_more else at


@compiled
def _read_number(b, at, n, out, m):
    """Read a number with its thousands separators and decimals; trailing zero decimals do not count."""
    while at < n and is_digit(b[at]):
        out[m] = b[at]
        m += 1
        at += 1
    while at < n:
        following = _thousands(b, at, n)
        if following < 0:
            break
        for k in range(3):
            out[m + k] = b[following + k]
        m += 3
        at = following + 3
    if at + 1 < n and b[at] == _POINT and is_digit(b[at + 1]):
        stop, is_zero = at + 1, True
        while stop < n and is_digit(b[stop]):
            is_zero = is_zero and b[stop] == 48
            stop += 1
        if not is_zero:
            for k in range(at, stop):
                out[m] = b[k]
                m += 1
        at = stop
    out[m] = _SPACE
    return at, m + 1


@compiled
def _argument(b, at, n):
    r"""Begin and end of a simple part of a fraction (`3`, `{12}`, `{ x_1 }`, `{\pi}`, `{\sqrt{3}}`), and
    where the text continues; -1 when the part is not simple."""
    at = _skip_spaces(b, at, n)
    if at < n and is_digit(b[at]):
        return at, at + 1, at + 1
    if at >= n or b[at] != _BRACE:
        return -1, -1, -1
    begin = _skip_spaces(b, at + 1, n)
    begin += begin < n and b[begin] == _BACKSLASH
    end = begin
    while end < n and (is_digit(b[end]) or is_letter(b[end]) or b[end] == _UNDERSCORE or b[end] >= 0x80):
        end += 1
    if end > begin and b[begin - 1] == _BACKSLASH and end + 1 < n and b[end] == _BRACE:
        inner = end + 1
        while inner < n and (is_digit(b[inner]) or is_letter(b[inner])):
            inner += 1
        if inner > end + 1 and inner < n and b[inner] == _BRACE_END:
            begin, end = begin - 1, inner + 1
    close = _skip_spaces(b, end, n)
    if end == begin or close >= n or b[close] != _BRACE_END:
        return -1, -1, -1
    return begin, end, close + 1


@compiled
def _flatten_fraction(b, begin, at, n):
    r"""Rewrite `\frac{a}{b}` in place as `a/b ` when both parts are simple; return whether it did."""
    upper, upper_end, following = _argument(b, at, n)
    if upper < 0:
        return False
    lower, lower_end, following = _argument(b, following, n)
    if lower < 0:
        return False
    for k in range(upper, upper_end):
        b[begin] = b[k]
        begin += 1
    b[begin] = _SLASH
    begin += 1
    for k in range(lower, lower_end):
        b[begin] = b[k]
        begin += 1
    for k in range(begin, following):
        b[k] = _SPACE
    return True


@compiled
def _overwrite(b, begin, end, text):
    """Write `text` over the longer `b[begin:end]`."""
    for k in range(begin, end):
        b[k] = text[k - begin] if k - begin < len(text) else _SPACE


@compiled
def _skip_layout(b, at, n, action):
    r"""Where the text continues after a layout command and its arguments."""
    if action == LAYOUT_WITH_ARGUMENT:
        return _skip_group(b, at, n, _BRACE, _BRACE_END)
    if action == ENVIRONMENT:
        at = _skip_group(b, _skip_spaces(b, at, n), n, _BRACE, _BRACE_END)
        return _skip_group(b, at, n, _BRACE, _BRACE_END)
    return at


@compiled
def _end_of_degrees(b, at, n):
    r"""Where `^\circ` or `^{\circ}` at `at` ends, -1 when something else is there."""
    if b[at] != _POWER:
        return -1
    at = _skip_spaces(b, at + 1, n)
    if at < n and b[at] == _BRACE:
        at = _skip_spaces(b, at + 1, n)
    if not _follows(b, at, n, _CIRC):
        return -1
    at = _skip_spaces(b, at + len(_CIRC), n)
    return at + (at < n and b[at] == _BRACE_END)


@compiled
def _end_of_sign(b, at, n):
    """Where the operator or bracket at `at` ends; `at` when there is none, or only a hyphen."""
    c, end = b[at], at + 1
    is_equality = end < n and b[end] == _EQUALS
    if c == _BANG:  # != or a factorial; otherwise an exclamation mark
        is_factorial = at > 0 and (is_digit(b[at - 1]) or b[at - 1] == _CLOSING)
        return end + 1 if is_equality else end if is_factorial else at
    if not _IS_SIGN[c]:
        return at
    if c == _MINUS and end + 1 < n and is_letter(b[end]) and is_letter(b[end + 1]):
        return at
    return end + 1 if is_equality and (c == _LESS or c == _GREATER) else end  # noqa: SIM109 - compiled


@compiled
def _rewrite_row(b, n, out, m, known):
    at = 0
    while at < n:
        c, begin, slot = b[at], at, -1
        if is_digit(c):
            # LaTeX: log_82 is the logarithm of 2 to the base 8.
            is_base = at > 3 and b[at - 1] == _UNDERSCORE and _follows(b, at - 4, n, _LOG)
            at, m = _read_number(b, at, at + 1 if is_base else n, out, m)
            continue
        if c == _BACKSLASH:
            at += 1
            while at < n and is_letter(b[at]):
                at += 1
            if at == begin + 1:
                # \% and \| are signs; \( \[ \{ \, and the like are layout; \\[4pt] is a new line.
                if at < n and b[at] == _BACKSLASH:
                    at = _skip_group(b, at + 1, n, _BRACKET, _BRACKET_END)
                elif at < n and b[at] < 0x80 and b[at] != _PERCENT and b[at] != _BAR and not is_digit(b[at]):
                    at += 1
                continue
            slot = _find(known, hash_bytes(b, begin, at))
            action = known.actions[slot] if slot >= 0 else 0
            if action >= LAYOUT and action != FRACTION:
                at = _skip_layout(b, at, n, action)
                continue
            if action == FRACTION and _flatten_fraction(b, begin, at, n):
                at = begin
                continue
            begin += 1
        elif is_letter(c):
            while at < n and is_letter(b[at]):
                at += 1
            if at - begin == 3 and _follows(b, begin, n, _PER_CENT):
                _overwrite(b, begin, begin + len(_PER_CENT), _PERCENT_SIGN)
                at = begin
                continue
        elif c >= 0x80:  # a letter of another script is a separate token
            at += 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        else:
            stop = _end_of_degrees(b, at, n)
            if stop >= 0:
                _overwrite(b, at, stop, _DEGREE)
                continue
            at = _end_of_sign(b, at, n)
            if at == begin:
                at += 1
                continue
        if slot < 0:
            slot = _find(known, hash_bytes(b, begin, at))
        if slot >= 0:
            for k in range(known.starts[slot], known.starts[slot + 1]):
                out[m] = known.pool[k]
                m += 1
        else:
            for k in range(begin, at):
                out[m] = b[k]
                m += 1
        out[m] = _SPACE
        m += 1
        if is_letter(c) and at - begin > 1 and at < n and b[at] == _MINUS:
            at += 1  # a hyphen
    return m


@compiled
def _rewrite(data, begins, ends, fold_starts, fold_pool, known):
    n = len(begins)
    starts = np.zeros(n + 1, np.int64)
    out = np.empty(max(1024, len(data) * 2), np.uint8)
    folded = np.empty(1024, np.uint8)
    m = 0
    for row in range(n):
        most = GROWTH * (ends[row] - begins[row])
        if most > len(folded):
            folded = np.empty(2 * most, np.uint8)
        length = fold(data, begins[row], ends[row], fold_starts, fold_pool, folded)
        if m + _MOST_GROWTH * length > len(out):
            larger = np.empty(2 * len(out) + _MOST_GROWTH * length, np.uint8)
            larger[:m] = out[:m]
            out = larger
        m = _rewrite_row(folded, length, out, m, known)
        starts[row + 1] = m
    return starts, out[:m]


def rewrite(data: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rewrite rows `data[begins[i]:ends[i]]`, uint8, as tokens, each followed by a space.

    Returns where each row's tokens begin, int64 [n + 1], and their bytes.
    """
    return _rewrite(data, begins, ends, *tables())


@cache
def tables() -> tuple[np.ndarray, np.ndarray, Lexicon]:
    return (*fold_tables(), lexicon(hash_bytes))
