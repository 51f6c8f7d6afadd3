"""The command `claims`: the paper's claims in the small, each with a verdict."""

import argparse

from pipelines.cli.arguments import Commands, add_command, add_runs
from pipelines.cli.output import say, say_text

EPILOG = """\
A claim is a file in configs/claims/: what is said, what would refute it, the runs that decide. Bases count
when they pass the gate of their task. Runs that exist are reused, so an interrupted claim goes on with the
same command. Results go to RUNS/claims: a table, plots, and claims.html.

  reasoner-zero claims --list
  reasoner-zero claims lambda
  reasoner-zero claims smollm2 --data-root data
  reasoner-zero claims mine.toml
"""


def add_commands(commands: Commands) -> None:
    text = "try the paper's claims in the small: bases, variants, seeds, a verdict"
    parser = add_command(commands, "claims", claims, text, "training", EPILOG)
    names = "claims, or files of your own (default: all but those that take hours)"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--list", action="store_true", help="say what the claims are, and do nothing")
    text = "folder with the corpora of claims that use some (default: the hub)"
    parser.add_argument("--data-root", metavar="DIR", help=text)
    add_runs(parser)


def claims(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from pipelines.claims.config import claim_names, load_claim
    from pipelines.claims.page import make_table, write_index
    from pipelines.claims.run import choose_claims, run_claim

    if arguments.list:
        for name in arguments.names or claim_names():
            claim = load_claim(name)
            note = " Takes hours; runs only when it is named." if claim.is_long else ""
            say_text(f"{name}: {claim.statement} ({claim.source}){note}")
        return 0
    runs = Path(arguments.runs)
    names, failed = choose_claims(arguments.names), []
    for name in names:
        # What stops one claim, such as a gate that too few bases pass, does not stop the others.
        try:
            verdict = run_claim(name, runs, say_text, arguments.data_root)
        except (ValueError, RuntimeError) as error:
            if len(names) == 1:
                raise
            failed.append(f"{name}: {error}")
            say_text(f"{name}: not finished: {error}")
            continue
        say(make_table(Path(name).stem, verdict))
        _, page = write_index(runs / "claims")
        say_text(f"page: {page}")
    if failed:
        raise RuntimeError("\n".join(failed))
    return 0
