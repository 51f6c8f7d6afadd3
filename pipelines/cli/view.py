"""The command `view`: every response of a run in a browser."""

import argparse
import webbrowser
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command
from pipelines.cli.output import say

EPILOG = """\
The server listens on this machine only, and answers only who has the token in its address.
From another machine, forward the port and open the same address there:
  ssh -L PORT:127.0.0.1:PORT HOST

  reasoner-zero view runs/demo                      evaluations and training rollouts; Ctrl-C ends it
  reasoner-zero view runs/demo/evaluate-final       one evaluation
  reasoner-zero view runs/demo --static shown       a folder to keep or to send: open shown/index.html
"""


def add_commands(commands: Commands) -> None:
    text = "show every response of a run in a browser: filter, search, read"
    parser = add_command(commands, "view", view, text, "view", epilog=EPILOG)
    parser.add_argument(
        "run", metavar="RUN", help="run folder, such as runs/demo, or one evaluation's folder"
    )
    parser.add_argument(
        "--static", metavar="DIR", help="write a folder that opens from the disk instead of serving"
    )
    parser.add_argument(
        "--only",
        metavar="NAMES",
        help='only these: "base,final,training", or what stands after evaluate-',
    )
    parser.add_argument("--port", type=int, default=0, help="port of the server (default: a free one)")
    parser.add_argument("--open", action="store_true", help="also open the page in this machine's browser")


def view(arguments: argparse.Namespace) -> int:
    from evals.viewer.tables import Responses
    from pipelines.stages.responses import find_responses, opened_first

    run = Path(arguments.run)

    def find():
        return only(find_responses(run), arguments.only, run)

    sets = find()
    responses, first, title = Responses(sets, find), opened_first(sets), run.resolve().name
    report = run / "report.html"
    if arguments.static:
        return _write(responses, Path(arguments.static), title, first, report)
    from evals.viewer.server import make_server

    server, listening, address = make_server(
        responses, title, first=first, report=report, port=arguments.port
    )
    say(f"viewer   {address}view/")
    say("ends with Ctrl-C")
    if arguments.open:
        webbrowser.open(f"{address}view/")
    try:
        server.run([listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    return 0


def only(sets, names: str | None, run: Path):
    """The sets with these names, separated by commas; ValueError lists those that there are."""
    if not names:
        return sets
    wanted, known = names.split(","), [each.name for each in sets]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"--only: {unknown[0]!r} is not in {run}; there are {', '.join(known)}")
    return [each for each in sets if each.name in wanted]


def _write(responses, folder: Path, title: str, first: str, report: Path) -> int:
    import os

    from evals.viewer.folder import PAGE, write_folder

    if (folder / PAGE).exists() or not folder.exists() or not any(folder.iterdir()):
        beside = os.path.relpath(report, folder) if report.parent.resolve() == folder.parent.resolve() else ""
        shown = beside if beside and report.is_file() else ""
        n = write_folder(responses, folder, title, first=first, report=shown)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        say(f"viewer   {folder / PAGE}: {n:,} responses, {size / 1e6:.0f} MB; it opens from the disk")
        return 0
    raise ValueError(f"{folder}: is not empty and holds no viewer; name a new folder")
