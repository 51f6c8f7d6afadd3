"""The configuration of a run: one TOML file plus command-line overrides, checked before anything starts.

Precedence: defaults < TOML file < command line. Environment variables do not change results.
"""

import difflib
import io
import json
import re
import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, redirect_stderr, suppress
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator

from curation.config import CurationConfig
from curation.difficulty import DifficultyConfig
from curation.generators.family import GeneratorConfig
from evals.config import EvalsConfig
from rewards.config import RewardsConfig
from rewards.contracts.settings import Settings
from training.config import TrainingConfig


class ConfigError(ValueError):
    """An invalid configuration; the message names each key and what to do."""


NO_MODEL = "(no model: set training.model)"
"""`training.model.path` of a configuration that only curates; every stage that needs a model refuses it."""


class HeldOutConfig(Settings):
    """A benchmark made by a generator; decontamination keeps its problems out of the corpus."""

    name: str
    """Name of the benchmark; list it under evals.benchmarks with kind = "frame"."""
    generator: GeneratorConfig
    """Generator of the problems; use a different seed than for the corpus."""


class PublishConfig(Settings):
    """Publication on a hub."""

    private: bool = True
    """A new repository is private until its owner makes it public (ours)."""
    license: str = ""
    """License of the trained weights, for the model's card. Empty: that of the base model's card, if it is on
    this machine, else "other"."""
    dataset: str = ""
    """Repository of the published training set, OWNER/NAME, which the model's card names."""


class RunConfig(Settings):
    """One run of all stages: curate, compile rewards, train, evaluate, report."""

    name: str
    """Name of the run; its results are in runs/<name>."""
    data_root: str | None = None
    """Folder that `file = ...` entries are relative to. Unset: a source that also names a hub data set is
    read from the hub, any other from the working folder."""
    deadline_hours: float | None = Field(None, gt=0)
    """Hours after which a child process (base model, training, sampling) is considered hung and is stopped;
    the next start resumes. Unset: never (ours)."""
    on_change: Literal["ask", "resume", "fresh"] = "ask"
    """What a training does when its run was begun with other settings or code than now: ask, which ends the
    command with what differs; resume from its newest checkpoint (--resume); or start at step 1 (--fresh). A
    change of operation alone, such as of memory, saving or the number of ranks, always continues (ours)."""
    held_out: tuple[HeldOutConfig, ...] = ()
    """Benchmarks made by generators, kept out of the corpus."""
    protect: tuple[str, ...] = ()
    """Registered benchmarks that curation keeps out of the corpus, in addition to those under evals."""
    protect_files: tuple[str, ...] = ()
    """Files or folders of other problems that curation keeps out of the corpus: JSON(L), Parquet or CSV,
    relative to the data root. The problem field is found in any common layout."""

    @field_validator("name")
    @classmethod
    def _is_one_part(cls, name: str) -> str:
        """The name becomes a folder beside the artifacts: one part of a path, and none of ours."""
        if name.startswith((".", "-")) or name in ("", "artifacts"):
            raise ValueError("must be a folder's name: not empty, not artifacts, no . or - at its start")
        if name != name.strip() or not name.isprintable() or len(name.encode()) > 200:
            raise ValueError(
                "must be a folder's name: at most 200 bytes, printable, without spaces at its ends"
            )
        if "/" in name or "\\" in name:
            raise ValueError("must be a folder's name: no / and no \\ (use --runs DIR for another place)")
        return name

    curation: CurationConfig
    """Sources, filters, deduplication, decontamination and split."""
    rewards: RewardsConfig = RewardsConfig()
    """Compilation of the reference answers."""
    difficulty: DifficultyConfig = DifficultyConfig()
    """Measurement of pass rates, and what counts as hard (`reasoner-zero difficulty`)."""
    training: TrainingConfig
    """Model and PPO."""
    evals: EvalsConfig = EvalsConfig()
    """Benchmarks for the base and the trained model."""
    publish: PublishConfig = PublishConfig()
    """Publication of data set and model (`reasoner-zero publish`)."""

    @property
    def is_bare(self) -> bool:
        """True when the configuration says nothing about training or benchmarks, and only curates."""
        names_no_benchmark = self.evals == EvalsConfig() and not self.protect
        return self.training.model.path == NO_MODEL and names_no_benchmark

    @property
    def eval_prompt_tokens(self) -> int:
        """Longest prompt of a benchmark, in tokens: the limit of evals, or that of training."""
        return self.evals.max_prompt_tokens or self.training.rollout.max_prompt_tokens

    @property
    def eval_context_tokens(self) -> int:
        """Longest prompt plus response of a benchmark, in tokens."""
        return self.eval_prompt_tokens + self.evals.max_new_tokens


