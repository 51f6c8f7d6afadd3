"""Claims (configs/claims/*.toml), what is said and what would refute it, and their tasks (in tasks/)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from pipelines.ablate import repeated
from pipelines.config import ConfigError, RunConfig, explain, read_table, set_value
from rewards.contracts.files import ROOT, hash_text
from rewards.contracts.settings import Settings

FOLDER = ROOT / "configs" / "claims"

Kind = TypeVar("Kind", bound=Settings)
Measure = Literal["accuracy", "last", "held_out", "turning_point", "gain"]
DECIDED = ("name", "on_change", "training.seed")
"""Fields that a claim decides itself, run by run."""


def _by_dotted_key(values: Any) -> Any:
    """Tables without a dot in their key opened: training.n_steps = 5 is "training.n_steps" = 5.

    >>> _by_dotted_key({"training": {"ppo": {"gae_lambda": 0.9}}, "training.model.scratch": {"hidden": 32}})
    {'training.ppo.gae_lambda': 0.9, 'training.model.scratch': {'hidden': 32}}
    """
    return dict(_opened(values)) if isinstance(values, dict) else values


def _opened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and "." not in key:
            yield from _opened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_free(values: dict[str, Any]) -> dict[str, Any]:
    if taken := [key for key in DECIDED if key in values]:
        hint = "list seeds in the claim's `seeds`" if taken[0] == "training.seed" else "remove it"
        raise ValueError(f"{taken[0]} is decided by the claim, run by run: {hint}")
    return values


Values = Annotated[dict[str, Any], BeforeValidator(_by_dotted_key), AfterValidator(_check_free)]
"""Values by dotted key of the run's configuration, the key in quotes or not."""


class Gate(Settings):
    """What a base model must be like to count. It is fixed in the file, before any comparison."""

    longer_than: int | None = Field(None, ge=1)
    """Responses of more tokens than this are the ones looked at. Unset: those with words of reflection."""
    right: float = Field(ge=0, le=1)
    """At least this share of them is right."""
    share: tuple[float, float] = (0.0, 1.0)
    """Least and largest share of them among all responses, between 0 and 1."""
    n_prompts: int = Field(64, ge=1)
    """Prompts sampled from the base, each as often as in training."""
    most: int = Field(9, ge=1)
    """Bases made at most, with seeds 0, 1, ..."""

    @field_validator("share")
    @classmethod
    def _check_share(cls, share: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= share[0] <= share[1] <= 1:
            raise ValueError("must be [least, largest], both between 0 and 1, or no base can pass")
        return share


class Task(Settings):
    """What the runs of several claims share: the whole configuration of a run, and the gate on its base."""

    gate: Gate | None = None
    """Unset: one base counts, whatever it is like (a pretrained model has no seeds)."""
    run: RunConfig
    """The configuration, as of `reasoner-zero run`: a table, or the path of its file from the task's folder
    or the project's."""
    set: Values = {}
    """Values by dotted key for all claims."""


class Variant(Settings):
    """One set of settings, and what the claim expects of it."""

    name: str = Field(min_length=1)
    """Name in tables and plots."""
    set: Values = {}
    """Values by dotted key of the run's configuration."""
    expect: Literal["less", "same", "more", "not more", "always", "never"] | None = None
    """less, same, more, not more: its measure beside the first variant's (gain: beside the base model's). The
    95 % interval of the difference is below 0, within `margin` of 0, above 0, or below `margin`. always,
    never: its measure is 1, or 0, in every run. Unset: nothing."""
    margin: float | None = Field(None, gt=0)
    """Largest difference that counts as none."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("must be one printable line")
        return name

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
    """Files in configs/claims/tasks, without .toml, or paths that end in it, from the claim's folder or the
    working one."""
    measure: Measure = "accuracy"
    """accuracy: its mean over all steps; last: over the last quarter of them; held_out: accuracy on the run's
    benchmarks after the last step; turning_point: 1 if reward, reflection rate and response length each bend
    up by themselves, at a common step, and go on rising, else 0; gain: accuracy on the run's benchmarks after
    training less the base model's, paired by question, over all seeds together."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds of order and sampling; every variant has all of them on every base."""
    n_bases: int = Field(3, ge=1)
    """Base models that pass the gate."""
    set: Values = {}
    """Values by dotted key for all variants."""
    variants: tuple[Variant, ...] = Field(min_length=1)
    """What is compared; the first is the control."""
    is_long: bool = False
    """Takes hours: it runs only when it is named."""

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        names = [variant.name for variant in self.variants]
        for what, values in (("seeds", self.seeds), ("tasks", self.tasks), ("names of variants", names)):
            if places := repeated(values):
                raise ValueError(f"{what}: {values[places[0]]!r} is there twice; each counts once")
        return self

    @model_validator(mode="after")
    def _check_expectations(self) -> Self:
        """What is expected has to be something that the measure can decide."""
        control = self.variants[0]
        for variant in self.variants:
            is_count = variant.expect in ("always", "never")
            if is_count and self.measure != "turning_point":
                raise ValueError(
                    f"variant {variant.name!r}: expect = {variant.expect!r} belongs to measure = "
                    f"'turning_point'; of {self.measure!r}, expect less, same, more or not more"
                )
            if variant is control and variant.expect and not is_count and self.measure != "gain":
                raise ValueError(
                    f"variant {variant.name!r} is the control that the others are compared with: remove its "
                    f"expect = {variant.expect!r}"
                )
        return self


def claim_names() -> list[str]:
    """The claims of this project; ConfigError in an installed package, which has none."""
    if not FOLDER.is_dir():
        raise ConfigError(
            f"{ROOT} has no configs/claims: name a file of your own, or use a clone of the project"
        )
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_claim(name: str) -> Claim:
    """Read a claim by its name, or from a path that ends in .toml; ConfigError says what is wrong."""
    return _read(Claim, *_table_of("claim", name, FOLDER))


def load_task(name: str, beside: Path | None = None) -> Task:
    """Read a task by its name, or from a path that ends in .toml, from the folder `beside` (the claim's) or
    the working one; ConfigError says what is wrong."""
    path, table = _table_of("task", name, FOLDER / "tasks", beside)
    if isinstance(run := table.get("run"), str):
        own = path.parent / run
        table["run"] = read_table(own if own.exists() else ROOT / run)
    return _read(Task, path, table)


def _table_of(kind: str, name: str, folder: Path, beside: Path | None = None) -> tuple[Path, dict[str, Any]]:
    if name.endswith(".toml"):
        places = [path for path in ((beside or Path()) / name, Path(name)) if path.exists()]
        if not places:
            seen = f", neither in {beside} nor in the working folder" if beside else ""
            raise ConfigError(f"{kind} {name}: no such file{seen}")
        return places[0], read_table(places[0])
    path = folder / f"{name}.toml"
    if not path.exists():
        near = f"; the file here is {name}.toml" if Path(f"{name}.toml").exists() else ""
        known = ", ".join(sorted(each.stem for each in folder.glob("*.toml")))
        raise ConfigError(f"no {kind} {name!r}; there are: {known}{near}")
    return path, read_table(path)


def _read(kind: type[Kind], path: Path, table: dict[str, Any]) -> Kind:
    try:
        return kind.model_validate(table)
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
