"""Token index: the tokens of a corpus as flat arrays for compiled loops: ids, kinds, weights, contraries.

index = build_index(pl.Series(["What is 2 + 3?", "2 + 3 = ?"]))
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.text.contraries import synonyms
from curation.text.tokens import rewrite_texts


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Number of texts in the whole corpus that contain each token; makes weights equal in all parts of it."""

    n_rows: int
    hashes: np.ndarray
    """uint64, sorted"""
    counts: np.ndarray
    """int64"""

    def of(self, hashes: np.ndarray) -> np.ndarray:
        """Look up tokens; an unknown one counts as being in one text."""
        if not len(self.hashes):
            return np.ones(len(hashes), np.int64)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[place] == hashes, self.counts[place], 1)


@dataclass(frozen=True, slots=True)
class TokenIndex:
    """Row i has the tokens `ids[starts[i]:starts[i + 1]]`; the other arrays have one entry per id."""

    starts: np.ndarray
    """int64, [n_rows + 1]"""
    ids: np.ndarray
    """int32, all tokens of all rows in order"""
    hashes: np.ndarray
    """uint64, hash of the token's text: the same in every corpus"""
    kinds: np.ndarray
    """uint8: NUMBER, OPERATOR, BRACKET, LETTER (a single one) or WORD"""
    weights: np.ndarray
    """float32, inverse document frequency"""
    contrasts: np.ndarray
    """uint64, one bit for each set of contraries the word belongs to"""
    heaviest: float
    """weight of a word that is in one text only"""

    @property
    def n_rows(self) -> int:
        return len(self.starts) - 1


def build_index(texts: pl.Series, frequencies: Frequencies | None = None) -> TokenIndex:
    """Cut texts into tokens and store them flat; words that mean the same count as one."""

    starts, tokens = rewrite_texts(texts)
    return index_tokens(tokens, starts[:-1], starts[1:], frequencies)


def index_tokens(
    tokens: np.ndarray, begins: np.ndarray, ends: np.ndarray, frequencies: Frequencies | None = None
) -> TokenIndex:
    """Index rewritten rows `tokens[begins[i]:ends[i]]`, uint8; `frequencies` default to those of the rows."""
    from curation.text.token_ids import number_tokens

    starts, ids, hashes, kinds, counts = number_tokens(tokens, begins, ends)
    known = frequencies or Frequencies(len(begins), hashes, counts)
    weights = np.log1p(known.n_rows / known.of(hashes)).astype(np.float32)
    return TokenIndex(starts, ids, hashes, kinds, weights, _contrasts(hashes), float(np.log1p(known.n_rows)))


def count_tokens(texts: pl.Series) -> pl.DataFrame:
    """Number of texts that contain each token: hash (uint64), n (int64)."""
    from curation.text.token_ids import number_tokens

    starts, tokens = rewrite_texts(texts)
    _, _, hashes, _, counts = number_tokens(tokens, starts[:-1], starts[1:])
    return pl.DataFrame({"hash": hashes, "n": counts})


def _contrasts(hashes: np.ndarray) -> np.ndarray:
    """Look up the contraries of tokens, uint64 [n_ids]."""
    from curation.text.hashing import hash_bytes

    known = {word: bits for word, (stands, bits) in synonyms().items() if word == stands}
    words = [np.frombuffer(word.encode(), np.uint8) for word in known]
    keys = np.array([hash_bytes(word, 0, len(word)) for word in words], np.uint64)
    bits = np.array(list(known.values()), np.uint64)
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys[order], hashes), len(keys) - 1)
    return np.where(keys[order][place] == hashes, bits[order][place], np.uint64(0))