def load_config(
    path: Path | None,
    overrides: Mapping[str, Any] | None = None,
    *,
    needs_model: bool = True,
    needs_corpus: bool = True,
) -> RunConfig:
    """Read a TOML file (or a run's config.json) and apply overrides by dotted key; no path: those alone.

    Entries of lists are addressed by number: {"curation.sources.0.n_rows": 100}. Without
    `needs_model`, [training] may be left out, and a run without a name is named after its file; without
    `needs_corpus`, [curation] may be. ConfigError says what is wrong.
    """
    table = read_table(path) if path else {}
    if not needs_model:
        table.setdefault("name", path.stem if path else "")
        if isinstance(training := table.setdefault("training", {}), dict):
            training.setdefault("model", {"path": NO_MODEL})
    if not needs_corpus:
        table.setdefault("curation", {})
    for key, value in (overrides or {}).items():
        set_value(table, key.split("."), value)
    try:
        return RunConfig.model_validate(table)
    except ValidationError as error:
        raise ConfigError(explain(path or "command line", error)) from None


def read_table(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # Some editors begin a file with a byte order mark.
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("*.toml"))) or "none in ./configs"
        raise ConfigError(f"{path}: no such file; presets here: {known}") from None
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def set_value(table: Any, keys: list[str], value: Any) -> None:
    """Set a nested entry, creating missing tables."""
    *path, last = keys
    key = last
    try:
        for key in path:
            table = table[int(key)] if isinstance(table, list) else table.setdefault(key, {})
        key = last
        table[int(key) if isinstance(table, list) else key] = value
    except (AttributeError, IndexError, TypeError, ValueError):
        raise ConfigError(f"override {'.'.join(keys)}: no entry {key!r}") from None


def override_from_command_line(config: RunConfig, path: Path, arguments: list[str]) -> RunConfig:
    """Apply arguments such as `--training.n-steps 20`; with --help-config, tyro explains every field.

    Switches are written as `--training.must-fit False` or `--training.no-must-fit`. ConfigError says in one
    line what is wrong with an argument.
    """
    arguments = _as_flags(config.model_dump(), arguments)
    try:
        return _parse(config, path, arguments, is_silent="--help" not in arguments)
    except ValidationError as error:
        raise ConfigError(explain("command line", error)) from None
    except SystemExit as stop:
        if stop.code:
            _check_pairs(config, arguments)
            # Not a wrong key or value, so the syntax is wrong: tyro explains it best, but for our --help.
            said = io.StringIO()
            with redirect_stderr(said), suppress(SystemExit):
                _parse(config, path, arguments, is_silent=False)
            lines = (line.strip(" ╭╮╰╯│─") for line in said.getvalue().splitlines())  # without its frame
            text = "\n".join(line for line in lines if line)
            sys.stderr.write(re.sub(r"--help\b(?!-)", "--help-config", text) + "\n")
        raise


