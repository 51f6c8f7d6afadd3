"""The tokens of a corpus as flat arrays, ready for compiled loops: ids in order, kinds, weights, contraries.

index = build_index(pl.Series(["What is 2 + 3?", "2 + 3 = ?"]))
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.contrast import synonyms
from curation.tokens import utf8

NUMBER, OPERATOR, BRACKET, LETTER, WORD = 0, 1, 2, 3, 4
"""Kinds of tokens; what makes up the mathematics comes first."""


@dataclass(frozen=True, slots=True)
class TokenIndex:
    """Row i holds the tokens `ids[starts[i]:starts[i + 1]]`; the other arrays have one entry an id."""

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

    @property
    def n_rows(self) -> int:
        return len(self.starts) - 1


def build_index(texts: pl.Series) -> TokenIndex:
    """Cut texts into tokens and lay them out flat; words that mean the same count as one."""
    from curation.rewriting import rewrite

    data, starts = utf8(texts)
    starts, tokens = rewrite(data, starts[:-1], starts[1:])
    return index_tokens(tokens, starts[:-1], starts[1:])


def index_tokens(tokens: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> TokenIndex:
    """Index rewritten rows `tokens[begins[i]:ends[i]]`, uint8."""
    from curation.numbering import number_tokens

    starts, ids, hashes, kinds, frequency = number_tokens(tokens, begins, ends)
    weights = np.log1p(len(begins) / frequency).astype(np.float32)
    return TokenIndex(starts, ids, hashes, kinds, weights, _contrasts(hashes))


def _contrasts(hashes: np.ndarray) -> np.ndarray:
    """Look up the contraries of tokens, uint64 [n_ids]."""
    from curation.rewriting import hash_bytes

    known = {word: bits for word, (stands, bits) in synonyms().items() if word == stands}
    words = [np.frombuffer(word.encode(), np.uint8) for word in known]
    keys = np.array([hash_bytes(word, 0, len(word)) for word in words], np.uint64)
    bits = np.array(list(known.values()), np.uint64)
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys[order], hashes), len(keys) - 1)
    return np.where(keys[order][place] == hashes, bits[order][place], np.uint64(0))
