"""Search for benchmark problems in a corpus: equal, wrapped, embedded, reworded, short.

    leaks = find_leaks(texts, protected, LeakConfig())

The benchmarks are small, so they are indexed by their rare tokens and adjacent pairs; a row is compared only
with problems that share several of them.
"""

import numpy as np
import polars as pl
from pydantic import Field

from curation.text.series import comparable
from curation.text.token_index import Frequencies, TokenIndex, build_index
from curation.text.tokens import rewrite_texts, tokens_joined, utf8
from rewards.contracts.settings import Settings


class LeakConfig(Settings):
    """When a row counts as a leak of a benchmark problem. Shares are weighted: rare words weigh more."""

    coverage: float = Field(default=0.6, gt=0, le=1)
    """Least share of the benchmark problem that the row must contain."""
    short_coverage: float = Field(default=0.9, gt=0, le=1)
    """Least share of the words of a short problem (fewer than twelve words)."""
    phrases: float = Field(default=0.6, gt=0, le=1)
    """Least share of its adjacent word pairs in the row, when both have the same numbers."""
    phrases_embedded: float = Field(default=0.7, gt=0, le=1)
    """The same when the row has further numbers, as when it contains the problem among other text."""
    prose_words: int = Field(default=20, ge=1)
    """From this many words on, a benchmark problem is prose, which may have been reworded."""
    prose_coverage: float = Field(default=0.55, gt=0, le=1)
    """Least share of the words of prose; up to two numbers may be spelled out or missing."""
    bare_coverage: float = Field(default=0.65, gt=0, le=1)
    """The same for prose with fewer than two numbers."""
    prose_phrases: float = Field(default=0.3, gt=0, le=1)
    """Least share of the adjacent word pairs of prose."""
    free_coverage: float = Field(default=0.38, gt=0, le=1)
    """Least share of freely reworded prose, which must have all the numbers (two or more) and no others."""
    number_variants: bool = False
    """Also remove rows that repeat a benchmark problem with other numbers."""
    variant_coverage: float = Field(default=0.8, gt=0, le=1)
    """Least share of the words for such a variant."""
    max_gram_rows: int = Field(default=25, ge=1)
    """Tokens and pairs that are in more benchmark problems than this do not propose candidates."""
    max_generic: int = Field(default=4, ge=1)
    """A benchmark text contained in more than this many others is a stock phrase; only a row equal to it is a
    leak."""
    min_embedded_tokens: int = Field(default=5, ge=1)
    """Shortest benchmark text, in tokens, that is searched for inside rows."""


_OPTION_TAIL = r"(?s)\n\s*\(?A\s*[).、．:]\s.*\n\s*\(?B\s*[).、．:]\s.*$"
_SENTENCE_END = r"<\|\w+\|>|([.!?;:,])\s+|\n+|[。？！；：，]|([)）])\s+"
_LONGEST_RUN = 3
_LEAST_SHARE = 0.15
_SHORT = 12

LEAK_SCHEMA = pl.Schema(
    {"row": pl.Int64(), "reason": pl.String(), "detail": pl.String(), "matched": pl.String()}
)


def find_leaks(
    texts: pl.Series,
    protected: pl.DataFrame,
    config: LeakConfig | None = None,
    frequencies: Frequencies | None = None,
) -> pl.DataFrame:
    """Return one line per leaking row: row number, reason, detail, matched ("benchmark:question_id").

    texts: bare problem texts; protected: columns benchmark, question_id, problem; frequencies: those of the
    whole corpus, when `texts` is a part of it. In order of rows.
    """
    config = config or LeakConfig()
    targets = _targets(protected)
    if not len(texts) or targets.is_empty():
        return pl.DataFrame(schema=LEAK_SCHEMA)
    phrases = _phrases(targets, config.max_generic)
    problems = targets.join(phrases, on="key", how="anti", maintain_order="left")
    found = pl.concat(
        [_equal_leaks(texts, targets, problems, config), _covered_leaks(texts, problems, config, frequencies)]
    )
    return found.unique("row", keep="first", maintain_order=True).sort("row").select(LEAK_SCHEMA.names())


