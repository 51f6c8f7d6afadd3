"""The responses that the viewer shows: sets of Parquet files, an index of each, and texts page by page.

    responses = Responses([ResponseSet("final", "after training", {None: (path,)})])
    responses.index("final")               # everything the filters ask for, in columns
    responses.text("final", None, 7)       # prompt and response of row 7
    responses.search("final", None, "42")  # the rows that contain it

An index holds codes and numbers, no texts; those are read from the file for the rows that are shown. A set is
one evaluation (COMPLETION rows) or a training (ROLLOUT rows, files for each step).
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from evals.statistics.reflection import reflects
from evals.viewer.formulas import read_formulas

PREVIEW_CHARS = 120
EXTRACTED_CHARS = 40
MAX_TEXT_CHARS = 400_000
"""Longest text that is shown; the rest is in the file."""
FLAGS = ("correct", "formatted", "truncated", "reflects", "disagrees")
"""Bits of the index's column `flags`, lowest first."""
KEY = ("benchmark", "question_id", "sample")


@dataclass(frozen=True, slots=True)
class ResponseSet:
    """One evaluation, or a training."""

    name: str
    """In addresses: final, base, step-000040, training."""
    title: str
    files: Mapping[int | None, Sequence[Path]]
    """Parquet files by training step; an evaluation has the one key None."""
    disagreements: Path | None = None
    """Responses that another judge judges differently: [benchmark, question_id, sample]."""
    facts: tuple[str, ...] = field(default=())
    """Lines about the set: sampling settings, what was set aside."""


class Responses:
    """All sets of a run; indexes of the latest few are kept."""

    def __init__(
        self, sets: Sequence[ResponseSet], find: Callable[[], Sequence[ResponseSet]] | None = None
    ) -> None:
        """`find` looks for the sets again, for `refresh`: a training that runs has more steps by then."""
        self.sets = {each.name: each for each in sets}
        self._find = find
        self.index = lru_cache(maxsize=4)(self._index)
        self._hits = lru_cache(maxsize=16)(self._search)

    def refresh(self) -> None:
        """Look for new sets and steps; files that are there do not change."""
        if self._find is not None:
            self.sets = {each.name: each for each in self._find()}

    def describe(self) -> list[dict[str, Any]]:
        """The sets with their steps, for the page's menus."""
        return [
            {
                "name": each.name,
                "title": each.title,
                "steps": [
                    step for step in sorted(each.files, key=lambda step: step or 0) if step is not None
                ],
                "facts": list(each.facts),
            }
            for each in self.sets.values()
        ]

    def scan(self, name: str, step: int | None = None) -> pl.LazyFrame:
        """The rows of a set with the columns of COMPLETION that the viewer reads; KeyError: there is none."""
        frame = pl.scan_parquet(list(self.sets[name].files[step]))
        columns = frame.collect_schema().names()
        if "reward" not in columns:
            return frame
        return frame.with_columns(
            benchmark=pl.lit("training"),
            question_id="problem_id",
            is_correct=pl.col("reward") > 0,
            is_truncated=pl.col("finish_reason") == "length",
            is_formatted=pl.lit(True),
            level=pl.lit(None, pl.String),
            subject=pl.lit(None, pl.String),
        )

    def _index(self, name: str, step: int | None = None) -> dict[str, Any]:
        """Columns for the filters: one code or number a response; what belongs to a question is said once."""
        frame = self.scan(name, step)
        flags = {
            "correct": pl.col("is_correct"),
            "formatted": pl.col("is_formatted"),
            "truncated": pl.col("is_truncated"),
            "reflects": pl.col("response").map_batches(reflects, return_dtype=pl.Boolean),
            "disagrees": self._disagrees(name),
        }
        bits = pl.sum_horizontal(
            flag.fill_null(value=False).cast(pl.UInt8) * 2**place
            for place, flag in enumerate(flags[name] for name in FLAGS)
        )
        strip = self._stripping(frame)
        light = frame.select(
            *KEY,
            "reason",
            "level",
            "subject",
            tokens="n_response_tokens",
            flags=bits.cast(pl.UInt8),
            extracted=pl.col("extracted").str.slice(0, EXTRACTED_CHARS),
            gold=pl.col("gold").str.slice(0, EXTRACTED_CHARS),
            preview=strip.str.slice(0, PREVIEW_CHARS),
        ).collect(engine="streaming")
        return _in_columns(light)

    def _disagrees(self, name: str) -> pl.Expr:
        path = self.sets[name].disagreements
        if path is None:
            return pl.lit(False)
        rows = pl.read_parquet(path, columns=list(KEY)).unique()
        return pl.struct(KEY).is_in(rows.select(pl.struct(KEY).alias("key"))["key"].implode())

    def _stripping(self, frame: pl.LazyFrame) -> pl.Expr:
        """The problem in a prompt: without what all prompts of the set share, whole lines only."""
        backward = pl.col("prompt").str.reverse()
        first, last, reverse_first, reverse_last = (
            frame.select(
                pl.col("prompt").min(),
                pl.col("prompt").max().alias("last"),
                backward.min().alias("backward_first"),
                backward.max().alias("backward_last"),
            )
            .collect(engine="streaming")
            .row(0)
        )
        if first is None or first == last:
            return pl.col("prompt")
        before = os.path.commonprefix([first, last])
        after = os.path.commonprefix([reverse_first, reverse_last])[::-1]
        start = before.rfind("\n") + 1
        end = len(after) - after.find("\n") if "\n" in after else 0
        stripped = pl.col("prompt").str.slice(start, pl.col("prompt").str.len_chars() - start - end)
        return stripped.str.strip_suffix("<think>").str.strip_chars()

    def text(self, name: str, step: int | None, row: int) -> dict[str, Any]:
        """What the page shows of one response, see `to_shown`; KeyError: there is no such row."""
        found = self.scan(name, step).slice(row, 1).collect() if row >= 0 else pl.DataFrame()
        if not found.height:
            raise KeyError(row)
        return to_shown(found.row(0, named=True))

    def search(self, name: str, step: int | None, query: str) -> list[int]:
        """The rows with the query in an id, prompt, response, answer or reference; case does not matter."""
        return self._hits(name, step, query)

    def _search(self, name: str, step: int | None, query: str) -> list[int]:
        wanted = "(?i)" + re.escape(query)
        columns = ("question_id", "prompt", "response", "gold", "extracted")
        found = self.scan(name, step).with_row_index("row")
        hits = (pl.col(column).str.contains(wanted).fill_null(value=False) for column in columns)
        rows = found.filter(pl.any_horizontal(hits)).select("row").collect(engine="streaming")
        return rows["row"].sort().to_list()


