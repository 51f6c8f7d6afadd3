"""The command init, which writes a commented configuration for one's own problems."""

import argparse
import json
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import Commands, add_command
from pipelines.cli.output import say
from pipelines.pasted import pasted

LOOKED_AT = 200
"""Rows that are read to see what the file holds."""
MAX_ROW_BYTES = 1_000_000
FIELDS = ("problem", "answer", "solution")


def add_commands(commands: Commands) -> None:
    text = "write a commented configuration for your own problems, ready to run"
    parser = add_command(commands, "init", init, text, "curation")
    parser.add_argument("folder", metavar="DIR", help="folder to write config.toml to; it may exist")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="your problems: JSON(L), CSV or Parquet, with answers"
    )
    for field in FIELDS:
        parser.add_argument(
            f"--{field}", metavar="FIELD", help=f"its field of the {field} (default: {field})"
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
    fields = {field: given for field in FIELDS if (given := getattr(arguments, field))}
    if data.is_file() and "solution" not in fields and _has_field(data, "solution"):
        fields["solution"] = "solution"  # The only field that is not read unless it is named.
    source = SourceConfig.model_validate(
        {"name": "mine", "file": str(data), "n_rows": LOOKED_AT, **_read(fields)}
    )
    rows = read_source(source, None).rows
    longest = int(rows["problem"].str.len_chars().max() or 0)  # type: ignore[arg-type]
    template = Template(
        (Path(__file__).parent / "init.toml.j2").read_text(encoding="utf-8"), trim_blocks=True
    )
    text = template.render(
        file=json.dumps(str(data), ensure_ascii=False),
        fields={field: json.dumps(given, ensure_ascii=False) for field, given in fields.items()},
        name="".join(letter if letter.isalnum() else "-" for letter in data.stem).strip("-") or "mine",
        has_solutions=bool(rows["solution"].is_not_null().any()),
        prompt_tokens=min(1024, 64 * -(-(longest + 32) // 64)),
    )
    write_text(target, text)
    load_config(target)
    say(f"wrote {target}: rows looked at: {rows.height}, longest problem: {longest} characters")
    say(f"next: {pasted('reasoner-zero', 'run', '--config', target)}")
    return 0


def _read(fields: dict[str, str]) -> dict[str, Any]:
    """As the configuration has them: the problem's fields may be several."""
    return {field: [name] if field == "problem" else name for field, name in fields.items()}


def _has_field(data: Path, field: str) -> bool:
    """Whether the first row has a field of this name."""
    from curation.sources.readers import read_rows

    row = next(iter(read_rows(data, MAX_ROW_BYTES)), None)
    return row is not None and isinstance(row.value, dict) and field in row.value
