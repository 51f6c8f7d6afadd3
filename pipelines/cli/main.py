"""The command line: reasoner-zero COMMAND (also python -m pipelines COMMAND).

Only the standard library is imported here, so that --help answers at once; each command imports what it
needs.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from pipelines.cli import inspect, plan, publish, server, stages
from pipelines.cli.output import explain_failure, explain_os_error

DESCRIPTION = """\
From raw math corpora to a published, benchmarked reasoning model: PPO straight on a base model with a binary
reward. One TOML file describes a run; every stage writes a folder that the next one reads and nobody makes
twice.

  reasoner-zero run --config configs/demo.toml          the whole chain on an embedded task, minutes on a CPU
  reasoner-zero doctor                                  what this machine can run
  reasoner-zero verify --gold '1/2' '\\boxed{0.5}'       is this answer right, and why
"""

COMMANDS = (stages, inspect, plan, publish, server)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasoner-zero", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Expected failures end in one clear message."""
    parser = build_parser()
    parsed, rest = parser.parse_known_args(arguments)
    if rest and not hasattr(parsed, "help_config"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    parsed.overrides = rest
    logging.basicConfig(
        level=logging.DEBUG if parsed.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        datefmt="%H:%M:%S",
    )
    for noisy in ("httpx", "httpx2", "httpcore", "asyncio", "urllib3", "filelock", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Leave through the interpreter's exit, which ends child processes and Prefect's own server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return parsed.action(parsed)
    except ModuleNotFoundError as error:
        if parsed.verbose:
            raise
        needs = f"{parsed.command} needs the package {error.name}, which is not installed"
        return _stop(f"{needs}: pip install 'reasoner-zero[{parsed.extra}]'", 2)
    except KeyboardInterrupt:
        return _stop("interrupted; the same command continues where this one stopped", 130)
    except (ValueError, FileNotFoundError) as error:
        return _stop(str(error), 2)
    except OSError as error:
        return _stop(explain_os_error(error), 3)
    except RuntimeError as error:
        if parsed.verbose:
            raise
        return _stop(explain_failure(error), 1)


def _stop(message: str, status: int) -> int:
    sys.stderr.write(f"reasoner-zero: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
