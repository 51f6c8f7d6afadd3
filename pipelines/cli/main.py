"""The command line: reasoner-zero COMMAND (also python -m pipelines COMMAND).

Only the standard library is imported here, so that --help answers immediately; each command imports what it
needs.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence

from pipelines.cli import claims, evaluate, init, inspect, plan, publish, score, server, stages, view
from pipelines.cli.arguments import Help
from pipelines.cli.output import explain_failure, explain_os_error

DESCRIPTION = """\
From raw math corpora to a published, benchmarked reasoning model: PPO straight on a base model with a binary
reward. One TOML file describes a run. Each stage writes one folder, the next stage reads it, and a folder
that exists is reused.

  reasoner-zero run --config configs/demo.toml
                      run all stages on an embedded task, minutes on a CPU
  reasoner-zero init mine --data mine.jsonl
                      write a configuration for your own problems
  reasoner-zero eval MODEL --benchmarks math500
                      benchmark any model: a folder, a hub id, an endpoint
  reasoner-zero doctor
                      check what this machine can run
  reasoner-zero verify --gold '1/2' '\\boxed{0.5}'
                      check an answer and see the reason
"""

COMMANDS = (init, stages, evaluate, score, view, claims, inspect, plan, publish, server)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reasoner-zero", description=DESCRIPTION, formatter_class=Help)
    parser.add_argument("--verbose", action="store_true", help="log more, and show tracebacks")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. An expected failure ends with one clear message."""
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
    for noisy in ("httpx", "httpx2", "httpcore", "asyncio", "urllib3", "openai", "filelock", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Exit through the interpreter, which ends child processes and the temporary Prefect server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if hasattr(parsed, "help_config"):
        signal.signal(signal.SIGINT, _interrupted)
    try:
        return parsed.action(parsed)
    except ModuleNotFoundError as error:
        if parsed.verbose:
            raise
        needs = f"{parsed.command} needs the package {error.name}, which is not installed"
        return _stop(f"{needs}: pip install 'reasoner-zero[{parsed.extra}]'", 2)
    except KeyboardInterrupt:
        return _stop("interrupted; run the same command again to continue", 130)
    except (ValueError, FileNotFoundError) as error:
        return _stop(str(error), 2)
    except OSError as error:
        return _stop(explain_os_error(error), 3)
    except RuntimeError as error:
        if parsed.verbose:
            raise
        return _stop(*explain_failure(error))


def _interrupted(*_: object) -> None:
    """End at once, with everything that was started: a stage continues from any point, so nothing is unwound.

    The temporary Prefect server has had the same signal from the terminal; its client would wait for it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_children()
    sys.stdout.flush()
    # A progress bar has hidden the cursor.
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""
    sys.stderr.write(f"{shown}\nreasoner-zero: interrupted; the same command continues\n")
    sys.stderr.flush()
    os._exit(130)


def end_children(grace_s: float = 2.0) -> None:
    """End all descendants of this process: with SIGTERM, then with SIGKILL."""
    try:
        import psutil
    except ModuleNotFoundError:  # Without flows and training there are no children to look for.
        return
    family = psutil.Process().children(recursive=True)
    for stop in ("terminate", "kill"):
        for process in family:
            try:
                getattr(process, stop)()
            except psutil.NoSuchProcess:
                continue
        _, family = psutil.wait_procs(family, timeout=grace_s)


def _stop(message: str, status: int) -> int:
    sys.stderr.write(f"reasoner-zero: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
