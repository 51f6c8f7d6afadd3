"""Wrappers around a problem, and their removal: numbering, chat labels, instructions to the model.

Wrappers are learned from the corpus: a first or last segment is a wrapper when removing it leaves a text that
is itself a row, for several rows ("Solve step by step." before problems that also occur alone). Only the
shapes of numbering, headings and tags are known beforehand.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from curation.text.tokens import utf8

_SHAPES = (
    (r"<\|", r"(?s)^.*<\|(?:im_start\|>|start_header_id\|>)?(?:user|human)(?:\|>|<\|end_header_id\|>)?\s*"),
    (r"<\|", r"(?s)(?P<rest>\S)\s*<\|\w+\|>.*$"),
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
        r"^\s*(?:\p{L}{1,10}\.?\s?)?\d{1,3}(?:\.\d{1,3})?\s?(?:[.)．、:]\s|[．、])\s*"
        r"(?:[(（\[]\d{1,3} ?(?:points?|marks?|分)[)）\]]\s*)?(?<rest>\p{L}|\$|\\)",
    ),
    (
        r"(?i)(?:proposed|proposal|posed|created|suggested|author|source)",
        r"(?:\n|(?<rest>[.?!$*)])\s)\s*[*_(\[i\]]{0,4}"
        r"(?i:proposed|based on a proposal|posed|created|suggested|authors?|source)(?: by|:)[^\n$\\=]{2,80}$",
    ),
    (r"[*\]]\s*$", r"\n\s*(?:\*{1,2}|\[i\])\(?(?:\p{Lu}[\p{L}.'’]*[ ,&-]*){1,6}\)?(?:\*{1,2}|\[/i\])\s*$"),
)
"""A quick test that most texts fail, and what is stripped: chat templates around the user's turn, opening
and closing tags, heading lines, a bracketed remark such as (5 points), a trailing "Answer:", numbering (3. /
Problem 12. / 例 7、) before text that continues with a letter or a formula, and who proposed the problem."""

_DANGLING = r"(?:</|\s[*_]{1,3}|[\s(（\[【{<\\])+$"
"""What a removed segment leaves behind: brackets, tags, emphasis; its hash begins at its first letter."""

_SHORTEST_REST = 12
_SHORTEST_ENDING = 12
_MOST_LAYERS = 3


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Learned segments by hash, each with an example as written; `curation.wrappers.segments` defines the
    hashes."""

    prefixes: dict[int, str] = field(default_factory=dict)
    suffixes: dict[int, str] = field(default_factory=dict)
    endings: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Suffixes stripped even where no sentence ends before them, with their squeezed length in bytes."""

    def strip(self, texts: pl.Series) -> pl.Series:
        """Strip shapes and learned segments from both ends, outermost first; a text never becomes empty."""
        peeled = _Peeled(texts)
        for _ in range(_MOST_LAYERS):
            if not peeled.peel(self):
                break
        return peeled.texts

    def joined(self, other: "Wrappers") -> "Wrappers":
        return Wrappers(
            other.prefixes | self.prefixes, other.suffixes | self.suffixes, other.endings | self.endings
        )


def learn_wrappers(texts: pl.Series, min_evidence: int) -> Wrappers:
    """Learn the wrappers of a corpus; `min_evidence` unrelated texts must also occur without the segment."""
    return unwrap(texts.unique(maintain_order=True), min_evidence)[0]


def unwrap(texts: pl.Series, min_evidence: int) -> tuple[Wrappers, pl.Series]:
    """Learn the wrappers of a corpus and strip them."""
    wrappers, peeled = Wrappers(), _Peeled(texts)
    for _ in range(_MOST_LAYERS):
        wrappers = wrappers.joined(peeled.evident(min_evidence))
        if not peeled.peel(wrappers):
            break
    return wrappers, peeled.texts


class _Peeled:
    """Texts whose layers are stripped one by one; only rows that changed are examined again.

    The arrays are those of `curation.wrappers.segments.split_segments`, with places counted from the row's
    first byte.
    """

    def __init__(self, texts: pl.Series) -> None:
        self.texts = _strip_shapes(texts.fill_null(""))
        data, starts = utf8(self.texts)
        self.parts = _split(data, starts)
        self.changed = np.arange(len(self.texts))
        self.endings: set[int] = set()

    def peel(self, wrappers: Wrappers) -> bool:
        """Strip one layer of learned segments; return whether any text changed."""
        from curation.text.canonical import tables
        from curation.wrappers.segments import find_endings

        data, starts = utf8(self.texts)
        _, segments, _, _, _, places = self.parts
        begins, ends = starts[:-1].copy(), starts[1:].copy()
        has_prefix = _is_among(segments[0], _keys(wrappers.prefixes))
        has_suffix = _is_among(segments[1], _keys(wrappers.suffixes))
        begins[has_prefix] += places[0][has_prefix]
        ends[has_suffix] = starts[:-1][has_suffix] + places[1][has_suffix]
        if wrappers.endings:
            # Texts that kept their end are checked again only for new endings.
            is_new = wrappers.endings.keys() != self.endings
            rows = np.arange(len(self.texts)) if is_new else self.changed
            lengths = np.array(sorted({length for length, _ in wrappers.endings.values()}), np.int64)
            known = *tables()[:2], lengths, _keys(wrappers.endings)
            stops = find_endings(data, begins[rows], ends[rows], *known)
            has_ending = ~has_suffix[rows] & (stops >= 0)
            ends[rows[has_ending]] = stops[has_ending]
            self.endings = set(wrappers.endings)
        rows = np.flatnonzero(((begins > starts[:-1]) | (ends < starts[1:])) & (begins < ends))
        before = self.texts.gather(rows)
        cut = [str(data[begins[row] : ends[row]].data, "utf-8") for row in rows]
        bare = pl.Series(cut, dtype=pl.String).str.replace(_DANGLING, "").str.strip_chars()
        after = _keep_unless_broken(before, _strip_shapes(bare))
        is_changed = (before != after).to_numpy()
        rows, after = rows[is_changed], after.filter(pl.Series(is_changed, dtype=pl.Boolean))
        self.changed = rows
        if not len(rows):
            return False
        self.texts = self.texts.scatter(rows, after)
        for array, part in zip(self.parts, _split(*utf8(after)), strict=True):
            array[..., rows] = part
        return True

    def evident(self, min_evidence: int) -> Wrappers:
        """Segments whose removal leaves `min_evidence` different texts of the corpus."""
        whole, segments, rests, written, lengths, places = self.parts
        known = np.unique(whole)

        def frequent(hashes: np.ndarray, side: int, is_wanted: np.ndarray) -> dict[int, int]:
            rows = np.flatnonzero((segments[side] != 0) & (lengths[side] >= _SHORTEST_REST) & is_wanted)
            rows = rows[_is_among(rests[side][rows], known)]
            pairs = pl.DataFrame({"segment": hashes[rows], "rest": rests[side][rows], "row": rows})
            counts = pairs.group_by("segment").agg(n=pl.col("rest").n_unique(), row=pl.col("row").min())
            counts = counts.filter(pl.col("n") >= min_evidence).sort("row").select("segment", "row")
            return dict(counts.iter_rows())

        def first_segment(row: int) -> str:
            return self.texts[row].encode()[: places[0][row]].decode().strip()

        def last_segment(row: int) -> str:
            return self.texts[row].encode()[places[1][row] :].decode().strip()

        everywhere = np.ones(len(whole), np.bool_)
        prefixes = frequent(segments[0], 0, everywhere)
        suffixes = frequent(segments[1], 1, everywhere)
        endings = frequent(written, 1, lengths[2] >= _SHORTEST_ENDING)
        return Wrappers(
            {key: first_segment(row) for key, row in prefixes.items()},
            {key: last_segment(row) for key, row in suffixes.items()},
            {key: (int(lengths[2][row]), last_segment(row)) for key, row in endings.items()},
        )


def _split(data: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Split rows into segments; see `curation.wrappers.segments.split_segments`."""
    from curation.text.canonical import tables
    from curation.wrappers.segments import split_segments

    *parts, places = split_segments(data, starts[:-1], starts[1:], *tables()[:2])
    return *parts, places - starts[:-1]


