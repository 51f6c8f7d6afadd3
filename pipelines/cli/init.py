"""The command init, which writes a commented configuration for one's own problems."""

import argparse
import json
import os
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command
from pipelines.cli.output import say

LOOKED_AT = 200
"""Rows that are read to see what the file holds."""


def add_commands(commands: Commands) -> None:
    text = "write a commented configuration for your own problems, ready to run"
    parser = add_command(commands, "init", init, text, "curation")
    parser.add_argument("folder", metavar="DIR", help="folder to write config.toml to; it may exist")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="your problems: JSON(L), CSV or Parquet, with answers"
    )


def init(arguments: argparse.Namespace) -> int:
    from jinja2 import Template

    from curation.sources.config import SourceConfig
    from curation.sources.read import read_source
    from pipelines.config import load_config
    from rewards.contracts.files import write_text

    folder, data = Path(arguments.folder), Path(arguments.data).expanduser().resolve()
    target = folder / "config.toml"
    if target.exists():
        raise ValueError(f"{target}: already exists; name another folder, or edit it")
    source = SourceConfig(name="mine", file=str(data), n_rows=LOOKED_AT)
    rows = read_source(source, None).rows
    longest = int(rows["problem"].str.len_chars().max() or 0)  # type: ignore[arg-type]
    template = Template((Path(__file__).parent / "init.toml.j2").read_text(encoding="utf-8"))
    text = template.render(
        file=json.dumps(str(data), ensure_ascii=False),
        name="".join(letter if letter.isalnum() else "-" for letter in data.stem).strip("-") or "mine",
        has_solutions=bool(rows["solution"].is_not_null().any()),
        prompt_tokens=min(1024, 64 * -(-(longest + 32) // 64)),
    )
    write_text(target, text)
    load_config(target)
    command = os.path.relpath(target) if target.is_relative_to(Path.cwd()) else target
    say(f"wrote {target}: {rows.height} rows looked at, the longest problem has {longest} characters")
    say(f"next: reasoner-zero run --config {command}")
    return 0