def to_shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """One stored row for the page: texts in pieces with their formulas, see `read_formulas`."""
    names = ("gold", "extracted", "reason", "seed", "n_prompt_tokens", "n_response_tokens", "finish_reason")
    shown: dict[str, Any] = {name: row.get(name) for name in names}
    if shown["seed"] is not None:
        shown["seed"] = str(shown["seed"])  # A browser's numbers end at 2**53.
    for name in ("prompt", "response"):
        text = row[name]
        hidden = len(text) - MAX_TEXT_CHARS
        pieces, trees = read_formulas(text[:MAX_TEXT_CHARS])
        if hidden > 0:
            pieces.append(f" … [{hidden:,} more characters]")
        shown[name] = {"pieces": pieces, "trees": trees}
    return shown


def _in_columns(light: pl.DataFrame) -> dict[str, Any]:
    question = pl.struct("benchmark", "question_id")
    light = light.with_columns(question=question.rank("dense").cast(pl.Int64) - 1)
    questions = light.unique("question", keep="first").sort("question")
    reasons = light["reason"].unique().sort()
    codes = light["reason"].replace_strict(reasons, range(len(reasons)), return_dtype=pl.Int64)
    return {
        "n": light.height,
        "reasons": reasons.to_list(),
        "questions": {
            column: questions[column].to_list()
            for column in ("benchmark", "question_id", "gold", "level", "subject", "preview")
        },
        "question": light["question"].to_list(),
        "sample": light["sample"].to_list(),
        "tokens": light["tokens"].to_list(),
        "reason": codes.to_list(),
        "flags": light["flags"].to_list(),
        "extracted": light["extracted"].to_list(),
    }
