"""Search for duplicate problems: equal matching keys, then near candidates, with every pair verified.

roots = find_duplicates(pl.Series(["What is 2 + 3?", "Compute: what is $2+3$?", "What is 2 - 3?"]))
"""

import re
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from curation.text.contraries import NEGATION
from curation.text.token_index import Frequencies, TokenIndex, build_index, index_tokens
from curation.text.tokens import rewrite_texts, tokens_joined
from rewards.contracts.settings import Settings

_FEW_WORDS = 8
_CERTAIN = 0.95
_SAME_WORDS = 0.8
_NO_MATTER = r"[()%]|\bdeg\b"


class DuplicateConfig(Settings):
    """When two texts count as one problem. Numbers, operators and contraries must always agree."""

    near: bool = True
    """Also find near duplicates; false: find only texts with equal matching keys."""
    n_bands: int = Field(default=16, ge=1)
    """MinHash bands of two hashes each; more bands find looser duplicates and take longer."""
    reach: int = Field(default=10, ge=1)
    """In a bucket of candidates, each row is compared with this many following ones."""
    similarity: float = Field(default=0.5, gt=0, le=1)
    """Least similarity of two texts: shared weight / weight of the union; rare words weigh more."""
    similarity_of_numbers: float = Field(default=0.35, gt=0, le=1)
    """The same for texts that share at least three numbers in the same order."""
    containment: float = Field(default=0.97, gt=0, le=1)
    """A text that contains this share of the shorter one's weight is its duplicate, whatever surrounds it."""


def find_duplicates(
    texts: pl.Series,
    config: DuplicateConfig | None = None,
    answers: pl.Series | None = None,
    frequencies: Frequencies | None = None,
) -> np.ndarray:
    """Return for each row the first row of its cluster, int64 [n].

    `answers`: when given, near (not equal) texts whose answers are different numbers stay separate.
    `frequencies`: those of the whole corpus, when `texts` is a part of it.
    """
    from curation.dedup.union_find import find_roots
    from curation.text.token_ids import first_equal

    config = config or DuplicateConfig()
    if not len(texts):
        return np.empty(0, np.int64)
    starts, tokens = rewrite_texts(texts)
    roots = first_equal(tokens, starts)
    if not config.near:
        return roots
    # One row represents all rows with its key: near candidates are searched for among these only.
    first = np.flatnonzero(roots == np.arange(len(roots)))
    index = index_tokens(tokens, starts[first], starts[first + 1], frequencies)
    near = _verified(index, config)
    left, right = first[near.left], first[near.right]
    if answers is not None:
        keep = _answers_agree(texts, answers, left, right, near)
        left, right = left[keep], right[keep]
    return find_roots(len(roots), left, right)[roots]


def mathematics(texts: pl.Series) -> np.ndarray:
    """Hash each text's numbers and operators, in any order, uint64 [n]; duplicates have the same hash."""
    from curation.text.rows import row_hashes

    index = build_index(texts)
    return row_hashes(index.starts, index.ids, index.hashes, index.kinds)[0]


def templates(texts: pl.Series) -> list[str | None]:
    """Name each text's template (its words without its numbers) in 16 hex digits; None for few words."""
    from curation.text.rows import word_hashes

    index = build_index(texts)
    hashes, n_words = word_hashes(index.starts, index.ids, index.hashes, index.kinds)
    return [f"{key:016x}" if n >= _FEW_WORDS else None for key, n in zip(hashes, n_words, strict=True)]