def _targets(protected: pl.DataFrame) -> pl.DataFrame:
    """One row per distinct benchmark text, with and without its lettered options: name, problem, key."""
    named = protected.select(
        name=pl.format("{}:{}", pl.col("benchmark"), pl.col("question_id")),
        problem=comparable(protected["problem"]),
    )
    stripped = named.with_columns(problem=pl.col("problem").str.replace(_OPTION_TAIL, ""))
    both = pl.concat([named, stripped])
    both = both.with_columns(key=tokens_joined(both["problem"]))
    return both.filter(pl.col("key") != "").unique("key", keep="first", maintain_order=True)


def _equal_leaks(
    texts: pl.Series, targets: pl.DataFrame, problems: pl.DataFrame, config: LeakConfig
) -> pl.DataFrame:
    """Rows equal to a benchmark text, or containing one (not a phrase) as a run of whole sentences."""
    from curation.decontaminate.kernels import find_runs, row_keys

    starts, tokens = rewrite_texts(texts)
    keys, names = _key_table(targets)
    whole = row_keys(tokens, starts)
    places = np.minimum(np.searchsorted(keys, whole), len(keys) - 1)
    rows = np.flatnonzero(keys[places] == whole)
    equal = _named(rows, names, places[rows], "equal", "the same text after normalization")

    sentences = texts.fill_null("").str.replace_all(_SENTENCE_END, "$1$2\u0001").str.split("\u0001")
    first_sentences = np.concatenate([[0], np.cumsum(sentences.list.len().to_numpy())]).astype(np.int64)
    starts, tokens = rewrite_texts(sentences.explode())
    long_enough = problems.filter(pl.col("key").str.count_matches(" ") + 1 >= config.min_embedded_tokens)
    keys, names = _key_table(long_enough)
    rows, places = find_runs(tokens, starts, first_sentences, keys, _LONGEST_RUN)
    embedded = _named(rows, names, places, "embedded", "contains the benchmark text as sentences")
    return pl.concat([equal, embedded])


def _key_table(targets: pl.DataFrame) -> tuple[np.ndarray, pl.Series]:
    """Sorted hashes of the targets' keys, uint64, and the targets' names in that order."""
    from curation.decontaminate.kernels import row_keys

    data, starts = utf8(targets["key"] + " ")
    keys = row_keys(data, starts)
    order = np.argsort(keys, kind="stable")
    return keys[order], targets["name"].gather(order)


def _named(rows: np.ndarray, names: pl.Series, places: np.ndarray, reason: str, detail: str) -> pl.DataFrame:
    found = pl.DataFrame({"row": rows, "matched": names.gather(places)}, schema_overrides={"row": pl.Int64})
    return found.select("row", reason=pl.lit(reason), detail=pl.lit(detail), matched="matched")


def _phrases(targets: pl.DataFrame, max_generic: int) -> pl.DataFrame:
    """Short benchmark texts contained in many others ("which of the following is true"): column key."""
    short = targets.filter(pl.col("key").str.count_matches(" ") < _SHORT)["key"]
    if short.is_empty():
        return pl.DataFrame(schema={"key": pl.String})
    found = targets.select(
        key=pl.col("key").str.extract_many(short.to_list(), overlapping=True).list.unique()
    ).explode("key")
    return found.group_by("key").len().filter(pl.col("len") > max_generic + 1).select("key")


