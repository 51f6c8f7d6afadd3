"""Arguments that several commands share, and the run that they name; imports only the standard library."""

import argparse
import math
import textwrap
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

OVERRIDES = """\
Any field of the configuration can be set after the other arguments, with dashes for underscores:
  --training.n-steps 20 --training.ppo.gae-lambda 0.95
--help-config lists all fields, what they mean and where their defaults come from.
"""


class Help(argparse.HelpFormatter):
    """Help in which paragraphs are wrapped to the terminal and indented lines stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        shown: list[str] = []
        for is_kept, group in groupby(text.strip("\n").splitlines(), lambda line: line[:1] in ("", " ")):
            lines = list(group)
            shown += lines if is_kept else textwrap.wrap(" ".join(lines), width)
        return "\n".join(indent + line for line in shown) + "\n"


Action = Callable[[argparse.Namespace], int]
Commands = Any
"""What argparse's add_subparsers returns."""


def add_command(
    commands: Commands, name: str, action: Action, text: str, extra: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Add a command that runs `action`, which returns the exit status. `extra` names the optional
    dependencies of the package that it needs."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=Help,
    )
    parser.set_defaults(action=action, extra=extra)
    return parser


def add_configured(
    commands: Commands, name: str, action: Action, text: str, extra: str, *, needs_config: bool = True
) -> argparse.ArgumentParser:
    """Add a command for one run: a TOML file, overrides of any field, and a folder for the results."""
    parser = add_command(commands, name, action, text, extra, epilog=OVERRIDES)
    add_config(parser, "configs/demo.toml", is_required=needs_config)
    parser.add_argument(
        "--data-root", metavar="DIR", help="folder that `file = ...` is relative to (default: use the hub)"
    )
    parser.add_argument("--name", help="name of the run; results go to runs/NAME (default: the config's)")
    add_runs(parser)
    choice = parser.add_mutually_exclusive_group()
    for name, what in (("resume", "continue it from its newest checkpoint"), ("fresh", "start at step 1")):
        text = f"if the run was trained with other settings or code: {what}"
        choice.add_argument(f"--{name}", dest="on_change", action="store_const", const=name, help=text)
    parser.add_argument("--help-config", action="store_true", help="explain every field and exit")
    return parser


def add_config(parser: argparse.ArgumentParser, example: str, *, is_required: bool = True) -> None:
    parser.add_argument(
        "--config", required=is_required, metavar="FILE", help=f"TOML file, such as {example}"
    )


def number(
    least: float, most: float = math.inf, *, is_whole: bool = False, is_open: bool = False
) -> Callable[[str], float]:
    """A converter for `add_argument(type=...)`: a finite number from `least` (above it, if `is_open`) to
    `most`.

    >>> number(0, 1)("0.4"), number(1, is_whole=True)("8")
    (0.4, 8)
    """
    kind = "a whole number" if is_whole else "a number"
    span = f"{'above' if is_open else 'of at least'} {least:g}"
    if most < math.inf:
        span = f"from {least:g} to {most:g}"

    def read(text: str) -> float:
        try:
            value = int(text) if is_whole else float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)) or (is_open and value == least):
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind} {span}")
        return value

    return read


def add_runs(parser: argparse.ArgumentParser, text: str = "folder of all runs") -> None:
    parser.add_argument("--runs", default="runs", metavar="DIR", help=f"{text} (default: runs)")


def open_run(
    arguments: argparse.Namespace,
    settings: dict[str, Any] | None = None,
    *,
    needs_model: bool = True,
    needs_corpus: bool = True,
):
    """The workspace of the run that the arguments of `add_configured` describe, with `settings` by dotted
    key; without `needs_model`, the configuration may lack [training], without `needs_corpus` [curation]."""
    from pipelines.artifacts.workspace import Workspace
    from pipelines.config import load_config, override_from_command_line

    path = Path(arguments.config) if arguments.config else None
    given = {name: getattr(arguments, name) for name in ("name", "data_root", "on_change")}
    given = (settings or {}) | {key: value for key, value in given.items() if value is not None}
    config = load_config(path, given, needs_model=needs_model, needs_corpus=needs_corpus)
    rest = ["--help"] if arguments.help_config else arguments.overrides
    if rest:
        config = override_from_command_line(config, path or Path("FILE"), rest)
    return Workspace.open(config, Path(arguments.runs))
