"""The commands up and down, which start and stop Prefect on this machine."""

import argparse
import shlex
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command, add_runs
from pipelines.cli.output import say
from pipelines.pasted import pasted


def add_commands(commands: Commands) -> None:
    text = "start a Prefect server, a worker and all deployments on this machine"
    parser = add_command(commands, "up", up, text, "flows")
    parser.add_argument("--port", type=int, default=4200, help="port on 127.0.0.1 (default: 4200)")
    parser.add_argument(
        "--gpu-slots", type=int, metavar="N", help="GPU tasks at a time (default: number of GPUs, at least 1)"
    )
    parser.add_argument(
        "--notify",
        default="",
        metavar="TYPE/NAME",
        help="Prefect block that is messaged when a training run fails, such as slack-webhook/alerts",
    )
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="database of the server, such as postgresql+asyncpg://USER@HOST/NAME (default: SQLite); with a "
        "password, set PREFECT_SERVER_DATABASE_CONNECTION_URL instead, which other users cannot see",
    )
    add_runs(parser)
    add_runs(add_command(commands, "down", down, "stop what `up` started", "flows"))


def up(arguments: argparse.Namespace) -> int:
    from pipelines.jobs.gpus import visible_gpus
    from pipelines.orchestration import services

    n_gpus = arguments.gpu_slots or max(1, len(visible_gpus()))
    started = services.up(
        Path(arguments.runs),
        port=arguments.port,
        n_gpus=n_gpus,
        say=say,
        notify=arguments.notify,
        database=arguments.database,
    )
    say(f"\nPrefect is up: {started.url}   logs: {Path(arguments.runs) / '.prefect' / 'logs'}")
    say(f"  export PREFECT_API_URL={started.url}/api")
    key = (Path(arguments.runs) / ".prefect" / "auth").resolve()
    if key.exists():
        say(f'  export PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(key))})"')
    say(f"  {pasted('prefect', 'deployment', 'run', 'reasoner-zero/demo', '--watch')}")
    say(f"  {pasted('reasoner-zero', 'down', '--runs', arguments.runs)}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    from pipelines.orchestration import services

    say("stopping the worker, its runs and the server; the worker may take half a minute")
    ended = services.down(Path(arguments.runs))
    say(f"stopped the worker and the server at {ended.url}")
    return 0
