"""The tokens of a corpus as flat arrays, ready for compiled loops: ids in order, counts, weights, classes.

index = build_index(pl.Series(["What is 2 + 3?", "2 + 3 = ?"]))
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.contrast import contrast_bits, representative
from curation.tokens import tokenise

NUMBER, OPERATOR, BRACKET, LETTER, WORD = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class TokenIndex:
    """Row i holds the tokens `ids[starts[i]:starts[i + 1]]`; the others have one entry a word."""

    starts: np.ndarray
    """int64, [n_rows + 1]"""
    ids: np.ndarray
    """int32, all tokens of all rows in order"""
    vocabulary: list[str]
    hashes: np.ndarray
    """uint64, 64 bits of BLAKE2 of the word: the same in every corpus"""
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
    """Tokenise texts and lay them out flat; words that mean the same count as one."""
    tokens = pl.DataFrame({"text": texts}).select(tokens=tokenise(pl.col("text")))["tokens"]
    starts = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum(tokens.list.len().to_numpy(), out=starts[1:])
    flat = tokens.explode(empty_as_null=False)
    words = flat.unique(maintain_order=True)
    table = pl.DataFrame({"token": words, "same": [representative(word) for word in words]}).with_columns(
        id=pl.col("same").rank("dense").cast(pl.Int32) - 1
    )
    numbered = pl.DataFrame({"token": flat}).join(table, on="token", how="left", maintain_order="left")
    ids = numbered["id"].to_numpy()
    words = table.unique("id").sort("id")["same"]
    rows = np.repeat(np.arange(len(tokens), dtype=np.int64), np.diff(starts))
    # A pair (row, word) counts once, however often the word stands in the row.
    pairs = np.unique(rows * max(len(words), 1) + ids)
    frequency = np.bincount(pairs % max(len(words), 1), minlength=len(words))
    vocabulary = words.to_list()
    return TokenIndex(
        starts=starts,
        ids=ids,
        vocabulary=vocabulary,
        hashes=np.array([hash_word(word) for word in vocabulary], np.uint64),
        kinds=np.array([_kind(word) for word in vocabulary], np.uint8),
        weights=np.log1p(len(tokens) / np.maximum(frequency, 1)).astype(np.float32),
        contrasts=np.array([contrast_bits(word) for word in vocabulary], np.uint64),
    )


def hash_word(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


def _kind(word: str) -> int:
    if word[0].isdigit():
        return NUMBER
    if word in "()[]|":
        return BRACKET
    if not word[0].isalpha():
        return OPERATOR
    return LETTER if len(word) == 1 and word.isascii() else WORD
