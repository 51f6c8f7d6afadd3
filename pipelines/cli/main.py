"""The command line: reasoner-zero COMMAND (also python -m pipelines COMMAND).

Only the standard library is imported here, so that --help answers at once; each command imports what it
needs.
"""

import argparse
import importlib
import logging
import signal
import sys
from collections.abc import Sequence

DESCRIPTION = """\
From raw math corpora to a published, benchmarked reasoning model: PPO straight on a base model with a binary
reward. One TOML file describes a run; every stage writes a folder that the next one reads and nobody makes
twice.

  reasoner-zero run --config configs/demo.toml          the whole chain on an embedded task, minutes on a CPU
  reasoner-zero doctor                                  what this machine can run
  reasoner-zero verify --gold '1/2' '\\boxed{0.5}'       is this answer right, and why
"""

OVERRIDES = """\
Any field of the configuration can be set behind the other arguments, dashes for underscores:
  --training.n-steps 20 --training.ppo.gae-lambda 0.95
--help-config lists them all with their meaning and where their defaults come from.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasoner-zero", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in (
        ("run", "the whole chain: curate, rewards, train, eval, report (a Prefect flow, no server needed)"),
        ("curate", "collect, clean, deduplicate and decontaminate the corpus"),
        ("rewards", "compile and self-check the rewards of the corpus"),
    ):
        _with_config(_command(commands, name, text, epilog=OVERRIDES))
    text = "pass rates of the training prompts, and the hard ones for annealing"
    difficulty = _command(commands, "difficulty", text, epilog=OVERRIDES)
    difficulty.add_argument(
        "--model", metavar="DIR", help="model that answers, in Hugging Face format (default: the base model)"
    )
    difficulty.add_argument(
        "--rollouts", action="store_true", help="count the rollouts of the run's training instead of sampling"
    )
    _with_config(difficulty)
    train = _command(commands, "train", "make the base model and train it by PPO", epilog=OVERRIDES)
    train.add_argument(
        "--preflight", action="store_true", help="first run the longest possible step, and say what it took"
    )
    train.add_argument(
        "--anneal",
        type=int,
        default=0,
        metavar="STEPS",
        help="then mine the prompts that the trained model finds hard and train so many steps on them",
    )
    _with_config(train)
    _eval(commands)
    _report(commands)
    _compare(_command(commands, "compare", "paired test between the benchmarks of two runs or checkpoints"))
    _publish(
        _command(commands, "publish", "publish a data set or a model to a hub, or show what would be sent")
    )
    _verify(_command(commands, "verify", "check answers against references, from the shell or a JSONL file"))
    _audit(
        _command(commands, "audit", "why was this row kept or removed? and: are all files what they claim?")
    )
    lineage = _command(
        commands, "lineage", "what an artefact was made from, back to the raw files, all checked"
    )
    lineage.add_argument(
        "artefact",
        help="an artefact of a run, such as runs/demo/evaluate-final, or a folder downloaded from the hub",
    )
    runs_of_it = "folder of all runs, to follow a download back (default: runs)"
    lineage.add_argument("--runs", default="runs", metavar="DIR", help=runs_of_it)
    _plan(_command(commands, "plan", "memory, tokens and FLOPs a configuration needs, before it runs"))
    text = "step time, waiting GPUs, days and cost of a run on a cluster, as responses grow"
    _simulate(_command(commands, "simulate", text))
    _services(commands)
    doctor = _command(commands, "doctor", "check this machine: versions, GPU, memory, disk, servers")
    doctor.add_argument("--runs", default="runs", help="folder of results (default: runs)")
    return parser


def _services(commands) -> None:
    up = _command(commands, "up", "start a Prefect server, a worker and all deployments on this machine")
    up.add_argument("--port", type=int, default=4200, help="port on loopback (default: 4200)")
    up.add_argument(
        "--gpu-slots", type=int, metavar="N", help="GPU runs at once (default: the GPUs, at least 1)"
    )
    up.add_argument(
        "--notify",
        default="",
        metavar="TYPE/NAME",
        help="notification block through which a failed training sends word, such as slack-webhook/alerts",
    )
    down = _command(commands, "down", "end what `up` started")
    for command in (up, down):
        command.add_argument(
            "--runs", default="runs", metavar="DIR", help="folder of all runs (default: runs)"
        )


def _eval(commands) -> None:
    text = "benchmark the base model, and the trained one when there is one"
    command = _command(commands, "eval", text, epilog=OVERRIDES)
    _with_config(command)
    instead = command.add_mutually_exclusive_group()
    instead.add_argument("--model", metavar="FOLDER", help="benchmark this Hugging Face model folder instead")
    instead.add_argument(
        "--checkpoints", action="store_true", help="benchmark every exported checkpoint of the run instead"
    )
    instead.add_argument(
        "--samples",
        metavar="FOLDER",
        help="score stored samples instead, without a model, such as runs/demo/sample-base/completions",
    )


def _report(commands) -> None:
    text = "write report.html and summary.json of a run again, from its stored results"
    command = _command(commands, "report", text, epilog=OVERRIDES)
    _with_config(command)
    command.add_argument(
        "--figures", action="store_true", help="also write every figure as PNG and PDF to runs/<name>/figures"
    )


def _command(commands, name: str, text: str, epilog: str = "") -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _with_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="TOML file, such as configs/demo.toml"
    )
    parser.add_argument(
        "--data-root", metavar="DIR", help="folder that `file = ...` is relative to; unset: the hub"
    )
    parser.add_argument("--name", help="name of the run: results go to runs/NAME (default: the config's)")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of all runs (default: runs)")
    parser.add_argument("--help-config", action="store_true", help="explain every field and exit")


def _compare(parser: argparse.ArgumentParser) -> None:
    for name, when in (("before", "first"), ("after", "second")):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help=f"{when} one: an evaluate artefact, such as runs/demo/evaluate-base",
        )
    parser.add_argument("--gate", action="store_true", help="exit with 1 on a significant regression")
    parser.add_argument("--alpha", type=float, default=0.05, help="significance level (default: 0.05)")


def _publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="run folder, such as runs/demo")
    parser.add_argument("what", choices=("dataset", "model"), help="the prompt set or the trained model")
    parser.add_argument("--repo", required=True, metavar="OWNER/NAME", help="repository on the hub")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, send nothing")
    parser.add_argument(
        "--force-licence",
        action="append",
        default=[],
        metavar="SOURCE",
        help="publish this source although it states no licence (repeatable)",
    )
    parser.add_argument("--out", metavar="DIR", help="also keep the folder that is sent")


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("response", nargs="?", help="what the model wrote (or the bare answer)")
    parser.add_argument("--gold", help="the reference answer")
    parser.add_argument(
        "--file", metavar="JSONL", help="check every row of a file with fields gold and response"
    )
    parser.add_argument(
        "--mode",
        choices=("lenient", "orz", "orz_compat"),
        default="lenient",
        help="orz: tags and box required; orz_compat: Open-Reasoner-Zero's own comparer, right or wrong",
    )


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="run folder, such as runs/demo")
    parser.add_argument("query", nargs="?", help="a problem_id, a source_id or a piece of the problem's text")


def _plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="TOML file, such as configs/orz_7b.toml"
    )
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs in all (default: the config's ranks)")
    parser.add_argument("--gpu-memory-gib", type=float, default=80.0, help="memory of one GPU (default: 80)")
    parser.add_argument(
        "--gpu-hour-cost", type=float, default=0.0, metavar="PRICE", help="also price the run"
    )
    parser.add_argument(
        "--against", metavar="RUN", help="set the plan beside a finished run, such as runs/demo"
    )
    parser.add_argument(
        "--gpu-tflops", type=float, default=400.0, help="sustained bf16 TFLOP/s (default: 400)"
    )


def _simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", required=True, metavar="FILE", help="TOML file, such as configs/orz_7b.toml"
    )
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs in all (default: the config's ranks)")
    parser.add_argument("--plots", metavar="DIR", help="also draw phases.png and sensitivity.png there")
    for name, default, text in (
        ("gpu-memory-gib", 80.0, "memory of one GPU"),
        ("gpu-tflops", 400.0, "sustained bf16 TFLOP/s of training"),
        ("gpu-memory-tbs", 2.4, "sustained memory bandwidth, TB/s"),
        ("link-gbs", 100.0, "what one GPU receives from the others, GB/s"),
        ("gpu-hour-cost", 2.0, "price of one GPU for an hour"),
        ("prompt-tokens", 256.0, "mean length of a prompt"),
    ):
        help_text = f"{text} (default: {default:g})"
        parser.add_argument(f"--{name}", type=float, default=default, metavar="X", help=help_text)
    for name, when in (("first-tokens", "first"), ("last-tokens", "last")):
        help_text = f"mean response of the {when} step before the cut (default: the paper's figure 2)"
        parser.add_argument(f"--{name}", type=float, metavar="N", help=help_text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Expected failures end in one clear message."""
    parser = build_parser()
    parsed, rest = parser.parse_known_args(arguments)
    if rest and not hasattr(parsed, "help_config"):
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
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
    commands = importlib.import_module("pipelines.cli.stages")
    try:
        return commands.COMMANDS[parsed.command](parsed)
    except KeyboardInterrupt:
        return _stop("interrupted; the same command continues where this one stopped", 130)
    except (ValueError, FileNotFoundError) as error:
        return _stop(str(error), 2)
    except OSError as error:
        return _stop(commands.explain_os_error(error), 3)
    except RuntimeError as error:
        if parsed.verbose:
            raise
        return _stop(commands.explain_failure(error), 1)


def _stop(message: str, status: int) -> int:
    sys.stderr.write(f"reasoner-zero: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
