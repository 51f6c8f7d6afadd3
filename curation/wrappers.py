"""Taking the wrapping off a problem: numbering, chat labels, instructions to the model.

What wraps is learnt from the corpus: a first or last segment is a wrapper when taking it away leaves a text
that is itself a row, for several rows ("Solve step by step." before problems that also stand alone).
Only the shape of numbering, headings and tags is known beforehand.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from curation.tokens import squeeze

_SHAPES = (
    r"^\s*<\w{1,20}>\s*",
    r"\s*</\w{1,20}>\s*$",
    r"^\s*#{1,6} [^\n]{0,40}\n+",
    r"\n#{1,6} [^\n]{0,40}(?:\n+[^\n]{0,20})?\s*$",
    r"^\s*[\[(（【][^\])）】\n$\\=]{0,20}(?:\p{Latin}{4,}|[分题])[^\])）】\n$\\=]{0,20}[\])）】]\s*",
    r"\n\s*\p{L}{1,12}\s*[:：]\s*$",
)
"""Opening and closing tags, heading lines, a bracketed remark such as (5 points), a trailing "Answer:"."""

_NUMBERING = r"^\s*(?:\p{L}{1,10}\.?\s?)?\d{1,3}(?:\.\d{1,3})?\s?(?:[.)．、:]\s|[．、])\s*(\p{L}|\$|\\)"
"""3. / Problem 12. / 例 7、 before a text that goes on with a letter or a formula."""

_PREFIX = r"^\s*(\[[^\]\n]{1,40}\]|[（(][^)）\n]{1,40}[)）]|[^\n]{1,120}?(?:[.!?:][\s]|[。：！？]|\n))\s*"
_SUFFIX = r"(?:\n|[.!?。？！:$]\s*)([^\n.!?。？！]{1,160}[.!?。：:\"]{0,2})\s*$"
_SHORTEST_REST = 12
_SHORTEST_ENDING = 20


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Learnt first and last segments, as letters only with # for digits."""

    prefixes: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    """Suffixes as written, taken off also where no sentence ends before them."""

    def strip(self, texts: pl.Series, n_rounds: int = 3) -> pl.Series:
        """Take shapes and learnt segments off both ends, outermost first; a text never becomes empty."""
        for _ in range(n_rounds):
            bare = self._strip_once(texts)
            if bare.equals(texts):
                break
            texts = bare
        return texts

    def _strip_once(self, texts: pl.Series) -> pl.Series:
        # One column at a time: an expression that names its input twice per step doubles with every step.
        for shape in _SHAPES:
            texts = _keep_unless_empty(texts, texts.str.replace(shape, ""))
        texts = texts.str.replace(_NUMBERING, "$1").str.strip_chars()
        for split, known in ((_first_segment, self.prefixes), (_last_segment, self.suffixes)):
            if known:
                segments, rests = split(texts)
                is_known = _mask(segments).is_in(sorted(known)).fill_null(False)
                texts = _keep_unless_empty(texts, rests.zip_with(is_known, texts))
        return _strip_endings(texts, self.endings) if self.endings else texts


def learn_wrappers(texts: pl.Series, min_evidence: int, n_rounds: int = 3) -> Wrappers:
    """Learn the wrappers of a corpus; `min_evidence` unrelated texts must stand alone without the segment."""
    wrappers = Wrappers()
    texts = texts.unique(maintain_order=True)
    for _ in range(n_rounds):
        texts = wrappers.strip(texts).unique(maintain_order=True)
        prefixes, _ = _evident(texts, _first_segment, min_evidence)
        suffixes, endings = _evident(texts, _last_segment, min_evidence)
        found = Wrappers(
            wrappers.prefixes | prefixes,
            wrappers.suffixes | suffixes,
            tuple(sorted({*wrappers.endings, *endings}, key=lambda ending: (-len(ending), ending))),
        )
        if found == wrappers:
            break
        wrappers = found
    return wrappers


def _mask(segments: pl.Series) -> pl.Series:
    """Reduce segments to letters and # for digits; what is then shorter than a word is no segment."""
    squeezed = pl.DataFrame({"segment": segments}).select(
        squeeze(pl.col("segment").str.replace_all(r"[’‘]", "'")).str.replace_all(r"\d+", "#")
    )
    masked = squeezed.to_series()
    is_word = masked.str.contains(r"\p{L}{4}|\p{Han}{2}|^q$")
    return masked.zip_with(is_word.fill_null(False), pl.Series([None], dtype=pl.String))


def _first_segment(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The first segment and the rest of the text."""
    return texts.str.extract(_PREFIX, 1), texts.str.replace(_PREFIX, "")


def _last_segment(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The last segment and the text before it."""
    ends = texts.str.strip_chars_end()
    # What closes a formula before the segment belongs to the problem.
    segments = ends.str.extract(_SUFFIX, 1).str.replace(r"^[^\p{L}\p{N}]+", "")
    frame = pl.DataFrame({"text": ends, "segment": segments})
    rests = frame.select(pl.col("text").str.strip_suffix(pl.col("segment")).str.strip_chars_end()).to_series()
    return segments, rests


def _evident(
    texts: pl.Series, split: Callable[[pl.Series], tuple[pl.Series, pl.Series]], min_evidence: int
) -> tuple[frozenset[str], list[str]]:
    """Segments without which `min_evidence` different texts of the corpus are left: masked, as written."""
    segments, rests = split(texts)
    parts = pl.DataFrame({"raw": segments.str.strip_chars(), "segment": _mask(segments), "rest": rests})
    # Most segments stand in one row only: they go before the dearer work.
    parts = parts.filter(pl.col("segment").is_not_null())
    parts = parts.filter(pl.len().over("segment") >= min_evidence).with_columns(rest=squeeze(pl.col("rest")))
    whole = pl.DataFrame({"text": texts}).select(key=squeeze(pl.col("text"))).unique()
    parts = parts.filter(pl.col("rest").str.len_chars() >= _SHORTEST_REST)
    parts = parts.join(whole, left_on="rest", right_on="key", how="semi")
    parts = parts.filter(pl.col("rest").n_unique().over("segment") >= min_evidence)
    written = parts.group_by("raw").agg(n=pl.col("rest").n_unique()).filter(pl.col("n") >= min_evidence)
    long = written.filter(pl.col("raw").str.len_chars() >= _SHORTEST_ENDING)
    return frozenset(parts["segment"]), long["raw"].to_list()


def _strip_endings(texts: pl.Series, endings: tuple[str, ...]) -> pl.Series:
    """Take literal endings off; only the few texts that hold one of them are looked at."""
    holds = texts.str.contains_any(list(endings))
    bare = texts.filter(holds)
    for ending in endings:
        bare = bare.str.strip_suffix(ending)
    return texts.scatter(
        holds.arg_true(), _keep_unless_empty(texts.filter(holds), bare.str.strip_chars_end())
    )


def _keep_unless_empty(texts: pl.Series, bare: pl.Series) -> pl.Series:
    return bare.zip_with(bare.str.strip_chars().str.len_chars() > 0, texts)
