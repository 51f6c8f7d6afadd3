"""The whole configuration of a run: one TOML file, overrides on the command line, checked before anything starts.

Precedence: defaults < TOML file < command line. Environment variables do not change the science.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any, get_args

import tyro
from pydantic import ValidationError

from curation.config import CurationConfig, GeneratorConfig
from evals.config import EvalsConfig
from rewards.config import RewardsConfig
from rewards.settings import Settings
from training.config import TrainingConfig


class ConfigError(ValueError):
    """The configuration cannot be used; the message names each key and what to do."""


class HeldOutConfig(Settings):
    """A benchmark made by a generator: its problems are kept out of the corpus by decontamination."""

    name: str
    """Name of the benchmark; list it under evals.benchmarks with kind = "frame"."""
    generator: GeneratorConfig
    """What makes the problems; use another seed than the corpus."""


class RunConfig(Settings):
    """One run of the whole chain: curate, compile rewards, train, evaluate, report."""

    name: str
    """Name of the run: its results lie in runs/<name>."""
    data_root: str | None = None
    """Folder that `file = ...` entries are relative to; unset: sources come from the hub."""
    held_out: tuple[HeldOutConfig, ...] = ()
    """Benchmarks made by generators."""
    curation: CurationConfig
    """Sources, filters, deduplication, decontamination, split."""
    rewards: RewardsConfig = RewardsConfig()
    """Compilation of the reference answers."""
    training: TrainingConfig
    """Model and PPO."""
    evals: EvalsConfig = EvalsConfig()
    """Benchmarks of the base and the trained model."""


def load_config(path: Path, overrides: list[str] | None = None) -> RunConfig:
    """Read a TOML file and apply overrides such as `["--training.n-steps", "20"]`; ConfigError when it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none in ./configs"
        raise ConfigError(f"{path}: no such file; presets here: {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    try:
        config = RunConfig.model_validate(table)
    except ValidationError as error:
        raise ConfigError(explain(path, error)) from None
    if not overrides:
        return config
    try:
        return tyro.cli(RunConfig, default=config, args=overrides, prog=f"reasoner-zero --config {path}")
    except ValidationError as error:
        raise ConfigError(explain("command line", error)) from None


def explain(origin: Path | str, error: ValidationError) -> str:
    """Write one line per problem: where, what, and the nearest known key for an unknown one."""
    lines = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"])) or "config"
        what = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            fields = list(_section(item["loc"][:-1]).model_fields)
            near = difflib.get_close_matches(str(item["loc"][-1]), fields, n=1, cutoff=0.5)
            what = "unknown key" + (
                f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(fields)}"
            )
        elif item["type"] == "missing":
            what = "missing; add it"
        elif "input" in item and not isinstance(item["input"], dict):
            what += f", got {item['input']!r}"
        lines.append(f"{origin}: {where}: {what}")
    return "\n".join(lines)


def _section(location: tuple[Any, ...]) -> type[Settings]:
    """The settings class that holds the key at `location`."""
    section: type[Settings] = RunConfig
    for part in location:
        if isinstance(part, str) and part in section.model_fields:
            found = _settings_in(section.model_fields[part].annotation)
            section = found or section
    return section


def _settings_in(annotation: Any) -> type[Settings] | None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _settings_in(arg))), None)