def _parse(config: RunConfig, path: Path, arguments: list[str], *, is_silent: bool) -> RunConfig:
    import tyro  # Takes a fifth of a second, and only overrides need it.

    unseen = redirect_stderr(io.StringIO()) if is_silent else nullcontext()
    with warnings.catch_warnings(), unseen:
        warnings.simplefilter("ignore")
        return tyro.cli(
            RunConfig,
            default=config,
            args=arguments,
            prog=f"reasoner-zero run --config {path}",
            # An optional section stays as in the file; no subcommand selects it.
            config=(tyro.conf.AvoidSubcommands,),
        )


def _as_flags(table: dict[str, Any], arguments: list[str]) -> list[str]:
    """Arguments in which True or False after the name of a switch is part of the name, as tyro has it."""
    flags: list[str] = []
    for name, words in _options(arguments):
        is_said = bool(name and words) and words[0].lower() in ("true", "false")
        if is_said and isinstance(_value_at(table, name), bool):
            section, _, last = name.rpartition(".")
            flags += [name if words[0].lower() == "true" else f"{section}.no-{last}", *words[1:]]
        else:
            flags += [name, *words] if name else words
    return flags


def _options(arguments: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each `--name` with the words after it, `--name=word` among them; words before them have no name."""
    name, words = "", list[str]()
    for argument in arguments:
        if argument.startswith("--"):
            if name or words:
                yield name, words
            name, is_pair, word = argument.partition("=")
            words = [word] if is_pair else []
        else:
            words.append(argument)
    if name or words:
        yield name, words


def _value_at(table: Any, name: str) -> Any:
    """The value of `--section.field` in a configuration; None where there is none."""
    for key in name.removeprefix("--").replace("-", "_").split("."):
        try:
            table = table[int(key) if isinstance(table, list | tuple) else key]
        except (IndexError, KeyError, TypeError, ValueError):
            return None
    return table


def _check_pairs(config: RunConfig, arguments: list[str]) -> None:
    """Raise the ConfigError of what the configuration rejects in all arguments together, if anything."""
    table = config.model_dump()
    for name, words in _options(arguments):
        section, _, last = name.rpartition(".")
        is_off = last.startswith("no-") and isinstance(_value_at(table, f"{section}.{last[3:]}"), bool)
        present = _value_at(table, name)
        if not name or is_off or (not words and present is not None):
            continue
        value: Any = words[0] if words else None
        if isinstance(present, list | tuple):
            value = words
        elif value == "None":
            value = None
        elif isinstance(present, int):
            # A choice among numbers takes no text.
            with suppress(ValueError):
                value = json.loads(value or "")
        set_value(table, name.removeprefix("--").replace("-", "_").split("."), value)
    try:
        RunConfig.model_validate(table, strict=False)
    except ValidationError as error:
        raise ConfigError(explain("command line", error)) from None


def explain(origin: Path | str, error: ValidationError, root: type[Settings] | None = None) -> str:
    """One line per problem: where, what, and the closest known key for an unknown one.

    `root` is the class of the whole file; None: RunConfig.
    """
    lines = []
    for item in error.errors():
        where = ".".join(map(str, item["loc"])) or "config"
        what = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            fields = list(_section(item["loc"][:-1], root or RunConfig).model_fields)
            near = difflib.get_close_matches(str(item["loc"][-1]), fields, n=1, cutoff=0.5)
            what = "unknown key" + (
                f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(fields)}"
            )
        elif item["type"] == "missing":
            what = "missing; add it"
        elif "urls" in item["loc"]:
            pass  # An address may contain a password, which is not repeated.
        elif "input" in item and not isinstance(item["input"], dict):
            what += f", got {item['input']!r}"
        lines.append(f"{origin}: {where}: {what}")
    return "\n".join(lines)


def _section(location: tuple[Any, ...], section: type[Settings]) -> type[Settings]:
    """The settings class, in `section` or one of its parts, that contains the key at `location`."""
    for part in location:
        if isinstance(part, str) and part in section.model_fields:
            found = _settings_in(section.model_fields[part].annotation)
            section = found or section
    return section


def _settings_in(annotation: Any) -> type[Settings] | None:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _settings_in(arg))), None)
