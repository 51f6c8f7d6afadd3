"""The command publish, which sends a data set or a model to a hub."""

import argparse
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command
from pipelines.cli.output import say, show_rows


def add_commands(commands: Commands) -> None:
    text = "publish a data set or a model to a hub, or show what would be sent"
    parser = add_command(commands, "publish", publish, text, "evals")
    parser.add_argument("run", metavar="RUN", help="run folder, such as runs/demo")
    parser.add_argument("what", choices=("dataset", "model"), help="the prompt set or the trained model")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="repository on the hub")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, but send nothing")
    parser.add_argument(
        "--force-license",
        action="append",
        default=[],
        metavar="SOURCE",
        help="publish this source even though it states no license (repeatable)",
    )
    parser.add_argument("--out", metavar="DIR", help="also write what is sent to this new folder")


def publish(arguments: argparse.Namespace) -> int:
    from pipelines.publishing.publish import publish as send

    shown = send(
        Path(arguments.run),
        arguments.what,
        arguments.repo,
        is_dry_run=arguments.dry_run,
        forced_licenses=set(arguments.force_license),
        keep=Path(arguments.out) if arguments.out else None,
    )
    rows = [(name, f"{size:,}", sha256[:16]) for name, size, sha256 in shown.files]
    show_rows(rows, "file", "bytes", "sha256", title=f"{arguments.what} {arguments.repo}")
    say("dry run: nothing was sent" if arguments.dry_run else f"published and read back: {shown.commit}")
    return 0
