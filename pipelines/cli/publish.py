"""The command publish, which sends a data set or a model to a hub."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.arguments import Commands, add_command
from pipelines.cli.output import say, show_rows

if TYPE_CHECKING:
    from pipelines.publishing.head import Changes


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
    parser.add_argument(
        "--private",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether a new repository is private (default: publish.private, which is yes)",
    )
    parser.add_argument("--branch", default="main", help="branch to publish on (default: main)")
    parser.add_argument(
        "--pull-request", action="store_true", help="open a pull request instead of committing"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="overwrite and delete files of the repository that no publication of this tool wrote",
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
        is_private=arguments.private,
        branch=arguments.branch,
        is_pull_request=arguments.pull_request,
        replace=arguments.replace,
    )
    rows = [
        (_mark(shown.changes, name), name, f"{size:,}", sha256[:16]) for name, size, sha256 in shown.files
    ]
    deleted = shown.changes.deleted if shown.changes else []
    rows += [("delete", name, "", "") for name in deleted]
    show_rows(rows, "change", "file", "bytes", "sha256", title=f"{arguments.what} {arguments.repo}")
    for note in shown.notes:
        say(note)
    if shown.changes:
        say(_counted(shown.changes, len(shown.files)))
    if shown.refusal:
        raise ValueError(f"dry run, nothing was sent; a real one would end here: {shown.refusal}")
    if arguments.dry_run:
        say("dry run: nothing was sent")
    elif not shown.is_new:
        say(f"nothing changed and nothing was sent; read back and equal: {shown.commit}")
    else:
        say(f"published and read back: {shown.commit}")
        if shown.pull_request:
            say(f"pull request: {shown.pull_request}")
    return 0


def _mark(changes: "Changes | None", name: str) -> str:
    if changes is None:
        return ""
    return "add" if name in changes.added else "change" if name in changes.changed else "same"


def _counted(changes: "Changes", n_files: int) -> str:
    n_same = n_files - len(changes.added) - len(changes.changed)
    return (
        f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.deleted)} deleted, "
        f"{n_same} as they are"
    )
