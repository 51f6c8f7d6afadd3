"""Configuration of one source: where its rows come from and what their fields mean.

[[curation.sources]]
name = "mine"
file = "mine.jsonl"          # with fields `problem` and `answer`, nothing else is needed
"""

from typing import Literal

from pydantic import Field, model_validator

from curation.generators.family import GeneratorConfig
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
    """One source: a file, a hub data set (if both are set, a data root selects the file), or a generator."""

    name: str
    """Name of the source in every record; unique."""
    file: str | None = None
    """JSON(L), Parquet, Arrow or CSV, also .gz, .zst; relative to the data root or the current folder."""
    hub: HubDataset | None = None
    """Hub data set; used when there is no data root or no file."""
    generator: GeneratorConfig | None = None
    """Built-in generator instead of a file or hub data set."""
    layout: Literal["columns", "orz", "verl"] = "columns"
    """orz: a list of two messages; verl: prompt messages and reward_model; both set the fields below."""
    problem: tuple[str, ...] = ("problem",)
    """Fields of the problem text, as dotted paths (prompt.0.content; * is the only entry of a dictionary);
    several are joined as sentences."""
    answer: str = "answer"
    """Field that contains the answer, as a dotted path."""
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
    """Field of the row's own id; unset: the row number, from 1."""
    license: str | None = None
    """License of the source; unset: none stated, so the data is usable but not publishable."""
    n_rows: int | None = Field(default=None, ge=1)
    """Read at most this many rows; unset: all."""
    max_problems: int | None = Field(default=None, ge=1)
    """Keep at most this many problems from this source in the end, drawn by seed; unset: all."""
    max_row_bytes: int = Field(default=1_000_000, ge=1)
    """A row with more bytes than this is rejected unread."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> "SourceConfig":
        if not self.name:
            raise ValueError("a source needs a name")
        if not self.problem:
            raise ValueError(f"source {self.name!r}: problem names no field")
        if self.generator and (self.file or self.hub):
            raise ValueError(f"source {self.name!r} has a generator and a file or hub data set; keep one")
        if not (self.generator or self.file or self.hub):
            raise ValueError(f"source {self.name!r} needs a file, a hub data set or a generator")
        return self

    @property
    def problem_fields(self) -> tuple[str, ...]:
        return {"columns": self.problem, "orz": ("0.value",), "verl": ("prompt.-1.content",)}[self.layout]

    @property
    def answer_field(self) -> str:
        verl = self.answer if self.answer != "answer" else "reward_model.ground_truth"
        return {"columns": self.answer, "orz": "1.ground_truth.value", "verl": verl}[self.layout]
