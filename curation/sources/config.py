"""Configuration of one source: where its rows come from and what their fields mean.

[[curation.sources]]
name = "mine"
file = "mine.jsonl"          # with fields `problem` and `answer`, nothing else is needed

[[curation.sources]]
dataset = "dapo-math-17k"    # a known data set needs nothing else
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from curation.generators.family import GeneratorConfig
from curation.sources.known import known_dataset
from curation.sources.selection import parse_where
from rewards.contracts.settings import Settings

AnswerStyle = Literal["auto", "plain", "boxed", "hash", "unit", "number"]


class HubDataset(Settings):
    """A data set on the hub, read through `datasets` when no data root is given."""

    id: str
    """Repository, such as openai/gsm8k, or a local folder that `datasets` can load."""
    config: str | None = None
    """Configuration name, such as main; unset: the data set's default."""
    split: str = "train"
    """Split to read."""
    revision: str | None = None
    """Commit, tag or branch; unset: the newest, whose commit is recorded."""
    rename: tuple[str, ...] = ()
    """Columns whose names differ from those in the file, as "Question=problem" (hub name = name here)."""

    @model_validator(mode="after")
    def _renames_are_pairs(self) -> "HubDataset":
        for pair in self.rename:
            if not all(pair.partition("=")):
                raise ValueError(f"rename must be like 'Question=problem', got {pair!r}")
        return self


class SourceConfig(Settings):
    """One source: a known data set, a file, a hub data set (with a data root, the file is read), or a
    generator."""

    name: str = ""
    """Name of the source in every record; unique. Unset: the name of the known data set."""
    dataset: str | None = None
    """A known data set, such as dapo-math-17k: its fields, row selection and license need not be set.
    `reasoner-zero curate --list-datasets` shows all. Whatever is set here takes precedence."""
    file: str | None = None
    """JSON(L), Parquet, Arrow, CSV or TSV, also .gz, .zst; relative to the data root or the current folder. *
    matches several files; URLs that fsspec reads (hf://, s3://, gs://, https://) are streamed."""
    hub: HubDataset | None = None
    """Hub data set; used when there is no data root or no file."""
    generator: GeneratorConfig | None = None
    """Built-in generator instead of a file or hub data set."""
    layout: Literal["columns", "orz", "verl"] = "columns"
    """orz: a list of two messages; verl: prompt messages and reward_model. They decide where `problem` and
    `answer` are unless these are set."""
    problem: tuple[str, ...] | None = None
    """Fields of the problem text, as dotted paths (prompt.0.content; * is the only entry of a dictionary,
    user the last message by the user, a|b means b where there is no a); several are joined as sentences.
    Unset: problem, or the layout's."""
    after: tuple[str, ...] = ()
    """Marks at the beginning of a line, such as "Question:"; only what follows the last one is the problem.
    For prompts that begin with worked examples."""
    answer: str | None = None
    """Field that contains the answer, as a dotted path. Unset: answer, or the layout's."""
    answer_style: AnswerStyle = "auto"
    """How to find the answer in its field: boxed: last \\boxed{}; hash: after ####; unit: 9 (apples);
    number: 43.0; plain: all of it; auto: hash or boxed when such a mark is present, otherwise plain."""
    options: str | None = None
    """Field of lettered options (a dictionary, a list, or one text); they are appended to the problem, so
    that multiple choice can be recognized."""
    solution: str | None = None
    """Field of a worked solution."""
    level: str | None = None
    """Field of the difficulty."""
    subject: str | None = None
    """Field of the subject."""
    id: str | None = None
    """Field of the row's own id; unset: the row number, from 1. Equal ids get the row number, as 7#12."""
    where: str | None = None
    """Which rows to use: an SQL expression over the source's own columns, as polars reads it, such as
    "problem_is_valid = 'Yes' AND solve_rate BETWEEN 0.05 AND 0.9". The others are rejected as not_selected.
    Unset: all rows."""
    signals: tuple[str, ...] = ()
    """Fields that are carried along to signals.parquet, such as solve rates and validity flags."""
    needs_support: bool = False
    """For sources with many wrong answers: a problem stays only where a source without this mark states it
    with the same answer; the others are rejected as unsupported_answer. Its rows have no vote in disputes."""
    license: str | None = None
    """License of the source; unset: none stated, so the data is usable but not publishable."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Character between the columns of a CSV file; unset: a tab for .tsv, otherwise a comma."""
    n_rows: int | None = Field(default=None, ge=1)
    """Read at most this many rows; unset: all."""
    max_problems: int | None = Field(default=None, ge=1)
    """Keep at most this many problems from this source in the end, drawn by seed; unset: all."""
    max_row_bytes: int = Field(default=1_000_000, ge=1)
    """A row with more bytes than this is rejected unread."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_known(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("dataset"), str):
            return values
        known = known_dataset(values["dataset"])
        given = {name: value for name, value in values.items() if value is not None}
        settings = {"name": known.name, **known.source}
        if given.get("file"):
            settings.pop("hub", None)
        return {**settings, **given}

    @model_validator(mode="after")
    def _has_one_origin(self) -> "SourceConfig":
        if not self.name:
            raise ValueError("a source needs a name")
        if self.problem == ():
            raise ValueError(f"source {self.name!r}: problem names no field")
        if self.generator and (self.file or self.hub):
            raise ValueError(f"source {self.name!r} has a generator and a file or hub data set; keep one")
        if not (self.generator or self.file or self.hub):
            raise ValueError(f"source {self.name!r} needs a dataset, a file, a hub data set or a generator")
        if self.generator and (ignored := [name for name in _OF_ROWS if getattr(self, name)]):
            raise ValueError(
                f"source {self.name!r}: a generator has no fields to read; remove {', '.join(ignored)}"
            )
        if self.hub and self.hub.rename and not self.file and self.dataset:
            raise ValueError(f"source {self.name!r}: name the fields themselves instead of hub.rename")
        is_table = self.file and any(mark in self.file for mark in (".csv", ".tsv"))
        if self.delimiter and not is_table:
            raise ValueError(f"source {self.name!r}: delimiter is for .csv and .tsv files; remove it")
        if self.where is not None:
            parse_where(self.name, self.where)
        return self

    @property
    def problem_fields(self) -> tuple[str, ...]:
        layouts = {"columns": ("problem",), "orz": ("user.value",), "verl": ("prompt.user.content",)}
        return self.problem or layouts[self.layout]

    @property
    def answer_field(self) -> str:
        layouts = {
            "columns": "answer",
            "orz": "1.ground_truth.value",
            "verl": "reward_model.ground_truth",
        }
        return self.answer or layouts[self.layout]


_OF_ROWS = (
    *("problem", "answer", "options", "solution", "level", "subject", "id", "where", "signals"),
    *("delimiter", "dataset", "after"),
)
"""Settings about the fields of rows, which generated problems do not have."""
