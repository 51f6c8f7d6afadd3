"""The compiled comparison of rows with benchmark problems, checked against slow loops over multisets."""

from collections import Counter

import numpy as np

from curation.decontaminate.kernels import cover_pairs, shared_phrases
from curation.text.kinds import NUMBER, WORD


def test_coverage_equals_slow_loops():
    random = np.random.default_rng(3)
    lengths = [0, 1, 400, *random.integers(2, 60, 27)]
    rows = [random.integers(0, 40, length) for length in lengths]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids, ordered = np.concatenate(rows), np.concatenate([np.sort(row) for row in rows])
    kinds = np.where(np.arange(40) < 25, WORD, NUMBER).astype(np.int8)
    weights = random.uniform(0.5, 3, 40).astype(np.float32)
    left, right = (grid.ravel() for grid in np.meshgrid(np.arange(30), np.arange(30), indexing="ij"))
    found = cover_pairs(left, right, starts, ordered, weights, kinds)
    phrases = shared_phrases(left, right, starts, ids)
    for pair, (row, target) in enumerate(zip(left, right, strict=True)):
        have, wanted = Counter(rows[row].tolist()), Counter(rows[target].tolist())
        expected = slow_coverage(have, wanted, weights, kinds)
        np.testing.assert_allclose([column[pair] for column in found], expected, rtol=1e-5)
        pairs = list(zip(rows[target], rows[target][1:], strict=False))
        held = set(zip(rows[row], rows[row][1:], strict=False))
        share = sum(one in held for one in pairs) / len(pairs) if pairs else 1.0
        np.testing.assert_allclose(phrases[pair], share, rtol=1e-6)


def slow_coverage(have: Counter, wanted: Counter, weights, kinds) -> tuple[float, float, int, int]:
    shared = have & wanted

    def weight(tokens: Counter, kind=None) -> float:
        return sum(n * weights[one] for one, n in tokens.items() if kind in (None, kinds[one]))

    def numbers(tokens: Counter) -> int:
        return sum(n for one, n in tokens.items() if kinds[one] == NUMBER)

    whole, words = weight(wanted), weight(wanted, WORD)
    return (
        weight(shared) / whole if whole else 0.0,
        weight(shared, WORD) / words if words else 1.0,
        numbers(wanted - have),
        numbers(have - wanted),
    )
