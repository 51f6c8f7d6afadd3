"""Claims (configs/claims/*.toml), what is said and what would refute it, and their tasks (in tasks/)."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from pipelines.config import ConfigError, RunConfig, explain, read_table, set_value
from rewards.contracts.files import ROOT, hash_text
from rewards.contracts.settings import Settings

FOLDER = ROOT / "configs" / "claims"

Kind = TypeVar("Kind", bound=Settings)
Measure = Literal["accuracy", "last", "held_out", "turning_point", "gain"]


class Gate(Settings):
    """What a base model must be like to count. It is fixed in the file, before any comparison."""

    longer_than: int | None = Field(None, ge=1)
    """Responses of more tokens than this are the ones looked at. Unset: those with words of reflection."""
    right: float = Field(ge=0, le=1)
    """At least this share of them is right."""
    share: tuple[float, float] = (0.0, 1.0)
    """Least and largest share of them among all responses."""
    n_prompts: int = Field(64, ge=1)
    """Prompts sampled from the base, each as often as in training."""
    most: int = Field(9, ge=1)
    """Bases made at most, with seeds 0, 1, ..."""


class Task(Settings):
    """What the runs of several claims share: the whole configuration of a run, and the gate on its base."""

    gate: Gate | None = None
    """Unset: one base counts, whatever it is like (a pretrained model has no seeds)."""
    run: RunConfig
    """The configuration, as of `reasoner-zero run`: a table, or the path of its file from the project's
    folder."""
    set: dict[str, Any] = {}
    """Values by dotted key for all claims."""

    @model_validator(mode="before")
    @classmethod
    def _read_run(cls, table: Any) -> Any:
        if isinstance(table, dict) and isinstance(table.get("run"), str):
            return table | {"run": read_table(ROOT / table["run"])}
        return table


class Variant(Settings):
    """One set of settings, and what the claim expects of it."""

    name: str
    """Name in tables and plots."""
    set: dict[str, Any] = {}
    """Values by dotted key of the run's configuration."""
    expect: Literal["less", "same", "more", "not more", "always", "never"] | None = None
    """less, same, more, not more: its measure beside the first variant's (gain: beside the base model's). The
    95 % interval of the difference is below 0, within `margin` of 0, above 0, or below `margin`. always,
    never: its measure is 1, or 0, in every run. Unset: nothing."""
    margin: float | None = Field(None, gt=0)
    """Largest difference that counts as none."""

    @model_validator(mode="after")
    def _check_margin(self) -> Self:
        if (self.expect in ("same", "not more")) != (self.margin is not None):
            raise ValueError(f"variant {self.name!r}: margin belongs to expect = 'same' and 'not more'")
        return self


class Claim(Settings):
    """What is claimed, and the runs that decide."""

    statement: str
    """What is claimed, in one sentence."""
    refuted_by: str
    """What would refute it."""
    cannot_show: str
    """What runs of this size cannot say."""
    source: str
    """Where the paper says it."""
    tasks: tuple[str, ...] = Field(min_length=1)
    """Files in configs/claims/tasks, without .toml, or paths that end in it."""
    measure: Measure = "accuracy"
    """accuracy: its mean over all steps; last: over the last quarter of them; held_out: accuracy on the run's
    benchmarks after the last step; turning_point: 1 if reward, reflection rate and response length each bend
    up by themselves, at a common step, and go on rising, else 0; gain: accuracy on the run's benchmarks after
    training less the base model's, paired by question, over all seeds together."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of order and sampling; every variant has all of them on every base."""
    n_bases: int = Field(3, ge=1)
    """Base models that pass the gate."""
    set: dict[str, Any] = {}
    """Values by dotted key for all variants."""
    variants: tuple[Variant, ...] = Field(min_length=1)
    """What is compared; the first is the control."""
    is_long: bool = False
    """Takes hours: it runs only when it is named."""


def claim_names() -> list[str]:
    """The claims of this project; ConfigError in an installed package, which has none."""
    if not FOLDER.is_dir():
        raise ConfigError(
            f"{ROOT} has no configs/claims: name a file of your own, or use a clone of the project"
        )
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_claim(name: str) -> Claim:
    """Read a claim by its name, or from a path that ends in .toml; ConfigError says what is wrong."""
    return _read(Claim, name, FOLDER)


def load_task(name: str) -> Task:
    """Read a task by its name, or from a path that ends in .toml; ConfigError says what is wrong."""
    return _read(Task, name, FOLDER / "tasks")


def _read(kind: type[Kind], name: str, folder: Path) -> Kind:
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.toml")))
        raise ConfigError(f"no {kind.__name__.lower()} {name!r}; there are: {known}")
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except ValidationError as error:
        raise ConfigError(explain(path, error, kind)) from None


def with_values(run: RunConfig, values: Mapping[str, Any], data_root: str | None = None) -> RunConfig:
    """The run with some fields changed, by dotted key, named by a hash of all of them.

    A run that other code or other inputs have made is kept, and made anew.
    """
    table = run.model_dump(mode="json") | ({"data_root": data_root} if data_root else {})
    for key, value in values.items():
        set_value(table, key.split("."), value)
    changed = RunConfig.model_validate(table | {"on_change": "fresh"})
    return changed.model_copy(update={"name": f"{run.name}-{hash_text(changed.model_dump_json(), 8)}"})
