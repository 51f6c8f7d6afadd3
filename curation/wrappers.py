"""Taking the wrapping off a problem: numbering, chat labels, instructions to the model.

What wraps is learnt from the corpus: a first or last segment is a wrapper when taking it away leaves a text
that is itself a row, for several rows ("Solve step by step." before problems that also stand alone).
Only the shape of numbering, headings and tags is known beforehand.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from curation.tokens import utf8

_SHAPES = (
    (r"^\s*<", r"^\s*<\w{1,20}>\s*"),
    (r">\s*$", r"\s*</\w{1,20}>\s*$"),
    (r"^\s*#", r"^\s*#{1,6} [^\n]{0,40}\n+"),
    (r"\n#", r"\n#{1,6} [^\n]{0,40}(?:\n+[^\n]{0,20})?\s*$"),
    (
        r"^\s*[\[(（【]",
        r"^\s*[\[(（【][^\])）】\n$\\=]{0,20}(?:\p{Latin}{4,}|[分题])[^\])）】\n$\\=]{0,20}[\])）】]\s*",
    ),
    (r"[:：]\s*$", r"\n\s*\p{L}{1,12}\s*[:：]\s*$"),
    (
        r"^\s*(?:\p{L}{1,10}\.?\s?)?\d{1,3}[.)．、: ]",
        r"^\s*(?:\p{L}{1,10}\.?\s?)?\d{1,3}(?:\.\d{1,3})?\s?(?:[.)．、:]\s|[．、])\s*(?<rest>\p{L}|\$|\\)",
    ),
)
"""A quick test that most texts fail, and what is taken off: opening and closing tags, heading lines, a
bracketed remark such as (5 points), a trailing "Answer:", numbering (3. / Problem 12. / 例 7、) before a text
that goes on with a letter or a formula."""

_SHORTEST_REST = 12
_SHORTEST_ENDING = 12
_NONE = np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Learnt segments by hash, each with an example as written; see `curation.segments` for the hashes."""

    prefixes: dict[int, str] = field(default_factory=dict)
    suffixes: dict[int, str] = field(default_factory=dict)
    endings: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Suffixes taken off also where no sentence ends before them; with their squeezed length in bytes."""

    def strip(self, texts: pl.Series, n_rounds: int = 3) -> pl.Series:
        """Take shapes and learnt segments off both ends, outermost first; a text never becomes empty."""
        changed = np.arange(len(texts))
        bare = texts
        for _ in range(n_rounds):
            before = bare if len(changed) == len(texts) else bare.gather(changed)
            after = self._strip_segments(_strip_shapes(before))
            is_changed = (before != after).to_numpy()
            if not is_changed.any():
                break
            changed = changed[is_changed]
            bare = bare.scatter(changed, after.filter(pl.Series(is_changed)))
        return bare

    def _strip_segments(self, texts: pl.Series) -> pl.Series:
        if not (self.prefixes or self.suffixes or self.endings):
            return texts
        data, starts = utf8(texts)
        begins, ends = starts[:-1].copy(), starts[1:].copy()
        parts = _split(data, begins, ends, self.endings)
        has_prefix = np.isin(parts.segments[0], _keys(self.prefixes))
        begins[has_prefix] = parts.places[0][has_prefix]
        has_suffix = np.isin(parts.segments[1], _keys(self.suffixes))
        ends[has_suffix] = parts.places[1][has_suffix]
        has_ending = ~has_suffix & (parts.places[2] >= 0)
        ends[has_ending] = parts.places[2][has_ending]
        rows = np.flatnonzero((has_prefix | has_suffix | has_ending) & (begins < ends))
        bare = pl.Series(
            [str(data[begins[row] : ends[row]].data, "utf-8") for row in rows], dtype=pl.String
        ).str.strip_chars()
        return texts.scatter(rows, _keep_unless_empty(texts.gather(rows), bare))


def learn_wrappers(texts: pl.Series, min_evidence: int, n_rounds: int = 3) -> Wrappers:
    """Learn the wrappers of a corpus; `min_evidence` unrelated texts must stand alone without the segment."""
    wrappers = Wrappers()
    texts = texts.unique(maintain_order=True)
    for _ in range(n_rounds):
        texts = wrappers.strip(texts)
        found = _evident(texts, min_evidence)
        larger = Wrappers(
            found.prefixes | wrappers.prefixes,
            found.suffixes | wrappers.suffixes,
            found.endings | wrappers.endings,
        )
        if larger == wrappers:
            break
        wrappers = larger
    return wrappers


@dataclass(frozen=True, slots=True)
class _Parts:
    """What `curation.segments.split_segments` returns, by name."""

    whole: np.ndarray
    segments: np.ndarray
    rests: np.ndarray
    written: np.ndarray
    lengths: np.ndarray
    places: np.ndarray


def _split(
    data: np.ndarray, begins: np.ndarray, ends: np.ndarray, endings: dict[int, tuple[int, str]]
) -> _Parts:
    from curation.rewriting import tables
    from curation.segments import split_segments

    fold_starts, fold_pool, _ = tables()
    lengths = np.array(sorted({length for length, _ in endings.values()}, reverse=True), np.int64)
    return _Parts(*split_segments(data, begins, ends, fold_starts, fold_pool, lengths, _keys(endings)))


def _keys(learnt: dict) -> np.ndarray:
    return np.array(sorted(learnt), np.uint64)


def _evident(texts: pl.Series, min_evidence: int) -> Wrappers:
    """Segments without which `min_evidence` different texts of the corpus are left."""
    data, starts = utf8(texts)
    parts = _split(data, starts[:-1], starts[1:], {})
    whole = np.unique(parts.whole)
    found: list[dict[int, int]] = []
    for segments, side in ((parts.segments[0], 0), (parts.segments[1], 1), (parts.written, 1)):
        rows = np.flatnonzero((segments != 0) & (parts.lengths[side] >= _SHORTEST_REST))
        rows = rows[np.isin(parts.rests[side][rows], whole)]
        found.append(_frequent(segments, parts.rests[side], rows, min_evidence))

    def first_segment(row: int) -> str:
        return str(data[starts[row] : parts.places[0][row]].data, "utf-8").strip()

    def last_segment(row: int) -> str:
        return str(data[parts.places[1][row] : starts[row + 1]].data, "utf-8").strip()

    return Wrappers(
        {key: first_segment(row) for key, row in found[0].items()},
        {key: last_segment(row) for key, row in found[1].items()},
        {
            key: (int(parts.lengths[2][row]), last_segment(row))
            for key, row in found[2].items()
            if parts.segments[1][row] and parts.lengths[2][row] >= _SHORTEST_ENDING
        },
    )


def _frequent(segments: np.ndarray, rests: np.ndarray, rows: np.ndarray, least: int) -> dict[int, int]:
    """Segments that stand with `least` different rests among `rows`, each with its first row."""
    pairs = pl.DataFrame({"segment": segments[rows], "rest": rests[rows], "row": rows})
    counts = pairs.group_by("segment").agg(n=pl.col("rest").n_unique(), row=pl.col("row").min())
    return dict(counts.filter(pl.col("n") >= least).sort("row").select("segment", "row").iter_rows())


def _strip_shapes(texts: pl.Series) -> pl.Series:
    for test, shape in _SHAPES:
        rows = texts.str.contains(test).fill_null(False).arg_true()
        if len(rows):
            some = texts.gather(rows)
            bare = some.str.replace(shape, "$rest").str.strip_chars()
            texts = texts.scatter(rows, _keep_unless_empty(some, bare))
    return texts


def _keep_unless_empty(texts: pl.Series, bare: pl.Series) -> pl.Series:
    return bare.zip_with(bare != "", texts)