class _Near(NamedTuple):
    """Pairs of rows that say the same, and how surely."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray
    n_numbers: np.ndarray
    in_order: np.ndarray
    """True where the numbers come in the same order."""


def _verified(index: TokenIndex, config: DuplicateConfig) -> _Near:
    """Propose pairs and keep those that say the same."""
    from curation.dedup.candidates import candidate_pairs
    from curation.dedup.kernels import (
        compare_pairs,
        kept_contexts,
        minhash,
        shared_rows,
        swapped_contraries,
    )
    from curation.text.rows import row_hashes, sorted_rows

    multiset, sequence, formula, n_numbers, n_words = row_hashes(
        index.starts, index.ids, index.hashes, index.kinds
    )
    # Only rows that share their numbers and operators with another one can have a duplicate.
    kin = shared_rows(multiset)
    signatures = minhash(index.starts, index.ids, index.hashes, kin, 2 * config.n_bands)
    left, right = candidate_pairs(index, kin, multiset[kin], n_numbers, signatures, config.reach)
    ordered = sorted_rows(index.starts, index.ids, np.union1d(left, right))
    similarity, containment, n_strict, clash, n_negations = compare_pairs(
        left,
        right,
        index.starts,
        ordered,
        index.weights,
        index.kinds,
        index.contrasts,
        np.uint64(NEGATION),
    )
    # In other words, "does not exceed" may be "is at most"; in the same words, a negation says the opposite.
    clash |= (n_negations > 0) & ((similarity >= _SAME_WORDS) | (containment >= _CERTAIN))
    nearly = np.flatnonzero(similarity >= _SAME_WORDS)
    clash[nearly] |= swapped_contraries(left[nearly], right[nearly], index.starts, index.ids, index.contrasts)
    contexts = kept_contexts(left, right, index.starts, index.ids, index.kinds)
    is_formula = np.minimum(n_words[left], n_words[right]) < _FEW_WORDS
    # A bracket in another place makes another formula; in prose it is a matter of style.
    is_possible = (n_strict == 0) & ~clash & ~(is_formula & (formula[left] != formula[right]))
    is_close = similarity >= config.similarity
    in_order = sequence[left] == sequence[right]
    by_numbers = (n_numbers[left] >= 3) & (similarity >= config.similarity_of_numbers)
    # If the words are the same, numbers in another order were swapped, unless each kept a neighbor; in
    # reworded sentences, most of them keep one.
    kept = np.where(similarity < 0.9, contexts >= 0.6, contexts >= 0.999) & ~is_formula
    is_same = is_possible & np.where(
        in_order, is_close | (containment >= config.containment) | by_numbers, is_close & kept
    )
    found = _Near(left, right, similarity, n_numbers[left], in_order)
    return _Near(*(array[is_same] for array in found))


def _answers_agree(
    texts: pl.Series, answers: pl.Series, left: np.ndarray, right: np.ndarray, near: _Near
) -> np.ndarray:
    """True for equal answers; otherwise if the texts certainly match and an answer is not a number, if the
    verifier takes one answer for the other, or if the texts state one problem whose golds dispute."""
    from curation.dedup.disputes import is_dispute
    from curation.dedup.golds import is_same_gold

    keys = answer_keys(answers)
    is_certain = near.in_order & (near.similarity >= _CERTAIN)
    pairs = pl.DataFrame({"left": keys[left], "right": keys[right], "is_certain": is_certain})
    number = r"^-?\d+(?:/\d+)?$"
    both_numbers = pl.col("left").str.contains(number) & pl.col("right").str.contains(number)
    agree = (pl.col("left") == pl.col("right")) | (pl.col("is_certain") & ~both_numbers)
    agrees = pairs.select(agree).to_series().to_numpy().copy()
    for place in np.flatnonzero(~agrees & near.in_order):
        a, b = int(left[place]), int(right[place])
        agrees[place] = is_same_gold(answers[a] or "", answers[b] or "") or is_dispute(
            texts[a], texts[b], float(near.similarity[place]), int(near.n_numbers[place])
        )
    return agrees


def answer_keys(answers: pl.Series) -> pl.Series:
    r"""Reduce answers to a form in which notation, units and a leading `x =` do not matter.

    >>> answer_keys(pl.Series([r"$\dfrac{1}{2}$", "0.50", "1,000", "x = 1000.", r"60\text{ cm}"])).to_list()
    ['1/2', '1/2', '1000', '1000', '60']
    """
    bare = answers.fill_null("").str.replace(r"^\s*\$*\s*[A-Za-z]\s*=\s*", "")
    bare = bare.str.replace_all(r"(\d)\s*\\text\{[^{}]*\}", "$1")
    bare = _with_row_ends(bare)
    joined = tokens_joined(bare).str.replace_all(_NO_MATTER, " ").str.replace_all(" +", " ").str.strip_chars()
    keys = joined.zip_with(joined != "", answers.fill_null(""))
    unique = keys.unique(maintain_order=True)
    return keys.replace_strict(unique, pl.Series([_as_fraction(one) for one in unique], dtype=pl.String))


def _with_row_ends(answers: pl.Series) -> pl.Series:
    r"""Write the ends of a matrix's rows as words: signs are folded away, and these must not be."""
    has_rows = answers.str.contains(r"(?:^|[^\\])\\begin\{").fill_null(False)
    ends = answers.str.replace_all(r"\\\\\s*\\end", r"\end").str.replace_all(
        r"\\\\(?:\[[^\]]*\])?|\\cr\b|\\tabularnewline", " rowend "
    )
    return ends.zip_with(has_rows, answers)


def _as_fraction(key: str) -> str:
    """Write a number or a fraction of integers in lowest terms; leave anything else unchanged."""
    match = re.fullmatch(r"(- )?(\d+(?:\.\d+)?)(?: / (\d+))?", key)
    if match is None or int(match[3] or 1) == 0 or len(key) > 40:
        return key
    value = Fraction(match[2]) / int(match[3] or 1)
    return str(-value if match[1] else value)