def _is_among(hashes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """True where a hash is among the sorted `known` ones."""
    if not len(known):
        return np.zeros(len(hashes), np.bool_)
    return known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes


def _keys(learned: dict) -> np.ndarray:
    return np.array(sorted(learned), np.uint64)


def _strip_shapes(texts: pl.Series) -> pl.Series:
    for test, shape in _SHAPES:
        rows = texts.str.contains(test).arg_true()
        if len(rows):
            some = texts.gather(rows)
            bare = some.str.replace(shape, "$rest").str.strip_chars()
            texts = texts.scatter(rows, _keep_unless_empty(some, bare))
    return texts


def _keep_unless_empty(texts: pl.Series, bare: pl.Series) -> pl.Series:
    return bare.zip_with(bare != "", texts)


def _keep_unless_broken(texts: pl.Series, bare: pl.Series) -> pl.Series:
    """Use `bare` where something is left and no formula was cut in two."""
    is_broken = (_n_dollars(bare) % 2 == 1) & (_n_dollars(texts) % 2 == 0)
    return _keep_unless_empty(texts, bare).zip_with(~is_broken, texts)


def _n_dollars(texts: pl.Series) -> pl.Series:
    r"""Count the dollar signs that open or close a formula, ignoring `\$`."""
    return texts.str.count_matches("$", literal=True) - texts.str.count_matches(r"\$", literal=True)