def _covered_leaks(
    texts: pl.Series, targets: pl.DataFrame, config: LeakConfig, frequencies: Frequencies | None
) -> pl.DataFrame:
    """Rows that contain most of a benchmark problem, by the weight of its tokens, and its numbers."""
    from curation.decontaminate.kernels import cover_pairs, shared_phrases
    from curation.text.rows import row_hashes, sorted_rows

    n_texts = len(texts)
    index = build_index(pl.concat([texts.alias("text"), targets["problem"].alias("text")]), frequencies)
    rows, wanted = _candidates(index, n_texts, config)
    ordered = sorted_rows(index.starts, index.ids, np.union1d(rows, wanted))
    _, _, _, n_numbers, n_words = row_hashes(index.starts, index.ids, index.hashes, index.kinds)
    coverage, word_coverage, n_lacking, n_extra = cover_pairs(
        rows, wanted, index.starts, ordered, index.weights, index.kinds
    )
    phrases = shared_phrases(rows, wanted, index.starts, index.ids)
    has_numbers, is_prose = n_numbers[wanted], n_words[wanted] >= config.prose_words
    has_all, has_same = n_lacking == 0, (n_lacking == 0) & (n_extra == 0)
    # In a short problem one word makes the difference ("... is true of whales?").
    is_covered = (coverage >= config.coverage) & has_all
    is_covered &= (n_words[wanted] >= 12) | (word_coverage >= config.short_coverage)
    is_verbatim = is_covered & np.where(
        has_same, phrases >= config.phrases, phrases >= config.phrases_embedded
    )
    # Reworded prose may spell out or drop numbers; if each side has a number the other lacks, they differ.
    nearly_same = ((n_lacking == 0) | (n_extra == 0)) & (n_lacking + n_extra <= 2) & (has_numbers >= 2)
    is_close = (word_coverage >= config.prose_coverage) & (phrases >= config.prose_phrases)
    # With fewer than two numbers to go by, the words must match more closely.
    is_certain = nearly_same | (has_same & (word_coverage >= config.bare_coverage))
    is_reworded = is_prose & is_certain & is_close
    is_free = has_same & (has_numbers >= 2) & (n_words[wanted] >= 15) & (coverage >= config.free_coverage)
    is_leak = is_verbatim | is_reworded | (is_free & (word_coverage >= 0.3) & (phrases >= 0.12))
    is_variant = (has_numbers > 0) & ~has_all & (word_coverage >= config.variant_coverage)
    is_found = is_leak | (is_variant & config.number_variants)
    table = pl.DataFrame(
        {
            "row": rows[is_found],
            "target": wanted[is_found] - n_texts,
            "coverage": coverage[is_found],
            "is_leak": is_leak[is_found],
        }
    )
    table = table.sort(["row", "is_leak", "coverage", "target"], descending=[False, True, True, False])
    return table.unique("row", keep="first", maintain_order=True).select(
        "row",
        reason=pl.when("is_leak").then(pl.lit("near")).otherwise(pl.lit("number_variant")),
        detail=pl.format(
            "contains {}% of the benchmark text", (pl.col("coverage") * 100).round().cast(pl.Int64)
        ),
        matched=targets["name"].gather(table.unique("row", keep="first", maintain_order=True)["target"]),
    )


def _candidates(index: TokenIndex, n_texts: int, config: LeakConfig) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with the benchmark texts that share rare tokens and pairs of neighbors with them."""
    from curation.decontaminate.kernels import propose, target_grams

    arrays = (index.starts, index.ids, index.hashes, index.kinds, index.weights)
    grams, targets, weights = target_grams(*arrays, n_texts)
    known, places, counts = np.unique(grams, return_inverse=True, return_counts=True)
    is_rare = counts <= config.max_gram_rows
    keep = is_rare[places]
    targets, weights, places = targets[keep] - n_texts, weights[keep], places[keep]
    totals = np.bincount(targets, weights, index.n_rows - n_texts).astype(np.float32)
    order = np.lexsort((targets, places))
    posting_starts = np.concatenate([[0], np.cumsum(counts[is_rare])]).astype(np.int64)
    rows, wanted = propose(
        *arrays, n_texts, known[is_rare], posting_starts, targets[order], totals, np.float32(_LEAST_SHARE)
    )
    return rows, wanted + n_texts
